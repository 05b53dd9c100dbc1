"""The doctor's round: settings, replica, server, synchronisation, log. Nothing is repaired and nothing created.

A replica that is missing or broken is reported and not opened in the usual way, since that would begin a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localfirst_schema import timestamps
from localfirst_schema.errors import LocalfirstError, UnavailableError

from localfirst import settings
from localfirst.cli import name_check, replica_check, rights_check, stray_replicas
from localfirst.cli.finding import Finding
from localfirst.client.session import Session
from localfirst.log import log_path, wrong_level
from localfirst.operations.registry import BY_NAME
from localfirst.replica import access
from localfirst.settings import Settings, file
from localfirst.settings.untrusted import words_of_untrusted

PATIENCE_S = 3.3
"""How long the doctor waits for a round of synchronisation: a connection that is refused or frozen says so by then."""

MOVING_S = 20.0
"""How long it waits for one that moves: on a long line, or with much to send."""

STUCK_S = 60.0
"""A change that has waited for so long while the server answers is stuck."""

_OLDEST_WAITING = """
    SELECT h.entity, h.entity_id, h.at FROM outbox AS o CROSS JOIN history AS h USING (history_id)
    ORDER BY o.history_id LIMIT 1
"""


def findings() -> Iterator[Finding]:
    """Every finding, as soon as it is known."""
    try:
        loaded = settings.load()
    except LocalfirstError as error:
        yield Finding("settings", "broken", error.message)
        return
    yield from _settings(loaded)
    replica = list(replica_check.findings(loaded.replica))
    yield from replica
    if loaded.replica.exists() and all(finding.level != "broken" for finding in replica):
        yield from _session(loaded)
    elif loaded.has_server:
        yield Finding("server", "warning", "not asked, since there is no replica to ask for")
    yield from stray_replicas.findings(loaded)
    yield Finding("log", "ok", str(log_path()))


def _settings(loaded: Settings) -> Iterator[Finding]:
    if loaded.project is not None:
        yield Finding("project", "ok", f"{loaded.project} in {loaded.root}")
    elif loaded.has_server:
        words = (
            f"{loaded.root} has no name, so nothing is sent to the server; run `localfirst init --project NAME`, or set"
            " LOCALFIRST_PROJECT to the name that all who work on it share"
        )
        yield Finding("project", "broken", words)
    else:
        yield Finding("project", "ok", f"local, without a name, in {loaded.root}")
    if (untrusted := words_of_untrusted(loaded)) is not None:
        yield Finding("settings", "warning", untrusted)
    if (wrong := wrong_level()) is not None:
        yield Finding("settings", "warning", wrong)
    for path in (loaded.root / settings.FILE_NAME, settings.own_file()):
        if (mode := _open_to_others(path)) is not None and (secret := _secret_in(path, loaded.root)) is not None:
            yield Finding("settings", "warning", f"{path} holds {secret} and others can read it ({mode}); chmod 600 it")


def _secret_in(path: Path, root: Path) -> str | None:
    """What a settings file holds that others should not read."""
    found = file.read(path, within=root if path.parent == root else None)
    values = {} if found is None else found.values
    if "database_url" in values:
        return "the server's address"
    return next((f"a token ({name})" for name in file.SECRETS if name in values), None)


def _open_to_others(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return None
    return f"mode {mode:03o}" if mode & 0o044 else None


def _session(loaded: Settings) -> Iterator[Finding]:
    try:
        session = Session(loaded)
    except LocalfirstError as error:
        yield Finding("replica", "broken", error.message)
        return
    try:
        if session.link is not None:
            session.link.sync(PATIENCE_S, while_moving_s=MOVING_S)  # what it ends with, well or not, is in the status
        status = BY_NAME["sync_status"]
        state = status.run(session, status.arguments())
        yield _server(state["server"], is_online=state["online"], problem=state["last_error"])
        if loaded.database_url is not None and not (session.link is not None and session.link.is_silent()):
            yield from _of_the_server(loaded.database_url)
        if state["server"] is not None:
            yield _unsent(session, state["pending_mutations"], is_online=state["online"], problem=state["last_error"])
            if "read_only" in state["warnings"] and access.noted(session.replica) == "standby":
                yield Finding("server", "warning", "only a standby answers: it is read from, and what is written here waits")
        if state["last_takeover"] is not None:
            yield Finding("sync", "warning", f"{state['last_takeover']} Let that process go on (fg), or end it")
        if state["last_recovery"] is not None:
            yield Finding("recovery", "ok", state["last_recovery"])
        yield _conflicts(state["open_conflicts"])
        if state["set_aside"]["count"]:
            yield _set_aside(state["set_aside"])
    finally:
        session.close()


def _of_the_server(database_url: str) -> Iterator[Finding]:
    """What one connection is enough to see. Nothing where the server cannot be asked: that is another finding."""
    from localfirst_sync.postgres.connection import close_quietly, connect

    try:
        connection = connect(database_url)
    except UnavailableError:
        return
    try:
        yield from rights_check.findings(connection)
        yield from name_check.findings(connection)
    finally:
        close_quietly(connection)


def _server(server: str | None, *, is_online: bool, problem: str | None) -> Finding:
    if server is None:
        return Finding("server", "ok", "none is configured: the project stays on this machine")
    if is_online:
        return Finding("server", "ok", f"{server} answers")
    return Finding("server", "broken", f"{server} cannot be used: {problem or 'it does not answer'}")


def _unsent(session: Session, number: int, *, is_online: bool, problem: str | None) -> Finding:
    """What waits to be sent; the oldest of it by name, when the server answers and does not take it."""
    waiting = session.replica.execute(_OLDEST_WAITING).fetchone()
    if not number or waiting is None:
        return Finding("sync", "ok", "every change is on the server")
    if access.noted(session.replica) == "read":
        changes = f"{number} changes wait" if number > 1 else "1 change waits"
        words = f"{changes} that this user may not send; with the right to write they go out by themselves, and"
        return Finding("sync", "warning", f"{words} `localfirst sync --drop-unsent` writes them to a file and gives them up")
    changes = f"{number} changes are" if number > 1 else "1 change is"
    if not is_online:
        return Finding("sync", "warning", f"{changes} kept here until the server answers")
    entity, row_id, at = waiting
    if (datetime.now(UTC) - timestamps.parse(at)).total_seconds() < STUCK_S:
        return Finding("sync", "ok", f"{changes} on the way")
    why = problem or "the server gives no reason; `localfirst sync` tries at once, the log has the details"
    words = f"{changes} waiting although the server answers; the first is of {entity} {row_id}, made at {at}: {why}"
    return Finding("sync", "broken", words)


def _set_aside(reported: dict[str, Any]) -> Finding:
    """What the server has and could not be taken here."""
    named = "; ".join(f"{one['table']} {one['id']}: {one['reason']}" for one in reported["first"])
    more = f" and {reported['count'] - len(reported['first'])} more" if reported["count"] > len(reported["first"]) else ""
    words = f"{reported['count']} set aside, since this program cannot take them ({named}{more}); everything else goes on."
    return Finding("set aside", "warning", f"{words} Mend them in PostgreSQL, or upgrade localfirst")


def _conflicts(number: int) -> Finding:
    if not number:
        return Finding("conflicts", "ok", "none is open")
    return Finding("conflicts", "warning", f"{number} open; `localfirst conflicts list` shows them")
