"""Makes what only a build needs: the man page, and the README as a package index shows it."""

import os
import re
import sys
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

REPOSITORY = "CNNINSPECT_REPOSITORY"
"""The setting in which whoever publishes a build says where its sources can be read."""


class ManPage(BuildHookInterface):
    """Puts `cnninspect.1` where `man` looks for it."""

    def initialize(self, version, build_data):
        """Write the page into the build folder, and say where it goes."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        try:
            from cnninspect.commands.man_page import man_page
        finally:
            sys.path.remove(self.root)
        path = Path(self.directory) / "cnninspect.1"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(man_page(), encoding="utf-8")
        build_data["shared_data"][str(path)] = "share/man/man1/cnninspect.1"


class Addresses(MetadataHookInterface):
    """Gives the README and the project the addresses that hold away from the checkout."""

    def update(self, metadata):
        """Set the description, and the project's addresses where they are known."""
        address = os.environ.get(REPOSITORY, "").rstrip("/")
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": linked(text, address)}
        if address:
            metadata["urls"] = {
                "Source": address,
                "Documentation": f"{address}/blob/main/docs/index.md",
                "Changelog": f"{address}/blob/main/docs/changelog.md",
            }


def linked(text, address):
    """The README with its links to files made whole, or made plain text where no address is known.

    A package index shows it without the files beside it.
    """
    to_file = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#)([^)]+)\)")
    if not address:
        return to_file.sub(r"\1", text)
    return to_file.sub(rf"[\1]({address}/blob/main/\2)", text)
