"""`cnninspect help TOPIC`: what concerns every command."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from cnninspect.commands.help.topics import TOPICS
from cnninspect.commands.manual import Entry, Panel, topic_text
from cnninspect.commands.output import has_color, printable, width
from cnninspect.errors import UnknownChoice

EXAMPLES = (
    ("cnninspect help references", "What can be named in place of MODEL"),
    ("cnninspect help inputs", "How shapes and values are typed after --input"),
    ("cnninspect help", "The list of topics"),
)


def help_on(
    topic: Annotated[
        Optional[str],
        typer.Argument(
            metavar="[TOPIC]",
            help=f"{', '.join(TOPICS)}; none lists them.",
            show_default=False,
            autocompletion=lambda incomplete: [t for t in TOPICS if t.startswith(incomplete)],
        ),
    ] = None,
) -> None:
    """What concerns every command: references, inputs, formats, exit codes, environment.

    The help of a command is what `cnninspect COMMAND --help` prints.
    """
    if topic is None:
        listed = tuple(Entry(name, found.sentence) for name, found in TOPICS.items())
        sentence = "cnninspect help TOPIC explains what concerns every command."
        text = topic_text(sentence, (), (Panel("Topics", listed),),
                          width=width(), color=has_color())  # fmt: skip
    elif topic in TOPICS:
        found = TOPICS[topic]
        text = topic_text(found.sentence, found.more, found.panels,
                          width=width(), color=has_color())  # fmt: skip
    else:
        raise UnknownChoice("TOPIC", topic, TOPICS)
    typer.echo(printable(text))
