"""The stdio transport: both pipes served directly by the asyncio event loop.

It offers what the SDK's `stdio_server` offers, without its two worker threads, whose hand-overs cost four fifths of a
small call. A line is parsed when it arrives and handed to the SDK's session logic; an answer is written by the task that
produced it. Where the event loop cannot read standard input (Windows) `watchable` says so, and the caller uses the SDK's
transport instead. Both directions stand in one file because each ends with the other.

Failure behaviour: a line that is no message is answered with a JSON-RPC error; a client that stops reading holds up only
the answers meant for it, in memory; a client that is gone ends the input, and so the server, without an exception.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

import anyio
import mcp_types as types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from localfirst.mcp_server.descriptors import claimed_stdio, never_blocking, widen
from localfirst.mcp_server.repeated_calls import RepeatedCalls
from localfirst.mcp_server.wire import Payloads, decode, encode, refusal

READ_BYTES = 1 << 18
MAX_QUEUED_MESSAGES = 256
"""Messages parsed and not yet taken by the session logic; beyond it the pipe is left to fill up."""
LAST_ANSWERS_S = 0.5
"""How long requests that are still running when the input ends may take to answer."""
LAST_FLUSH_S = 1.0
"""How long the client may take to read the last answers."""


class Lines:
    """The client's messages: the SDK's `ReadStream` over a descriptor. One consumer at a time."""

    def __init__(self, descriptor: int, answers: Answers, repeated: RepeatedCalls) -> None:
        self._descriptor = descriptor
        self._answers = answers
        self._repeated = repeated
        self._loop = asyncio.get_running_loop()
        self._partial: list[bytes] = []
        self._queue: deque[SessionMessage | Exception] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._watching = False
        self._exhausted = False
        self._ended = False
        self._unanswered = 0
        self._watch()

    def answered(self) -> None:
        """One request has got its answer."""
        self._unanswered -= 1
        if self._exhausted and self._unanswered <= 0:
            self.end()

    def end(self) -> None:
        """Nothing more is read, and nothing more is handed out once the queue is empty."""
        self._unwatch()
        self._exhausted = self._ended = True
        self._wake()

    async def receive(self) -> SessionMessage | Exception:
        """The next message, or the error of a line that was none. Raises `anyio.EndOfStream` at the end."""
        while not self._queue:
            if self._ended:
                raise anyio.EndOfStream
            self._waiter = self._loop.create_future()
            await self._waiter
        item = self._queue.popleft()
        if not self._watching and not self._exhausted:
            self._watch()
        return item

    async def aclose(self) -> None:
        """Stop reading."""
        self.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _watch(self) -> None:
        self._watching = True
        try:
            self._loop.add_reader(self._descriptor, self._readable)
        except PermissionError:
            # A regular file, which cannot be watched because it never makes its reader wait.
            self._loop.call_soon(self._read_file)

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            self._loop.remove_reader(self._descriptor)

    def _read_file(self) -> None:
        if self._watching:
            self._readable()
        if self._watching:
            self._loop.call_soon(self._read_file)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _readable(self) -> None:
        try:
            chunk = os.read(self._descriptor, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            chunk = b""  # a reset connection is an end like any other
        if not chunk:
            self._exhaust()
            return
        head, *rest = chunk.split(b"\n")
        self._partial.append(head)
        if not rest:
            return
        line = b"".join(self._partial)
        if not (rest == [b""] and self._is_answered_at_once(line)):
            self._take(line)
        for line in rest[:-1]:
            self._take(line)
        self._partial = [rest[-1]] if rest[-1] else []
        if len(self._queue) >= MAX_QUEUED_MESSAGES:
            self._unwatch()
        self._wake()

    def _is_answered_at_once(self, line: bytes) -> bool:
        """Whether this line, which came alone while nothing else is going on, needed no session logic."""
        if self._unanswered or self._queue or not self._answers.is_drained():
            return False
        answer = self._repeated.answer(line)
        if answer is None:
            return False
        self._answers.write(answer)
        return True

    def _take(self, line: bytes) -> None:
        if not line or line.isspace():
            return
        try:
            message = decode(line)
        except ValidationError as error:
            answer = refusal(line, error)
            if answer is not None:
                self._answers.refuse(answer)
            self._queue.append(error)
            return
        if isinstance(message, types.JSONRPCRequest):
            self._unanswered += 1
        self._queue.append(SessionMessage(message))

    def _exhaust(self) -> None:
        """The input is at its end: requests that have not been answered get a moment more, so that `… | localfirst mcp`
        works; the session logic cancels what is still running when it sees the end."""
        self._unwatch()
        self._exhausted = True
        if self._partial:
            self._take(b"".join(self._partial))
            self._partial = []
            self._wake()
        if self._unanswered <= 0:
            self.end()
        else:
            self._loop.call_later(LAST_ANSWERS_S, self.end)


class Answers:
    """The messages to the client: the SDK's `WriteStream` over a descriptor, which takes lines whole and in order."""

    def __init__(self, descriptor: int, payloads: Payloads, repeated: RepeatedCalls) -> None:
        self._descriptor = descriptor
        self._payloads = payloads
        self._repeated = repeated
        self._loop = asyncio.get_running_loop()
        self._backlog: deque[memoryview] = deque()
        self._drained = asyncio.Event()
        self._broken = False
        self._closed = False
        self.on_answer: Callable[[], None] = _nothing
        self.on_broken: Callable[[], None] = _nothing

    async def send(self, item: SessionMessage, /) -> None:
        """Write one message; returns when the pipe has taken all of it.

        A cancelled call may have written a part: the rest follows all the same, so that no line is ever torn. Raises
        `anyio.ClosedResourceError` after `aclose`, `anyio.BrokenResourceError` when the client is gone.
        """
        if self._closed:
            raise anyio.ClosedResourceError
        message = item.message
        if isinstance(message, types.JSONRPCResponse):
            self._repeated.learn(message)
        self._write(encode(message, self._payloads))
        if isinstance(message, types.JSONRPCResponse | types.JSONRPCError):
            self.on_answer()
        while self._backlog:
            await self._drained.wait()
        if self._broken:
            raise anyio.BrokenResourceError

    def is_drained(self) -> bool:
        """Whether the client has taken, or the pipe holds, all that was written."""
        return not self._backlog

    def write(self, line: bytes) -> None:
        """Send an answer that the session logic does not know of."""
        if not self._closed:
            self._write(line)

    def refuse(self, answer: types.JSONRPCError) -> None:
        """Answer a line that was no message."""
        self.write(encode(answer, self._payloads))

    async def aclose(self) -> None:
        """Give the client a moment to read what is left, then write no more."""
        if self._closed:
            return
        self._closed = True
        with anyio.move_on_after(LAST_FLUSH_S, shield=True):
            while self._backlog:
                await self._drained.wait()
        self._forget()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _write(self, line: bytes) -> None:
        if self._broken:
            return
        if self._backlog:
            self._backlog.append(memoryview(line))
            return
        rest = self._write_some(memoryview(line))
        if rest:
            self._backlog.append(rest)
            self._drained.clear()
            self._loop.add_writer(self._descriptor, self._writable)

    def _writable(self) -> None:
        while self._backlog:
            rest = self._write_some(self._backlog[0])
            if self._broken:
                return
            if rest:
                self._backlog[0] = rest
                return
            self._backlog.popleft()
        self._loop.remove_writer(self._descriptor)
        self._drained.set()

    def _write_some(self, data: memoryview) -> memoryview:
        """Write what the pipe takes now; return the rest, empty when all is written or the client is gone."""
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except (BlockingIOError, InterruptedError):
            return data
        except OSError:
            self._broken = True
            self._forget()
            self.on_broken()
            return memoryview(b"")
        return data

    def _forget(self) -> None:
        if self._backlog:
            self._backlog.clear()
            self._loop.remove_writer(self._descriptor)
        self._drained.set()


def watchable(descriptor: int) -> bool:
    """Whether `Lines` can read `descriptor` on the running event loop."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(descriptor, _nothing)
    except PermissionError:
        return True
    except (NotImplementedError, OSError, ValueError):
        return False
    loop.remove_reader(descriptor)
    return True


@contextlib.asynccontextmanager
async def event_loop_stdio(
    payloads: Payloads, repeated: RepeatedCalls, on_answer: Callable[[], None] = lambda: None
) -> AsyncIterator[tuple[Lines, Answers]]:
    """Serve the process's standard input and output; `on_answer` is called after each answer.

    Assumes that `watchable(0)` holds. While it is open, descriptor 0 is the null device and descriptor 1 standard error.
    """
    with claimed_stdio() as (source, target), never_blocking(target):
        widen(target)
        answers = Answers(target, payloads, repeated)
        lines = Lines(source, answers, repeated)

        def answered() -> None:
            lines.answered()
            on_answer()

        answers.on_answer = answered
        answers.on_broken = lines.end
        try:
            yield lines, answers
        finally:
            lines.end()
            await answers.aclose()


def _nothing() -> None:
    """Stands where nobody listens."""
