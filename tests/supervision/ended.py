"""An MCP server of a few small operations whose end watch fails: run as a program.

    python -m supervision.ended FOLDER LIMIT_S [THREAD MODULE NAME FAILURE]

Writes the functions that threads of the program's call to FOLDER/called, a line each; and FOLDER/raised once the named one has
failed, at its first call, with the FAILURE-th of `FAILURES`. The end comes within LIMIT_S.

A process that nothing holds up leaves at once, maybe before a thread beside has come to what it does or says. So the main
thread leaves when that is done: the list is whole, and what has failed is said.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from mcp_server import served

from localfirst.mcp_server import ending
from localfirst.mcp_server.process import run
from supervision.failing import FAILURES, Calls, Failing, Function, Reported

PATIENCE_S = 5.0
"""The main thread waits no longer than that for the others; what is missing then is the test's to find."""


class Noted(Calls):
    """Writes each function down when it is called first: the process ends without a word.

    Attributes:
        is_whole: set once the limit runs, which is the last thing that begins.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.is_whole = threading.Event()

    def note(self, function: Function) -> None:
        super().note(function)
        if self.made[function] == 1:
            with self._path.open("a") as file:
                file.write("\t".join(function) + "\n")
            if function.thread == "localfirst-end-limit":
                self.is_whole.set()


def after(is_done: Callable[[], bool]) -> Callable[[], None]:
    """What shuts the log down, once the threads beside have done what they do."""
    shut_down = logging.shutdown

    def wait_and_shut_down() -> None:
        until = time.monotonic() + PATIENCE_S
        while not is_done() and time.monotonic() < until:
            time.sleep(0.01)
        shut_down()

    return wait_and_shut_down


def main(folder: Path, limit_s: float, function: Function | None, failure: int) -> None:
    """Serves one client, and leaves the process."""
    ending.END_LIMIT_S = limit_s
    reported = Reported()
    for handler in (logging.StreamHandler(), reported):  # in this order: what is reported stands on standard error
        logging.getLogger().addHandler(handler)
    watching: Calls
    if function is None:
        watching = noted = Noted(folder / "called")
        leaving = after(noted.is_whole.is_set)
    else:
        watching = failing = Failing(function, 1, FAILURES[failure], on_raise=(folder / "raised").touch)
        leaving = after(lambda: bool(reported.words_of(failing.failure)))
    # The last thing that the main thread does before it leaves.
    with watching, patch.object(logging, "shutdown", leaving):
        run(served.Session, served.OPERATIONS, blocking=frozenset({"wait_in_thread", "hang_in_thread"}))


if __name__ == "__main__":
    _, there, limit, *rest = sys.argv
    main(Path(there), float(limit), Function(*rest[:3]) if rest else None, int(rest[3]) if rest else 0)
