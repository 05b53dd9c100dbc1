"""Tables of Markdown: `| Vendor | Status |`, a line of dashes, and the rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_BAR = re.compile(r"(?<!\\)\|")


class Row(NamedTuple):
    """A row: its line, and its cells by the column's name in small letters."""

    at: int
    cells: dict[str, str]


class Table(NamedTuple):
    """The rows, and the last line of the table; the first two lines are its head."""

    rows: tuple[Row, ...]
    last: int


def read_table(lines: Sequence[str], start: int, end: int) -> Table | None:
    """The table that begins in line `start`, within `end`; None where none does, or where two columns have one name."""
    if start + 2 >= end or "|" not in lines[start] or "|" not in lines[start + 1] or not _is_rule(lines[start + 1]):
        return None
    names = [name.strip(" *`").lower() for name in _cells(lines[start])]
    if len(set(names)) != len(names):
        return None
    rows = []
    at = start + 2
    while at < end and lines[at].lstrip().startswith("|"):
        cells = _cells(lines[at])
        if len(cells) == len(names):
            rows.append(Row(at, dict(zip(names, cells, strict=True))))
        at += 1
    return Table(tuple(rows), at - 1)


def _is_rule(line: str) -> bool:
    """Whether a line is the one below a table's head."""
    return "--" in line and not line.strip(" \t:|-")


def _cells(line: str) -> list[str]:
    text = line.strip()
    text = text.removeprefix("|")
    if text.endswith("|") and not text.endswith("\\|"):
        text = text[:-1]
    return [cell.strip().replace("\\|", "|") for cell in _BAR.split(text)]
