"""The processes that compute, shared by all jobs of a worker.

Each process has a thread here that feeds it: it sends the next request while the one before is computed, so that the process
never waits, and few requests are lost when it dies. Requests of several jobs take turns. Processes are started as the work asks
for them.

A process that dies (no memory, a fault in a grammar) or does not answer in time is replaced. The request it was at ends as
`CrashedError`; what was waiting behind it is computed by another.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import TracebackType
from typing import IO, Any, Generic, NamedTuple, Protocol, TypeVar

from localfirst_schema.errors import UnavailableError
from localfirst_sync.supervised import Supervised

from localfirst.code_index.pipeline.messages import LENGTH_BYTES, Answer, Request, decode_answer, encode

logger = logging.getLogger("localfirst.pipeline")

AHEAD = 2
"""Requests that a process has at a time: the one it computes and the next."""

BACKLOG_PER_PROCESS = 4
"""Another process is started when so many requests wait for those there are."""

ANSWER_TIMEOUT_S = 60.0
"""A request that takes longer hangs; an ordinary one takes 0.1 s."""

START_TIMEOUT_S = 60.0
STARTS = 3
"""So often processes may fail to start in succession, without one of the pool answering in between."""

LOOK_S = 0.2
"""How often a run that waits for answers asks whether it should stop."""

_ENVIRONMENT = {"TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1"}

Tag = TypeVar("Tag")


class CrashedError(Exception):
    """The process that computed this request died, or did not answer in time."""


class PoolUnavailableError(UnavailableError):
    """No computing process can be started: it is not the request's fault."""

    def __init__(self, message: str, *, cause: str = "program", **details: Any) -> None:
        super().__init__(message, cause=cause, **details)

    @property
    def name(self) -> str:
        """Users see it as an `UnavailableError`."""
        return "UnavailableError"


class Claimant(Protocol):
    """The thread of a run."""

    def is_alive(self) -> bool:
        """Whether it is still at work."""


class _Task(NamedTuple):
    frame: bytes
    future: Future[Answer]


