"""`localfirst mcp`, in which a write fails at a step after its commit: the one that a file names by number.

Usage: failing_server FILE [sdk]. With `sdk` the SDK's own functions are steps too. Without a number in the file nothing fails;
the name of the step that did is appended to FILE.failed. The last step is the one before the answer is written.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import apsw
import mcp
import mcp_types

from after_commit import steps
from after_commit.steps import Steps
from localfirst.mcp_server.main import main

WORKER = "AnyIO worker thread"


class ByNumber(Steps):
    """Begins anew with each commit; an exception of the profiler turns it off, and the next commit on again.

    A tool that waits for something commits in a worker thread, and is answered in the first one.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def _commits(self) -> bool:
        number = self._file.read_text()
        self._fail_at = int(number) if number else None
        self.made.clear()
        self._is_committed = False
        thread = threading.current_thread()
        if thread is threading.main_thread() or thread.name == WORKER:
            self._thread = threading.get_ident()
        sys.setprofile(self._event)
        return super()._commits()

    def _event(self, frame: FrameType, event: str, argument: Any) -> None:
        if frame.f_code.co_qualname.startswith("Answers."):  # the transport's: it is being written
            self.stop()
        super()._event(frame, event, argument)

    def _step(self, name: str) -> None:
        if len(self.made) == self._fail_at:
            with self._file.with_suffix(".failed").open("a") as failed:
                failed.write(f"{name}\n")
        super()._step(name)


if __name__ == "__main__":
    if sys.argv[2:] == ["sdk"]:
        steps.OURS += tuple(str(Path(str(module.__file__)).parent) for module in (mcp, mcp_types))
    apsw.connection_hooks.append(ByNumber(Path(sys.argv[1])).watch)
    main()
