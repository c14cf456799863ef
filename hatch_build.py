"""Makes the man page of the sources that a wheel is built of."""

import sys
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


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
