"""What an agent needs to know when it begins: what it holds, what others do, what is ready, and what happened meanwhile."""

from __future__ import annotations

import json
from typing import Any

from localfirst_schema.arguments import Prime
from localfirst_schema.results import Primed
from localfirst_schema.wire import decode_json

from localfirst.client.ports import Reader
from localfirst.client.session import Session
from localfirst.client.where import place
from localfirst.operations.operation import Operation
from localfirst.operations.readiness import ready
from localfirst.replica import outbox, sessions
from localfirst.replica.refs import displayed_refs

READY_MAX, CHANGES_MAX, OTHERS_MAX = 10, 20, 20
CUT_FIRST = ("changes", "others", "ready", "lost_claims", "claims")
"""The lists in the order in which they are cut to what there is room for; of each the end goes first."""

_HELD = """
    SELECT w.id, w.title, c.claimed_by, c.claimed_until FROM work_item_claims AS c JOIN work_items AS w ON w.id = c.work_item_id
    WHERE c.claimed_by IS NOT NULL AND c.deleted_at IS NULL AND c.claimed_until > ?
        AND w.deleted_at IS NULL AND w.status <> 'completed'
    ORDER BY c.claimed_until
"""
_LOST = """
    SELECT w.id, w.title, json_extract(h.fields, '$.claimed_by.new'), h.at FROM history AS h
    JOIN work_item_claims AS c ON c.id = h.entity_id JOIN work_items AS w ON w.id = c.work_item_id
    WHERE h.entity = 'work_item_claim' AND h.outcome = 'lost' AND coalesce(h.reached_at, h.at) >= ?
    ORDER BY h.history_id DESC
"""
_CHANGES = """
    SELECT w.id, w.title, h.entity, h.version, h.fields, h.by, h.at FROM history AS h
    LEFT JOIN work_item_comments AS c ON h.entity = 'work_item_comment' AND c.id = h.entity_id
    JOIN work_items AS w ON w.id = coalesce(c.work_item_id, h.entity_id)
    WHERE h.entity IN ('work_item', 'work_item_comment') AND h.outcome <> 'lost' AND coalesce(h.reached_at, h.at) >= ?
    ORDER BY h.history_id DESC
"""


def prime(session: Reader, arguments: Prime) -> dict[str, Any]:
    """What there is to know at the beginning of a session, in no more than so many characters."""
    session.end_snapshot()  # that this session has begun is written down
    away_since = session.away_since() if isinstance(session, Session) else None
    source = session.read()
    now, mine = session.server_now(), session.claimants()
    since = arguments.since or away_since
    left_behind = _left_behind(session)
    held = [
        (dict(zip(("id", "title", "claimed_by", "claimed_until"), row, strict=True)))
        for row in session.replica.execute(_HELD, (now,))
    ]
    rows, ready_count = ready(session.replica, limit=READY_MAX, holders=(), now=now)
    changes = [] if since is None else _changes(session, since)
    content: dict[str, Any] = {
        **place(session.settings, session.replica),
        "online": session.link is not None and session.link.is_online(),
        "claims": [
            one | ({"gone": True} if one["claimed_by"] in left_behind else {})
            for one in held
            if one["claimed_by"] in mine or one["claimed_by"] in left_behind
        ],
        "lost_claims": _lost(session, arguments.since or _last_began(session), mine | left_behind),
        "others": [
            {"claimed_by": one["claimed_by"], "id": one["id"], "title": one["title"]}
            for one in held
            if one["claimed_by"] not in mine and one["claimed_by"] not in left_behind
        ][:OTHERS_MAX],
        "ready": [_ready_row(row) for row in rows],
        "ready_count": ready_count,
        "changes": changes[:CHANGES_MAX],
        "changes_count": len(changes),
        "conflicts": session.replica.execute("SELECT count(*) FROM conflicts WHERE resolved_at IS NULL").get,
        "pending_mutations": outbox.count(session.replica),
        "index": _index(session),
    }
    _with_refs(session, content)
    return cut(content | source, arguments.max_chars)


def _left_behind(session: Reader) -> set[str]:
    who = session.who()
    if who is None or not isinstance(session, Session):
        return set()
    return sessions.gone(session.replica, who, session.claimant())


def _last_began(session: Reader) -> str:
    """Since when a lost claim may not have been said yet: it may have been lost while the last session was at work."""
    who = session.who()
    if who is None or not isinstance(session, Session):
        return ""
    return sessions.latest_began(session.replica, who, session.claimant()) or ""


def _lost(session: Reader, since: str, mine: set[str]) -> list[dict[str, Any]]:
    found = session.replica.execute(_LOST, (since,))
    return [{"id": row_id, "title": title, "claimed_by": by, "at": at} for row_id, title, by, at in found if by in mine]


def _changes(session: Reader, since: str) -> list[dict[str, Any]]:
    """The newest change of each item, of others and of earlier sessions."""
    changes: dict[Any, dict[str, Any]] = {}
    for row_id, title, entity, version, fields, by, at in session.replica.execute(_CHANGES, (since,)):
        if row_id not in changes:
            changes[row_id] = {
                "id": row_id,
                "title": title,
                "what": _what(str(entity), int(str(version)), str(fields)),
                "by": by,
                "at": at,
            }
    return list(changes.values())


def _what(entity: str, version: int, text: str) -> str:
    """What a change did, in a word or the names of its fields."""
    if entity == "work_item_comment":
        return "comment"
    fields = decode_json(text)
    if version == 1 or "item_type" in fields:
        return "created"
    if "deleted_at" in fields:
        return "undeleted" if fields["deleted_at"].get("new") is None else "deleted"
    if fields.get("status", {}).get("new") == "completed":
        return "completed"
    return ", ".join(sorted(fields)) or "nothing"


def _ready_row(row: dict[str, Any]) -> dict[str, Any]:
    content = decode_json(row["metadata"])
    more = {name: content[name] for name in ("priority", "due_on") if isinstance(content, dict) and name in content}
    return {"id": row["id"], "title": row["title"], **more}


def _index(session: Reader) -> dict[str, Any]:
    """How much of the code can be searched; what has changed since is known to a search that watches."""
    if not session.has_index():
        return {"coverage": 0.0, "behind_files": None}
    from localfirst.code_index.search.coverage import coverage

    return {"coverage": coverage(session.replica, None), "behind_files": None}


def _with_refs(session: Reader, content: dict[str, Any]) -> None:
    """Refs in the place of ids: they are what an agent goes on with."""
    rows = [row for name in CUT_FIRST for row in content[name]]
    refs = dict(zip([row["id"] for row in rows], displayed_refs(session.replica, [row["id"] for row in rows]), strict=True))
    for name in CUT_FIRST:
        content[name] = [{"ref": refs[row["id"]]} | {k: v for k, v in row.items() if k != "id"} for row in content[name]]


def cut(content: dict[str, Any], max_chars: int) -> dict[str, Any]:
    """The same in at most so many characters of JSON, as far as shorter lists can make it so; counts stay."""
    over = _length(content) - max_chars
    for name in CUT_FIRST:
        rows = content[name]
        while over > 0 and rows:
            over -= _length(rows.pop()) + 1
    return content


def _length(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


OPERATIONS = (
    Operation(
        "prime",
        "What to know at the beginning",
        "Call it first: what you hold, what others do, what is ready, what changed since your last session.",
        Prime,
        Primed,
        prime,
        "read",
        idempotent=True,
        groups=("core", "items"),
        command="prime",
        of_replica_alone=True,
    ),
)
