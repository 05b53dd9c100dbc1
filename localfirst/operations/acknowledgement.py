"""A write that is on the disk is acknowledged: whatever fails after its commit is a warning and a line of the log, no error.

Who is informed of an error repeats the call, and doubles what was written. So the content of an answer is made before the
commit, where a failure takes the whole act back (`Act.answer`). What follows the commit (news of the server, the status file,
the answer's common fields) is tried step by step; where even the building of the answer fails, `acknowledged` answers with what
the act has written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw

from localfirst.client.follow_up import FOLLOW_UP_FAILED, note
from localfirst.client.session import Session
from localfirst.operations.present import present
from localfirst.replica.act import Act
from localfirst.replica.connection import ReplicaUnreadableError


def acknowledged(session: Session, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer of `work`; if that fails after its act was committed, the answer that the act has prepared.

    Raises what `work` raises where nothing was committed, or where the server has decided against it (`Session.verdict`), and
    where the replica turned out to be damaged and the act is not among what could be saved.
    """
    before = session.acts
    try:
        return work()
    except Exception as error:
        act = session.committed if session.acts != before else None
        answer = _prepared(act) if act is not None else None
        if act is None or answer is None or (isinstance(error, ReplicaUnreadableError) and _is_lost(session, act)):
            raise
        note(error)
        common = {"success": True, "warnings": [FOLLOW_UP_FAILED], "wrote_to_cache": True, "wrote_to_markdown": False}
        return common | {"pending_sync": session.link is not None} | answer


def _prepared(act: Act) -> dict[str, Any] | None:
    """What the act says itself, else the first row that it has written; None for one that wrote nothing."""
    if act.answer is not None:
        return act.answer
    return present(*act.rows[0]) if act.rows else None


def _is_lost(session: Session, act: Act) -> bool:
    """Whether a replica that was rebuilt does not have what the act wrote."""
    known = "SELECT EXISTS (SELECT 1 FROM history WHERE entity_id = ? AND version = ?)"
    try:
        return not all(session.replica.execute(known, (row["id"], row["version"])).get for _, row in act.rows)
    except apsw.Error:
        return True