class Pool:
    """Processes that compute `Request`s. Usable from several threads; a context manager."""

    def __init__(self, processes: int | None = None) -> None:
        """No process is started yet.

        Args:
            processes: how many at most; None: as many as this process may use processors.
        """
        self.limit = processes or _processors()
        self.claimed: dict[tuple[int, int], Claimant] = {}
        """(model, chunk) that a run of this pool is embedding, and the run's thread; see `vectors`."""
        lock = threading.Lock()
        self.claims_changed = threading.Condition(lock)
        """Runs wait here for one another's claims. Feeders wait elsewhere: a wake-up that is meant for one of them must not be
        taken by a run, which would leave the request lying."""
        self._work = threading.Condition(lock)
        self._failed_starts = 0
        self._waiting: dict[int, deque[_Task]] = {}
        self._feeders: set[_Feeder] = set()
        self._is_closed = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes; whatever they compute is dropped."""
        with self._work:
            self._is_closed = True
            feeders = list(self._feeders)
            self._work.notify_all()
            self.claims_changed.notify_all()
        for feeder in feeders:
            feeder.thread.stop()
            feeder.kill()
        for feeder in feeders:
            feeder.thread.join()

    def pids(self) -> list[int]:
        """The processes there are."""
        with self._work:
            return [feeder.pid for feeder in self._feeders if feeder.pid]

    def submit(self, request: Request, owner: int = 0) -> Future[Answer]:
        """The answer to come; `CrashedError` in its place if its process died. Owners take turns."""
        task = _Task(encode(request), Future())
        with self._work:
            if self._is_closed:
                raise RuntimeError("the pool is closed")
            self._waiting.setdefault(owner, deque()).append(task)
            self._start_if_needed()
            self._work.notify()
        return task.future

    def withdraw(self, owner: int) -> None:
        """Forgets what an owner has not been answered yet, as far as it has not begun."""
        with self._work:
            self._waiting.pop(owner, None)

    def take(self, wait: bool) -> _Task | None:
        """The next request, for a feeder; None when there is none (if it does not wait), or the pool is closed."""
        with self._work:
            while not self._is_closed:
                for owner, tasks in list(self._waiting.items()):
                    del self._waiting[owner]  # and back at the end: the next one is another owner's
                    if len(tasks) > 1:
                        self._waiting[owner] = tasks
                    return tasks.popleft()
                if not wait:
                    return None
                self._work.wait()
            return None

    def note_answer(self) -> None:
        """A process has answered, or is ready to: they can be started."""
        self._failed_starts = 0

    def can_start(self) -> bool:
        """Notes a start that failed; whether another one is worth a try."""
        with self._work:
            self._failed_starts += 1
            return self._failed_starts < STARTS

    def give_back(self, task: _Task) -> None:
        """A request that was not begun."""
        with self._work:
            self._waiting.setdefault(-1, deque()).appendleft(task)
            self._work.notify()

    def _start_if_needed(self) -> None:
        waiting = sum(map(len, self._waiting.values()))
        if not self._feeders or (len(self._feeders) < self.limit and waiting >= BACKLOG_PER_PROCESS * len(self._feeders)):
            feeder = _Feeder(self)
            feeder.thread.start()
            self._feeders.add(feeder)  # one that could not be started would be waited for in vain


class _Feeder:
    """A thread with a process. The process is this thread's child: the kernel ends it with the thread."""

    def __init__(self, pool: Pool) -> None:
        self.thread = Supervised(self._feed, "localfirst-pool", on_end=self._end)
        self.pid: int | None = None
        self._pool = pool
        self._process: subprocess.Popen[bytes] | None = None
        self._at_work: deque[_Task] = deque()
        self._is_ready = False

    def _feed(self) -> None:
        if self._at_work:
            self._bury(RuntimeError("its thread failed"))
        while (first := self._pool.take(wait=True)) is not None:
            self._at_work.append(first)
            try:
                self._send(first)
                self._serve()
            except Exception as error:  # noqa: BLE001 (whatever it is, the request must be answered and the thread go on)
                self._bury(error)

    def kill(self) -> None:
        """Ends the process; safe from any thread."""
        process = self._process
        if process is not None:
            process.kill()

    def _serve(self) -> None:
        """Sends and receives until nothing is at work."""
        while self._at_work:
            while len(self._at_work) < AHEAD and (task := self._pool.take(wait=False)) is not None:
                self._at_work.append(task)
                self._send(task)
            answer = decode_answer(self._receive())
            self._pool.note_answer()
            self._at_work.popleft().future.set_result(answer)

    def _send(self, task: _Task) -> None:
        stream = self._running().stdin
        assert stream is not None
        stream.write(len(task.frame).to_bytes(LENGTH_BYTES, "big"))
        stream.write(task.frame)
        stream.flush()

    def _receive(self) -> bytes:
        stream = self._running().stdout
        assert stream is not None
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        length = int.from_bytes(_read(stream, LENGTH_BYTES, deadline), "big")
        return _read(stream, length, deadline)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            # -P: a file in the current directory must not stand in for a library.
            command = [sys.executable, "-P", "-m", "localfirst.code_index.pipeline.child", str(os.getpid())]
            self._process = subprocess.Popen(  # noqa: S603 - nothing of a user's is in it
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **_ENVIRONMENT}, close_fds=True
            )
            self.pid = self._process.pid
            assert self._process.stdout is not None
            _read(self._process.stdout, LENGTH_BYTES, time.monotonic() + START_TIMEOUT_S)  # an empty frame: it is ready
            self._is_ready = True
            self._pool.note_answer()
        return self._process

    def _bury(self, error: Exception) -> None:
        """The process is dead or hangs: the request it was at fails, the others go to whoever is free."""
        self.kill()
        status = self._end()
        logger.warning("a computing process ended (%s, %s)", status, error)
        failure = self._failure(status)
        if self._at_work and failure is not None:
            self._at_work.popleft().future.set_exception(failure)
        while self._at_work:
            self._pool.give_back(self._at_work.pop())

    def _failure(self, status: int | None) -> Exception | None:
        """What becomes of the request the process was at; None: it had not even begun, and is tried again."""
        if self._is_ready:
            self._is_ready = False
            return CrashedError(f"status {status}")
        if self._pool.can_start():
            return None
        return PoolUnavailableError(f"the processes that compute the index cannot be started ({status}); see the log.")

    def _end(self) -> int | None:
        process, self._process, self.pid = self._process, None, None
        if process is None:
            return None
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # of what could not be sent to a dead process
                    stream.close()
        return process.wait()


def _read(stream: IO[bytes], length: int, deadline: float) -> bytes:
    """So many bytes. Raises EOFError when the process is gone, TimeoutError when it hangs."""
    parts = bytearray()
    descriptor = stream.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while len(parts) < length:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError("no answer in time")
            part = os.read(descriptor, min(length - len(parts), 1 << 20))
            if not part:
                raise EOFError("no answer")
            parts += part
    return bytes(parts)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Ordered(NamedTuple, Generic[Tag]):
    """A request that was answered, with what the caller wants to know of it by then."""

    tag: Tag
    future: Future[Answer]


def answers(
    pool: Pool, requests: Iterator[tuple[Tag, Request]], window: int, should_stop: Callable[[], bool]
) -> Iterator[Ordered[Tag]]:
    """Keeps `window` requests at work and gives each when it is answered, in any order; ends early when it should stop."""
    # Futures are looked at, not called back: what is called in another thread can fail there, and would be waited for in vain.
    at_work: dict[Future[Answer], Tag] = {}
    owner = id(at_work)
    is_over = False
    try:
        while not should_stop():
            while len(at_work) < window and not is_over:
                following = next(requests, None)
                if following is None:
                    is_over = True
                else:
                    tag, request = following
                    at_work[pool.submit(request, owner)] = tag
            if not at_work:
                return
            landed = next(iter(wait(at_work, LOOK_S, FIRST_COMPLETED).done), None)
            if landed is not None:
                yield Ordered(at_work.pop(landed), landed)
    finally:
        pool.withdraw(owner)
