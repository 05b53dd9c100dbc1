"""Forgetting a repository's index. For people alone: no tool of an agent's takes an index away."""

from __future__ import annotations

import glob
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import apsw
from localfirst_schema.arguments import ForgetIndex
from localfirst_schema.errors import InvalidStateError, LocalfirstError, NotFoundError, UnavailableError, ValidationError
from localfirst_schema.results import IndexForgotten

from localfirst.client.follow_up import tried
from localfirst.client.ports import Reader
from localfirst.code_index.file_name import as_text
from localfirst.code_index.jobs import table
from localfirst.code_index.jobs.target import known_root
from localfirst.code_index.shared.key import is_own
from localfirst.code_index.store import forgetting
from localfirst.code_index.store.transaction import writing
from localfirst.operations.operation import Operation
from localfirst.replica.connection import connect

logger = logging.getLogger("localfirst.index")

_REPOSITORIES = "SELECT repository_id, root, name, shared_key FROM code_repositories ORDER BY root"
_KNOWN_BY = "SELECT count(*) FROM code_repositories WHERE shared_key = ?"
_REPLICA_ID = "SELECT replica_id FROM replica"

OnServer = Literal["none", "removed", "kept", "unreachable"]


def forget_index(session: Reader, arguments: ForgetIndex) -> dict[str, Any]:
    """Takes one repository out of the index, with its jobs. Raises NotFoundError, InvalidStateError while a job is at it."""
    if not session.settings.replica.exists():
        raise UnavailableError("the replica's file is not in its place at the moment; try again.", cause="replica")
    connection = connect(session.settings.replica)
    try:
        repository_id, root, name, key = _named(connection, arguments.repository)
        _refuse_while_indexed(connection, root)
        on_server = _withdraw(session, connection, key)
        done = forgetting.forget(connection, repository_id, lambda: _refuse_while_indexed(connection, root))
        with writing(connection):
            jobs = table.forget(connection, root)
        warnings: list[str] = []  # it is forgotten by now, whatever becomes of the copies of the vectors
        tried(lambda: _remove_vector_files(connection, session.settings.replica), None, warnings)
    finally:
        connection.close()
    return {
        "success": True,
        "warnings": warnings,
        "repo_path": root,
        "name": name,
        "files_removed": done.files,
        "chunks_removed": done.chunks,
        "jobs_removed": jobs,
        "on_server": on_server,
    }


def _named(connection: apsw.Connection, given: str) -> tuple[int, str, str, str | None]:
    """The repository of this path or name. Raises NotFoundError, ValidationError for a name that several have."""
    rows: Iterable[Any] = connection.execute(_REPOSITORIES).fetchall()
    known: list[tuple[int, str, str, str | None]] = [tuple(row) for row in rows]
    if Path(given).is_absolute():
        found = [one for one in known if one[1] in (given, as_text(known_root(given)))]
    else:
        found = [one for one in known if one[2] == given]
    if len(found) > 1:
        raise ValidationError(
            "repository",
            "must be one repository's",
            f"{given} is the name of several repositories: give the path of the one you mean, {_either(found)}.",
        )
    if not found:
        there = f"; indexed are {_either(known)}" if known else "; nothing is indexed"
        raise NotFoundError(f"no index of {given} is here{there}.", entity="repository", name=given)
    return found[0]


def _either(repositories: list[tuple[int, str, str, str | None]]) -> str:
    return ", ".join(f"{name} ({root})" for _, root, name, _ in repositories)


def _refuse_while_indexed(connection: apsw.Connection, root: str) -> None:
    job = table.active_of(connection, root)
    if job is not None:
        raise InvalidStateError(
            f"the job {job.job_id} is {job.status.value} and indexes {root}: cancel it first, or wait for its end.",
            job_id=job.job_id,
            status=job.status.value,
        )


def _withdraw(session: Reader, connection: apsw.Connection, key: str | None) -> OnServer:
    """Takes this replica's claim back: a tree that it alone has published. One with a git remote is the team's.

    Work trees of one repository have one name there, which goes with the last of them.
    """
    from localfirst.code_index.shared.server import shared_index

    if key is None or (shared := shared_index(session.settings, session.replica)) is None:
        return "none"
    if not is_own(key, str(session.replica.execute(_REPLICA_ID).get)):
        return "kept"
    if int(connection.execute(_KNOWN_BY, (key,)).get) > 1:
        return "kept"
    if session.link is None or not session.link.is_online():
        return "unreachable"
    try:
        with shared:
            shared.withdraw(key)
    except LocalfirstError as error:
        logger.warning("%s stays on the team's server: %s", key, error.message)
        return "unreachable"
    return "removed"


def _remove_vector_files(connection: apsw.Connection, replica: Path) -> None:
    """The copies of the vectors that searches map: made anew by the next search, without what was forgotten."""
    is_last = not connection.execute("SELECT EXISTS (SELECT 1 FROM code_models)").get
    for file in replica.parent.glob(f"{glob.escape(replica.name)}-vectors-*"):
        if is_last or not file.name.endswith(".lock"):  # the lock of a model that stays may be held
            file.unlink(missing_ok=True)


OPERATIONS = (
    Operation(
        "forget_index",
        "Forget a repository's index",
        "Takes a repository out of the code index. Its files are not touched.",
        ForgetIndex,
        IndexForgotten,
        forget_index,
        "destroy",
    ),
)
