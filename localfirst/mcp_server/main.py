"""`localfirst mcp`: the MCP server of the current directory's project."""

from __future__ import annotations

import gc
from typing import NoReturn


def main() -> NoReturn:
    """Serves until the client hangs up; does not return."""
    gc.disable()  # nothing that is imported is garbage; `run` turns it on again
    from localfirst import settings
    from localfirst.log import log_to_file
    from localfirst.mcp_server.process import run
    from localfirst.operations.registry import BLOCKING, OPERATIONS
    from localfirst.reading.without_replica import open_session

    log_to_file()
    run(lambda: open_session(settings.load()), OPERATIONS, blocking=BLOCKING)
