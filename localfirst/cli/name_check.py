"""Whether the server has a project under two spellings of one name: each has rows of its own, and the team is split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from localfirst_schema.errors import UnavailableError

from localfirst.cli.finding import Finding

if TYPE_CHECKING:
    from localfirst_sync.postgres.connection import Connection

NAMED = 5
"""So many are named one by one."""


def findings(connection: Connection) -> Iterator[Finding]:
    """What there is to say of names."""
    from localfirst_sync.postgres import rename

    try:
        found = rename.doubles(connection)
    except UnavailableError as error:
        yield Finding("project", "warning", f"the names on the server could not be compared: {error.message}")
        return
    for one, other in found[:NAMED]:
        words = (
            f"the server has two projects of what is one name: {one} and {other}. They stay two, each with its own rows;"
            f" whoever comes new gets {other}. `localfirst init --project {other}` in a repository of the first brings its"
            f" board there, `localfirst server rename-project {one} NEW` gives it a name of its own"
        )
        yield Finding("project", "warning", words)
    if len(found) > NAMED:
        yield Finding("project", "warning", f"the server has {len(found) - NAMED} more such pairs")
