"""The life of the server's process: a quick start, one client, a clean and certain end.

The process ends with exit status 0 when its client closes the pipe, and on SIGTERM or SIGINT. It is gone within seconds
whatever hangs: the time from the client's end to the process's end is limited, and threads are not waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from localfirst.mcp_server.descriptors import STDIN

if TYPE_CHECKING:
    from localfirst.mcp_server.server import ToolSession
    from localfirst.operations.operation import Operation

END_LIMIT_S = 5.0
"""From the client's end, or a signal, to the end of the process: half a second for answers, one for the last push."""

_log = logging.getLogger("localfirst")


def run(
    session_factory: Callable[[], ToolSession],
    operations: Iterable[Operation],
    *,
    blocking: frozenset[str] = frozenset(),
) -> NoReturn:
    """Serve the client on standard input and output, then leave the process: nothing after this call is run.

    `session_factory`, `operations` and `blocking` are those of `localfirst.mcp_server.server.serve`.
    """
    status = 1
    try:
        # Importing the SDK makes some hundred thousand objects that live as long as the process: collecting among them
        # costs a tenth of the start, and later a pause in the middle of an answer.
        gc.disable()
        from localfirst.mcp_server.server import serve

        gc.freeze()
        gc.enable()
        _end_with_client()
        asyncio.run(_until_signalled(serve(session_factory, operations, blocking=blocking)))
        status = 0
    except KeyboardInterrupt:
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is, it is logged and ends the process
        _log.exception("the MCP server ended with an error")
    finally:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        # Not `sys.exit`, which waits for every thread, also for one that hangs.
        os._exit(status)


async def _until_signalled(serving: Coroutine[Any, Any, None]) -> None:
    """Await `serving`; SIGTERM and SIGINT end it as the client's end of file does."""
    task = asyncio.ensure_future(serving)
    loop = asyncio.get_running_loop()

    def end() -> None:
        _end_at_latest_in(END_LIMIT_S)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        # Not on Windows, where the client ends the process itself.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, end)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _end_with_client() -> None:
    """Limit the time from the client's end to the process's end, also while an operation holds the event loop."""
    if not hasattr(select, "poll"):
        return
    watched = os.dup(STDIN)

    def watch() -> None:
        poll = select.poll()
        poll.register(watched, getattr(select, "POLLRDHUP", 0))
        while not poll.poll():
            pass
        _end_at_latest_in(END_LIMIT_S)

    threading.Thread(target=watch, name="localfirst-client-watch", daemon=True).start()


def _end_at_latest_in(seconds: float) -> None:
    timer = threading.Timer(seconds, os._exit, [1])
    timer.daemon = True
    timer.start()
