"""An MCP server of a few small operations whose end watch fails: run as a program.

    python -m supervision.ended FOLDER LIMIT_S [THREAD MODULE NAME FAILURE]

Writes the functions that threads of the program's call to FOLDER/called, a line each; and FOLDER/raised once the named one has
failed, at its first call, with the FAILURE-th of `FAILURES`. The end comes within LIMIT_S.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mcp_server import served

from localfirst.mcp_server import ending
from localfirst.mcp_server.process import run
from supervision.failing import FAILURES, Calls, Failing, Function


class Noted(Calls):
    """Writes each function down when it is called first: the process ends without a word."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def note(self, function: Function) -> None:
        super().note(function)
        if self.made[function] == 1:
            with self._path.open("a") as file:
                file.write("\t".join(function) + "\n")


def main(folder: Path, limit_s: float, function: Function | None, failure: int) -> None:
    """Serves one client, and leaves the process."""
    ending.END_LIMIT_S = limit_s
    watching: Calls = Noted(folder / "called")
    if function is not None:
        watching = Failing(function, 1, FAILURES[failure], on_raise=(folder / "raised").touch)
    with watching:
        run(served.Session, served.OPERATIONS, blocking=frozenset({"wait_in_thread", "hang_in_thread"}))


if __name__ == "__main__":
    _, there, limit, *rest = sys.argv
    main(Path(there), float(limit), Function(*rest[:3]) if rest else None, int(rest[3]) if rest else 0)
