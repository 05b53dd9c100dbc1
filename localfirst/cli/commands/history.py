"""The history of one thing as a person sees it: a line for each field that was changed."""

from __future__ import annotations

from collections.abc import Iterator

from localfirst import terminal
from localfirst.cli import wording
from localfirst.cli.command import Result
from localfirst.terminal import Column

_COLUMNS = (
    Column("v", "number"),
    Column("when", "faint"),
    Column("who", "faint"),
    Column("outcome", "word"),
    Column("field", "id"),
    Column("before"),
    Column("after"),
)


def view(result: Result) -> None:
    """Changes, newest first."""
    if result["changes"]:
        terminal.table(_COLUMNS, _rows(result["changes"]))
    else:
        terminal.say("No changes are known.")


def _rows(changes: list[Result]) -> Iterator[tuple[object, ...]]:
    for change in changes:
        first: tuple[object, ...] = (
            change["version"],
            wording.local_time(change["at"]),
            change["by"],
            change["outcome"],
        )
        displayed = {name: both for name, both in change["fields"].items() if both["old"] != both["new"]}
        if not displayed:
            yield *first, None, None, None
        for name, both in displayed.items():
            yield *first, name, _value(both["old"]), _value(both["new"])
            first = ("",) * 4


def _value(value: object) -> str | None:
    return None if value is None else terminal.inline(value) or '""'
