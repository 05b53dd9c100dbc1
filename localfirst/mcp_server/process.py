"""The life of the server's process: a quick start, one client, a clean and certain end.

The process ends with exit status 0 when its client closes the pipe, and on SIGTERM or SIGINT. It is gone within seconds
whatever hangs (`localfirst.mcp_server.ending`), and threads are not waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from localfirst.mcp_server.ending import Ending

if TYPE_CHECKING:
    from localfirst.mcp_server.one_session import ToolSession
    from localfirst.mcp_server.roots import Roots
    from localfirst.operations.operation import Operation

CANCEL_AFTER_S = 1.5
"""How long after a signal the serving may take to end by itself, as it does when the client ends."""

_log = logging.getLogger("localfirst")


def run(
    session_factory: Callable[[], ToolSession],
    operations: Iterable[Operation],
    *,
    blocking: frozenset[str] = frozenset(),
    roots: Roots | None = None,
) -> NoReturn:
    """Serve the client on standard input and output, then leave the process: nothing after this call is run.

    `session_factory`, `operations`, `blocking` and `roots` are those of `localfirst.mcp_server.server.serve`.
    """
    status = 1
    ending: Ending | None = None
    try:
        # Importing the SDK makes some hundred thousand objects that live as long as the process: collecting among them
        # costs a tenth of the start, and later a pause in the middle of an answer.
        gc.disable()
        from localfirst.mcp_server.server import serve

        gc.freeze()
        gc.enable()
        ending = Ending()
        asyncio.run(_until_signalled(ending, partial(serve, session_factory, operations, blocking=blocking, roots=roots)))
        status = 0
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is logged and ends the process
        if ending is not None and ending.signalled:
            # What was under way was broken off: that is what was asked for.
            status = 0
            _log.debug("the MCP server was ended by a signal", exc_info=error)
        else:
            _log.exception("the MCP server ended with an error")
    finally:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        # Not `sys.exit`, which waits for every thread, also for one that hangs.
        os._exit(status)


async def _until_signalled(ending: Ending, serve: Callable[..., Coroutine[Any, Any, None]]) -> None:
    """Serve until the client's end; SIGTERM and SIGINT end the input as the client does."""
    loop = asyncio.get_running_loop()
    signalled = asyncio.Event()

    def end() -> None:
        signalled.set()
        loop.call_later(CANCEL_AFTER_S, task.cancel)

    task = asyncio.ensure_future(serve(until=signalled))
    ending.call(lambda: loop.call_soon_threadsafe(end))
    with contextlib.suppress(asyncio.CancelledError):
        await task
