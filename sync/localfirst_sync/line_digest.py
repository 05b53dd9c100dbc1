"""The history of two stores in a few bytes, and line by line where it differs. Counterpart of `digest`, which does it for rows.

Pure. A history has no key that both stores know: a replica keeps no numbers. So the lines of a range are compared as a set in
which a line may stand more than once, whatever their order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from localfirst_schema.json_merge import same
from localfirst_schema.wire import decode_json

from localfirst_sync.digest import PREFIX, jsonb
from localfirst_sync.ports import Line
from localfirst_sync.structure import Key


class Held(NamedTuple):
    """A line as one of the stores holds it; `place` is its key there."""

    place: int
    entity: str
    entity_id: str
    line: Line


class Digests(NamedTuple):
    """Of one range: of all of its lines, and of those that are recent enough to be in every replica."""

    whole: str | None
    recent: str | None


class Parted(NamedTuple):
    """One row of which two histories differ: the lines that stand only here, and only there."""

    entity: str
    id: str
    here: Sequence[Held]
    there: Sequence[Held]


def digests(held: Iterable[Held], since: str) -> dict[str, Digests]:
    """The digests of each range; recent is what was made at `since` or later."""
    found: dict[str, list[tuple[bool, str]]] = {}
    for one in held:
        found.setdefault(one.entity_id[:PREFIX], []).append((one.line.at >= since, _digest(one)))
    return {
        prefix: Digests(_of_all(d for _, d in some), _of_all(d for is_recent, d in some if is_recent))
        for prefix, some in found.items()
    }


def parted(here: Iterable[Held], there: Iterable[Held], since: str) -> list[Parted]:
    """The rows of which the lines differ, by what these say. What is older than `since` may be missing here."""
    mine, theirs = _by_row(here), _by_row(there)
    found = []
    for key in sorted(mine.keys() | theirs.keys()):
        only_there = list(theirs.get(key, ()))
        only_here = []
        for one in mine.get(key, ()):
            twin = next((other for other in only_there if says_the_same(one.line, other.line)), None)
            if twin is None:
                only_here.append(one)
            else:
                only_there.remove(twin)
        only_there = [one for one in only_there if one.line.at >= since]
        if only_here or only_there:
            found.append(Parted(*key, only_here, only_there))
    return found


def says_the_same(one: Line, other: Line) -> bool:
    """Whether two lines of one row are equal."""
    if one[:4] != other[:4]:
        return False
    return one.fields == other.fields or same(decode_json(one.fields), decode_json(other.fields))


def _by_row(held: Iterable[Held]) -> dict[Key, list[Held]]:
    found: dict[Key, list[Held]] = {}
    for one in held:
        found.setdefault((one.entity, one.entity_id), []).append(one)
    return found


def _digest(one: Held) -> str:
    line = one.line
    texts = [one.entity, one.entity_id, str(line.version), line.by, line.at, line.outcome, jsonb(line.fields)]
    return hashlib.sha256(json.dumps(texts, ensure_ascii=False).encode()).hexdigest()


def _of_all(found: Iterable[str]) -> str | None:
    together = "".join(sorted(found))
    return hashlib.sha256(together.encode()).hexdigest() if together else None
