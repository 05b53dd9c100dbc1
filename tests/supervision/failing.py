"""The program's own functions that are called, found by Python's profiler; and one of them made to raise.

The profiler is that of new threads (`threading.setprofile`), so whatever a thread of the program's calls from then on is seen;
or that of the present thread. A function that somebody adds is among them without being named here.
"""

from __future__ import annotations

import errno
import inspect
import logging
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple, Self

import apsw
import localfirst_schema
import localfirst_sync
import psycopg
from own_threads import OF_THE_PROGRAM

import localfirst

OURS = {str(Path(str(module.__file__)).parent): module.__name__ for module in (localfirst, localfirst_sync, localfirst_schema)}
_OF_ONE_JOB = re.compile("-[0-9a-f]{8}$")
"""What tells the thread of one job from that of another."""

LAST_RESORT = "Supervised._live"
"""What catches everything else; it has nobody above it."""


class Function(NamedTuple):
    """One function, and the kind of thread that calls it."""

    thread: str
    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} of {self.module}, in {self.thread}"


def function_of(code: CodeType) -> Function | None:
    """The function that runs this code in the present thread; None for what is not looked at."""
    if not code.co_flags & inspect.CO_OPTIMIZED:
        return None  # the bodies of modules and classes run once in a process
    thread = _OF_ONE_JOB.sub("", threading.current_thread().name)
    if code.co_qualname == LAST_RESORT or code.co_name == "__del__":
        return None  # what is raised in `__del__` reaches nobody
    for folder, package in OURS.items():
        if code.co_filename.startswith(f"{folder}/"):
            module = code.co_filename.removeprefix(f"{folder}/").removesuffix(".py").replace("/", ".")
            return Function(thread, f"{package}.{module}", code.co_qualname)
    return None


class Calls:
    """Counts the calls of each function within the block: of the program's new threads, or of the present thread."""

    def __init__(self, *, here: bool = False) -> None:
        self.made: Counter[Function] = Counter()
        self._profiler = sys if here else threading
        self._thread = threading.current_thread().name if here else OF_THE_PROGRAM

    def __enter__(self) -> Self:
        self._profiler.setprofile(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        self._profiler.setprofile(None)

    def _event(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or (function := function_of(frame.f_code)) is None:
            return
        if function.thread.startswith(self._thread):
            self.note(function)

    def note(self, function: Function) -> None:
        """It was called."""
        self.made[function] += 1


class Failing(Calls):
    """Makes one call of a function raise, the `number`-th (from 1).

    Attributes:
        raised: set once it has.
        failure: what is raised.
    """

    def __init__(
        self,
        function: Function,
        number: int,
        failure: Callable[[], BaseException],
        *,
        here: bool = False,
        on_raise: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(here=here)
        self._on_raise = on_raise
        self.raised = threading.Event()
        self.failure = failure()
        self._function, self._number = function, number

    def _event(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or frame.f_code.co_qualname != self._function.name or self.raised.is_set():
            return
        if function_of(frame.f_code) == self._function:
            self.made[self._function] += 1
            if self.made[self._function] == self._number:
                self.raised.set()
                self._on_raise()
                raise self.failure


FAILURES: list[Callable[[], BaseException]] = [
    lambda: RuntimeError("nobody foresaw this"),
    MemoryError,
    lambda: SystemExit("a library leaves"),
    lambda: OSError(errno.EIO, "Input/output error"),
    lambda: apsw.BusyError("database is locked"),
    lambda: psycopg.OperationalError("the connection is closed"),
    lambda: KeyError("missing"),
    RecursionError,
]
"""What a function may raise."""


class Reported(logging.Handler):
    """The exceptions in the program's log, each with the words before it."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[tuple[str, BaseException]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and record.exc_info[1] is not None:
            self.errors.append((record.getMessage(), record.exc_info[1]))

    @contextmanager
    def listening(self) -> Iterator[Self]:
        """Takes what the log gets, alone: whoever kept the exceptions longer would keep what their frames hold."""
        logger = logging.getLogger("localfirst")
        logger.addHandler(self)
        before, logger.propagate = logger.propagate, False
        try:
            yield self
        finally:
            logger.propagate = before
            logger.removeHandler(self)

    def words_of(self, failure: BaseException) -> set[str]:
        """What was said of it."""
        return {words for words, error in self.errors if failure in chain(error)}


def chain(error: BaseException | None) -> list[BaseException]:
    """An error with all that led to it."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__]
    return found
