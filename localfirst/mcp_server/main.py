"""`localfirst mcp`: the MCP server of the current directory's project."""

from __future__ import annotations

import gc
import os
from typing import NoReturn

from localfirst.mcp_server.ending import leave_at_signals


def main() -> NoReturn:
    """Serves until the client hangs up; does not return."""
    leave_at_signals()
    gc.disable()  # nothing that is imported is garbage; `run` turns it on again
    from localfirst_schema.errors import LocalfirstError

    from localfirst import settings
    from localfirst.client.opening import open_session
    from localfirst.client.session import Session
    from localfirst.client.without_replica import SessionWithoutReplica
    from localfirst.code_index.worker import keeper
    from localfirst.log import log_to_file
    from localfirst.mcp_server.process import run
    from localfirst.mcp_server.roots import Roots
    from localfirst.mcp_server.tool_choice import chosen
    from localfirst.operations import archiving_schedule
    from localfirst.operations.registry import OPERATIONS

    # Whoever has named the directory is not contradicted by the client.
    roots = None if os.environ.get("LOCALFIRST_ROOT") else Roots()
    early: settings.Settings | None = None
    operations = OPERATIONS
    try:
        early = settings.load()
        operations = chosen(OPERATIONS, early.tools)
    except LocalfirstError:
        early = None  # each call says what is wrong, until it is mended

    def opened() -> Session | SessionWithoutReplica[Session]:
        nonlocal early
        directory = None if roots is None else roots.directory
        present = settings.load(directory) if early is None or directory is not None else early
        early = None
        chosen(OPERATIONS, present.tools)
        session = open_session(present)
        try:
            session.services.close_with(keeper.keep(session.settings).stop)
            schedule = archiving_schedule.keep(session.settings, lambda: None if session.link is None else session.link.wake())
            session.services.close_with(schedule.stop)
        except BaseException:
            session.close()
            raise
        return session

    log_to_file()
    run(opened, operations, blocking=frozenset(operation.name for operation in operations if operation.blocks), roots=roots)
