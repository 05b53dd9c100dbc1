"""The calls that the program makes after the commit of a write, counted as they happen; one of them is made to fail.

They are found by Python's profiler, so that a step that somebody adds is among them without being named here: each function of
the program's own that is called, and each function written in C that one of those calls. The commit is seen by SQLite's hook.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import apsw
import localfirst_schema
import localfirst_sync

import localfirst

LOCKS = (type(threading.Lock()), type(threading.RLock()))
LETS_GO = frozenset({"__exit__", "release"})
"""What is called to let go of a lock cannot fail: were it made to, nobody would ever have that lock again."""

OURS = tuple(str(Path(str(module.__file__)).parent) for module in (localfirst, localfirst_schema, localfirst_sync))


class Steps:
    """Counts the steps of this thread's next write, and makes one fail.

    Attributes:
        made: the steps that were made since the commit, each by the name of what was called.
        failed: the one that was made to fail.
    """

    def __init__(self, fail_at: int | None = None, failure: Callable[[], Exception] = RuntimeError) -> None:
        self.made: list[str] = []
        self.failed: str | None = None
        self._fail_at = fail_at
        self._failure = failure
        self._is_committing = self._is_committed = False
        self._thread = threading.get_ident()

    def watch(self, connection: apsw.Connection) -> None:
        """Learns of the commits of a connection."""
        connection.set_commit_hook(self._commits)

    def _commits(self) -> bool:
        if threading.get_ident() == self._thread:
            self._is_committing = True
        return False

    def __enter__(self) -> Steps:
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def stop(self) -> None:
        """The answer is on its way: nothing that is called from now on is a step."""
        self._is_committed = False

    def _event(self, frame: FrameType, event: str, argument: Any) -> None:
        if not self._is_committed:
            # The hook is called within the statement that commits: what happens next outside of it, happens after.
            if self._is_committing and frame.f_code.co_filename != __file__:
                self._is_committing, self._is_committed = False, True
            return
        if not frame.f_code.co_filename.startswith(OURS):
            return
        if event == "call":
            self._step(f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_qualname}")
        elif event == "c_call" and not self._lets_go_of_a_lock(argument):
            self._step(f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_qualname} → {argument.__name__}")

    def _lets_go_of_a_lock(self, called: Any) -> bool:
        return called.__name__ in LETS_GO and isinstance(getattr(called, "__self__", None), LOCKS)

    def _step(self, name: str) -> None:
        number = len(self.made)
        self.made.append(name)
        if number == self._fail_at:
            self.failed = name
            raise self._failure()
