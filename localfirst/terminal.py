"""What a person sees: tables, fields and sentences. Colours appear on a terminal only, and not under NO_COLOR.

Text from the store was written by others: characters that would steer the terminal are displayed, not obeyed. Rich is imported
when something is drawn, so that `--json` does without it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

WIDTH_OF_A_FILE = 160
"""The width of tables that do not go to a terminal, in columns."""

_STYLES = {
    "active": "green",
    "operational": "green",
    "accepted": "green",
    "completed": "dim",
    "blocked": "red",
    "broken": "red",
    "lost": "red",
    "high": "bold red",
    "medium": "yellow",
    "low": "dim",
    "merged": "yellow",
    "approved": "green",
    "implementing": "cyan",
}
"""How words that say a state are displayed."""


class Column(NamedTuple):
    """A table's column: `word` is coloured by its meaning, `text` may wrap, `faint` is there for those who look for it."""

    header: str
    kind: Literal["id", "word", "text", "number", "faint"] = "text"


@cache
def out() -> Console:
    """Standard output."""
    return _console(stderr=False)


@cache
def err() -> Console:
    """Standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDTH_OF_A_FILE
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


def clean(text: str) -> str:
    """The text without control characters (but for line ends and tabs), which are displayed as U+FFFD."""
    return "".join(c if c.isprintable() or c in "\n\t" else _visible(c) for c in text)


def _visible(character: str) -> str:
    # Not printable in Python's sense, and harmless: the many kinds of blanks.
    return " " if character.isspace() and character > "\x9f" else "\ufffd"


def text(value: object, style: str = "") -> Text:
    """A value as text to be drawn; None is a dash."""
    from rich.text import Text

    if value is None:
        return Text("–", style="dim")
    return Text(clean(str(value)), style=style)


def word(value: object) -> Text:
    """A word that says a state, in its colour."""
    return text(value, _STYLES.get(str(value), ""))


def say(sentence: str, style: str = "") -> None:
    """One paragraph on standard output."""
    out().print(text(sentence, style), soft_wrap=True)


def heading(words: str) -> None:
    """The title of what follows."""
    out().print()
    out().print(text(words, "bold"))


def note(sentence: str) -> None:
    """Something a person should know besides, on standard error."""
    sys.stdout.flush()
    err().print(text(sentence, "dim"), soft_wrap=True)


def complain(sentence: str) -> None:
    """What went wrong, on standard error."""
    from rich.text import Text

    sys.stdout.flush()
    err().print(Text.assemble(("Error: ", "bold red"), clean(sentence)), soft_wrap=True)


def is_agreed(question: str) -> bool:
    """Asks a person; false where there is none (standard input is no terminal)."""
    if not sys.stdin.isatty():
        return False
    sys.stdout.flush()
    err().print(text(f"{question} [y/N] "), soft_wrap=True, end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output."""
    from rich import box
    from rich.table import Table

    drawn = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False, show_edge=False)
    for column in columns:
        drawn.add_column(
            column.header,
            justify="right" if column.kind == "number" else "left",
            no_wrap=column.kind != "text",
            overflow="fold",
            style="cyan" if column.kind == "id" else ("dim" if column.kind == "faint" else ""),
        )
    for row in rows:
        drawn.add_row(*(_cell(column, value) for column, value in zip(columns, row, strict=True)))
    out().print(drawn)


def _cell(column: Column, value: object) -> RenderableType:
    return word(value) if column.kind == "word" else text(value)


def fields(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values under one another; what has no value is left out."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None and value != "":
            grid.add_row(text(name), word(value))
    out().print(grid)


def inline(value: Any) -> str:
    """A JSON value on one line, text without its quotes."""
    import msgspec

    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def count_displayed(displayed: int, total: int) -> None:
    """Says, where that is so, that there is more than what was displayed."""
    if displayed < total:
        note(f"{displayed} of {total}; --offset and --limit show others.")


def bar(done: int, total: int, width: int, words: str) -> None:
    """A share of a whole as a bar, with the numbers beside it."""
    from rich.text import Text

    filled = round(width * done / total) if total else 0
    out().print(Text.assemble(("━" * filled, "green"), ("━" * (width - filled), "dim"), " ", clean(words)))
