"""Which server is taken for the one that a replica reconciles with: the table of `localfirst_sync.known_server`."""

from __future__ import annotations

import pytest
from localfirst_sync.known_server import Found, Known, recognise
from localfirst_sync.ports import BEGINNING, Cursor

HERE, ELSEWHERE = "db:5432/team", "staging:5432/team"
KNOWN = Known("ours", "cluster", frozenset({HERE}))
SEEN = Cursor(7, 99)


def found(**facts: object) -> Found:
    usual: dict[str, object] = {"address": HERE, "id": "ours", "system_identifier": "cluster"}
    usual |= {"is_later": False, "is_empty": False, "holds_seen": False}
    return Found(**(usual | facts))  # type: ignore[arg-type]  # a Found's own fields


@pytest.mark.parametrize(
    ("known", "seen", "facts", "recognition"),
    [
        (None, SEEN, {"id": "theirs"}, "same"),
        (KNOWN, BEGINNING, {"id": "theirs", "address": ELSEWHERE}, "same"),
        (KNOWN, SEEN, {"holds_seen": True, "address": ELSEWHERE}, "same"),
        (KNOWN, SEEN, {"holds_seen": True, "address": ELSEWHERE, "id": None}, "unnamed"),
        (KNOWN, SEEN, {}, "same"),
        (KNOWN, SEEN, {"id": "theirs", "is_empty": True}, "unnamed"),
        (KNOWN, SEEN, {"id": None}, "unnamed"),
        (KNOWN, SEEN, {"id": "theirs", "is_later": True}, "same"),
        (KNOWN, SEEN, {"id": "theirs", "is_later": True, "system_identifier": None}, "another"),
        (KNOWN, SEEN, {"id": "theirs"}, "another"),
        (KNOWN, SEEN, {"address": ELSEWHERE}, "another"),
        (KNOWN, SEEN, {"address": ELSEWHERE, "id": "theirs", "is_empty": True}, "another"),
    ],
)
def test_the_table(known: Known | None, seen: Cursor, facts: dict[str, object], recognition: str) -> None:
    assert recognise(known, seen, found(**facts)) == recognition
