"""The last act of one who may take it back: what it did to each row, in the order in which it was done.

A session keeps its own in memory. On the command line every command is a session of its own, so that the replica keeps the
last act of each client name there, written in the transaction of the act itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apsw
import msgspec
from localfirst_schema.wire import Fields


class Step(NamedTuple):
    """One change of an act.

    Attributes:
        base_version: the row's version before; 0: the change created it.
        version: the row's version after.
        fields: what was changed, as the history has it.
    """

    entity: str
    id: str
    base_version: int
    version: int
    fields: Fields


_KEEP = "INSERT OR REPLACE INTO last_acts (client, at, steps) VALUES (?, ?, ?)"
_KEPT = "SELECT steps FROM last_acts WHERE client = ?"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Step]).decode


def keep(connection: apsw.Connection, client: str | None, at: str, steps: Sequence[Step]) -> None:
    """Keeps an act as the last one of a client of the command line; to be called within the act."""
    connection.execute(_KEEP, (client or "", at, _encode(steps).decode()))


def kept(connection: apsw.Connection, client: str | None) -> list[Step]:
    """The last act of a client of the command line; empty if there was none."""
    for (steps,) in connection.execute(_KEPT, (client or "",)):
        return _decode(str(steps))
    return []
