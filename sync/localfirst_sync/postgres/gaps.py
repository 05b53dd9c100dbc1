"""Numbers that the log lacks: lines that somebody has taken out of it by hand.

No reader stops at a gap, and no replica that has passed it sees what stood there. What a replica still knows of such lines is
put back in their place, and the rows that it is about are logged anew, so that every replica fetches them. The other places are
taken by lines that say nothing, and may be put back later by a replica that knows more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import psycopg
from localfirst_schema import timestamps

from localfirst_sync import sieve
from localfirst_sync.conflict import CONFLICT
from localfirst_sync.line_digest import Held, says_the_same
from localfirst_sync.ports import HistoryRow, Identity
from localfirst_sync.postgres import log
from localfirst_sync.postgres.conflict_log import GIVEN_UP_BY
from localfirst_sync.postgres.connection import Connection, taken_back_on_failure
from localfirst_sync.postgres.failure import unavailable
from localfirst_sync.postgres.mend import Mending

_encode = msgspec.json.Encoder().encode

FILLED_MAX = 100_000
"""So many numbers are filled; a log that lacks more was not thinned out but forged."""

_NOBODY = "00000000-0000-0000-0000-000000000000"

# Of each gap its first and last number, and the tag of the line behind it.
_GAPS = """
SELECT l.seq - l.missing, l.seq - 1, l.tag FROM (
    SELECT h.seq, h.tag, h.seq - 1 - pg_catalog.lag(h.seq, 1, 0::bigint) OVER (ORDER BY h.seq) AS missing
    FROM localfirst.history AS h JOIN localfirst.project_heads AS p USING (project_id)
    WHERE h.project_id = %(project)s AND h.seq BETWEEN 1 AND p.head
) AS l WHERE l.missing > 0 ORDER BY 1
"""
_FILLED = f"""
SELECT h.seq, h.tag FROM localfirst.history AS h
WHERE h.project_id = %(project)s AND h.entity_id = '{_NOBODY}' AND h.entity = '{CONFLICT}' AND h.by = '{GIVEN_UP_BY}'
ORDER BY h.seq
"""
_EMPTY = "DELETE FROM localfirst.history WHERE project_id = %(project)s AND seq = ANY(%(seqs)s::bigint[])"
_PUT = """
INSERT INTO localfirst.history (project_id, seq, tag, entity, entity_id, version, by, at, outcome, fields)
SELECT %(project)s::uuid, r.* FROM pg_catalog.jsonb_to_recordset(%(lines)s::jsonb) AS r (
    seq bigint, tag integer, entity text, entity_id uuid, version bigint, by text, at timestamptz, outcome text, fields jsonb
)
"""


class Gaps(NamedTuple):
    """What the log lacks.

    Attributes:
        first: the first number that is missing; None if none is.
        missing: how many numbers are missing.
        filled: how many are taken by lines that say nothing.
    """

    first: int | None
    missing: int
    filled: int

    @property
    def words(self) -> str | None:
        """What is wrong, or None."""
        if self.first is None:
            return None
        numbers = f"number {self.first}" if self.missing == 1 else f"{self.missing} numbers from {self.first} on"
        return f"the log lacks {numbers} (table history): somebody has taken out lines that replicas may have read, or not"


class _Place(NamedTuple):
    """A free number of the log, and the tag of its transaction as far as that is known."""

    seq: int
    tag: int


def look(connection: Connection, project_id: str) -> Gaps:
    """What is missing. Raises `UnavailableError`."""
    try:
        gaps, filled = _found(connection, project_id)
    except psycopg.Error as error:
        raise unavailable(error) from None
    return Gaps(gaps[0][0] if gaps else None, sum(last - first + 1 for first, last, _ in gaps), len(filled))


def fill(connection: Connection, identity: Identity, known: Sequence[Held]) -> int:
    """Fills the gaps with what is `known` and the log lacks, by rising time, and with lines that say nothing.

    Returns how many known lines were put back. Raises `UnavailableError`; nothing is changed then.
    """
    project = identity.project_id
    with taken_back_on_failure(connection):
        mending = Mending(connection, identity)
        rows, head = mending.open([(one.entity, one.entity_id) for one in known])
        logged = log.lines(log.send_lines(connection, project, [one.entity_id for one in known]))
        lacking = [
            one
            for one in sorted(known, key=lambda one: (one.line.at, one.line.version))
            if _can_be_logged(one)
            and not any(says_the_same(one.line, line) for line in logged.get((one.entity, one.entity_id), ()))
        ]
        gaps, filled = _found(connection, project)
        free = [_Place(seq, tag) for first, last, tag in gaps for seq in range(first, min(last, first + FILLED_MAX) + 1)]
        missing = free[:FILLED_MAX]
        places = sorted([*missing, *filled])[: len(lacking)]
        put = [_line(place, one) for place, one in zip(places, lacking, strict=False)]
        taken = set(places)
        put += [_nothing(place) for place in missing if place not in taken]
        connection.execute(_EMPTY, {"project": project, "seqs": [place.seq for place in places]})
        connection.execute(_PUT, {"project": project, "lines": _encode(put).decode()})
        back = dict.fromkeys((one.entity, one.entity_id) for one in lacking[: len(places)])
        mending.log_anew(head, [(key, row) for key, row in rows.items() if key in back])
    return len(places)


def _found(connection: Connection, project_id: str) -> tuple[list[Any], list[_Place]]:
    asked = {"project": project_id}
    gaps: list[Any] = connection.execute(_GAPS, asked).fetchall()
    filled: list[Any] = connection.execute(_FILLED, asked).fetchall()
    return gaps, [_Place(*place) for place in filled]


def _can_be_logged(one: Held) -> bool:
    line = one.line
    row = HistoryRow(1, one.entity, one.entity_id, line.version, line.by, line.at, line.outcome, line.fields, None, None)
    return not sieve.history([row])[1]


def _line(place: _Place, one: Held) -> dict[str, Any]:
    line = one.line
    return {
        **place._asdict(), "entity": one.entity, "entity_id": one.entity_id, "version": line.version, "by": line.by,
        "at": line.at, "outcome": line.outcome, "fields": msgspec.Raw(line.fields.encode()),
    }  # fmt: skip


def _nothing(place: _Place) -> dict[str, Any]:
    at = timestamps.now()
    return {
        **place._asdict(), "entity": CONFLICT, "entity_id": _NOBODY, "version": 1, "by": GIVEN_UP_BY, "at": at,
        "outcome": "lost", "fields": {},
    }  # fmt: skip
