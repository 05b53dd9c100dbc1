"""The stdio transport: both pipes served directly by the asyncio event loop.

It offers what the SDK's `stdio_server` offers, without its two worker threads, whose hand-overs cost four fifths of a
small call. A line is parsed when there is room for it and handed to the SDK's session logic; an answer is written by the
task that produced it. Where the event loop cannot read standard input (Windows) `watchable` says so, and the caller uses
the SDK's transport instead. Both directions stand in one file because each waits for the other.

Nothing grows without bound: of a client that does not read its answers, so many bytes are kept; then it is not read from
either, and no new call is carried out. So many calls are under way at most, and so many messages wait.

Failure behaviour: a line that is no message is answered with a JSON-RPC error; a client that stops reading holds up
itself alone; a client that is gone ends the input, and so the server, without an exception.
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
from mcp.shared.message import ServerMessageMetadata, SessionMessage

from localfirst.mcp_server.descriptors import claimed_stdio, never_blocking, widen
from localfirst.mcp_server.framing import MAX_LINE_BYTES, Framing, TooLong
from localfirst.mcp_server.repeated_calls import RepeatedCalls
from localfirst.mcp_server.roots import ROOTS_CHANGED, Roots
from localfirst.mcp_server.wire import Payloads, Refused, cancelled_id, decode, encode, refusal_of_length

READ_BYTES = 1 << 18
MAX_CALLS = 32
"""Requests that are being carried out at a time; the others wait their turn."""
MAX_QUEUED_MESSAGES = 256
"""Messages parsed and not yet taken by the session logic; beyond it the pipe is left to fill up."""
MAX_QUEUED_BYTES = 1 << 20
"""The same, by the length of their lines: a longer one waits alone."""
MAX_UNREAD_BYTES = 32 << 20
"""Answers that the client has not taken yet: enough for one that writes all its calls before it reads."""
ANSWER_COST_BYTES = 256
"""What keeping an answer costs beside its own bytes."""
LAST_ANSWERS_S = 0.5
"""How long requests that are still running when the input ends may take to answer, from each answer to the next."""
LAST_ANSWERS_LIMIT_S = 3.0
"""The same for all of them."""
LAST_FLUSH_S = 1.0
"""How long the client may take to read the last answers."""


class Lines:
    """The client's messages: the SDK's `ReadStream` over a descriptor. One consumer at a time."""

    def __init__(self, descriptor: int, answers: Answers, repeated: RepeatedCalls) -> None:
        self._descriptor = descriptor
        self._answers = answers
        self._repeated = repeated
        self._loop = asyncio.get_running_loop()
        self._framing = Framing()
        self._unparsed: deque[bytes | TooLong] = deque()
        self._queue: deque[tuple[SessionMessage, int]] = deque()
        self._queued_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._watching = False
        self._turn: asyncio.Handle | None = None
        self._exhausted = False
        self._ended = False
        self._unanswered = 0
        self._under_way = 0
        self._was_request = False
        self._last_answer = self._ends_at_latest = float("-inf")
        self.roots: Roots | None = None
        self._watch_if_room()

    def answered(self) -> None:
        """One request has got its answer, or will never have one."""
        self._unanswered -= 1
        self._under_way -= 1
        if self._exhausted:
            self._last_answer = self._loop.time()
        if self._is_done():
            self.end()
        elif self._queue:
            self._wake()

    def end(self) -> None:
        """Nothing more is read, and nothing more is handed out."""
        self._unwatch()
        self._exhausted = self._ended = True
        self._unparsed.clear()
        self._queue.clear()
        self._queued_bytes = 0
        self._wake()

    def proceed(self) -> None:
        """The client has taken its answers: go on where that was waited for."""
        self._parse()
        self._wake()

    async def receive(self) -> SessionMessage:
        """The next message, when its turn has come. Raises `anyio.EndOfStream` at the end."""
        if self._was_request and self._queue:
            # The call that was handed out last is carried out first: then it is known whether its answer was taken.
            await asyncio.sleep(0)
        while not self._queue or self._is_held():
            if self._ended:
                raise anyio.EndOfStream
            self._waiter = self._loop.create_future()
            await self._waiter
        message, length = self._queue.popleft()
        self._queued_bytes -= length
        self._was_request = isinstance(message.message, types.JSONRPCRequest)
        if self._was_request:
            self._under_way += 1
        elif self.roots is not None and getattr(message.message, "method", None) == ROOTS_CHANGED:
            self.roots.hear_change()  # before the next call is looked at
        self._parse()
        return message

    async def aclose(self) -> None:
        """Stop reading."""
        self.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
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

    def _is_held(self) -> bool:
        """Whether the next message has to wait: until the client reads, or, for a request, until another is answered."""
        if not self._answers.has_room():
            return True
        return self._under_way >= MAX_CALLS and isinstance(self._queue[0][0].message, types.JSONRPCRequest)

    def _has_room(self) -> bool:
        return (
            len(self._queue) < MAX_QUEUED_MESSAGES
            and self._queued_bytes < MAX_QUEUED_BYTES
            and self._answers.has_room()
            and not self._ended
        )

    def _is_done(self) -> bool:
        return self._exhausted and self._unanswered <= 0 and not self._unparsed

    def _watch_if_room(self) -> None:
        if self._watching or self._exhausted or self._unparsed or not self._has_room():
            return
        self._watching = True
        try:
            self._loop.add_reader(self._descriptor, self._readable)
        except PermissionError:
            # A regular file, which cannot be watched because it never makes its reader wait.
            if self._turn is None:
                self._turn = self._loop.call_soon(self._read_file)

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            self._loop.remove_reader(self._descriptor)

    def _read_file(self) -> None:
        self._turn = None
        if self._watching:
            self._readable()
        if self._watching and self._turn is None:
            self._turn = self._loop.call_soon(self._read_file)

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
        lines = self._framing.feed(chunk)
        if len(lines) == 1 and not self._framing.is_within_a_line() and self._is_answered_at_once(lines[0]):
            return
        if lines:
            self._unparsed.extend(lines)
            self._parse()
            self._wake()

    def _is_answered_at_once(self, line: bytes | TooLong) -> bool:
        """Whether this line, which came alone while nothing else is going on, needed no session logic."""
        if self._unanswered or self._queue or self._unparsed or not self._answers.is_drained() or isinstance(line, TooLong):
            return False
        answer = self._repeated.answer(line)
        if answer is None:
            return False
        self._answers.write(answer)
        if not self._has_room():
            self._unwatch()
        return True

    def _parse(self) -> None:
        """Take as many lines as there is room for; read on when there is room for more."""
        while self._unparsed and self._has_room():
            self._take(self._unparsed.popleft())
        if self._unparsed or not self._has_room():
            self._unwatch()
        else:
            self._watch_if_room()
        if self._is_done():
            self.end()

    def _take(self, line: bytes | TooLong) -> None:
        if isinstance(line, TooLong):
            self._answers.refuse(refusal_of_length(line.request_id, MAX_LINE_BYTES))
            return
        if not line or line.isspace():
            return
        try:
            message = decode(line)
        except Refused as refused:
            if refused.answer is not None:
                self._answers.refuse(refused.answer)
            return
        metadata = None
        if isinstance(message, types.JSONRPCRequest):
            if message.method == "initialize" and self.roots is not None:
                self.roots.hear_initialize(message.params)
            self._unanswered += 1
            metadata = ServerMessageMetadata(on_request_unanswered=self._never_answered)
        elif (cancelled := cancelled_id(message)) is not None:
            if not self._withdraw(cancelled):
                # What is under way may be what all others wait for.
                self._queue.appendleft((SessionMessage(message), len(line)))
                self._queued_bytes += len(line)
            return
        self._queue.append((SessionMessage(message, metadata), len(line)))
        self._queued_bytes += len(line)

    def _withdraw(self, request_id: int | str) -> bool:
        """Take a request out of the queue; False if it is not there."""
        for position, (waiting, length) in enumerate(self._queue):
            if isinstance(waiting.message, types.JSONRPCRequest) and waiting.message.id == request_id:
                del self._queue[position]
                self._queued_bytes -= length
                self._unanswered -= 1
                return True
        return False

    async def _never_answered(self) -> None:
        """The client has cancelled a request, which then has no answer."""
        self.answered()

    def _exhaust(self) -> None:
        """The input is at its end: requests that have not been answered get a moment more, so that `… | localfirst mcp`
        works; the session logic cancels what is still running when it sees the end."""
        self._unwatch()
        self._exhausted = True
        if self._framing.is_within_a_line():
            self._unparsed.extend(self._framing.end())
        self._last_answer = self._loop.time()
        self._ends_at_latest = self._last_answer + LAST_ANSWERS_LIMIT_S
        self._parse()
        self._wake()
        if not self._ended:
            self._end_when_quiet()

    def _end_when_quiet(self) -> None:
        quiet_at = min(self._last_answer + LAST_ANSWERS_S, self._ends_at_latest)
        if self._ended or self._loop.time() >= quiet_at:
            self.end()
        else:
            self._loop.call_at(quiet_at, self._end_when_quiet)


class Answers:
    """The messages to the client: the SDK's `WriteStream` over a descriptor, which takes lines whole and in order."""

    def __init__(self, descriptor: int, payloads: Payloads, repeated: RepeatedCalls) -> None:
        self._descriptor = descriptor
        self._payloads = payloads
        self._repeated = repeated
        self._loop = asyncio.get_running_loop()
        self._backlog: deque[memoryview] = deque()
        self._backlog_bytes = 0
        self._drained = asyncio.Event()
        self._broken = False
        self._closed = False
        self.on_answer: Callable[[], None] = _nothing
        self.on_drained: Callable[[], None] = _nothing
        self.on_broken: Callable[[], None] = _nothing

    async def send(self, item: SessionMessage, /) -> None:
        """Write one message; returns when the pipe has taken it, or there is room to keep it until it does.

        A cancelled call may have written a part: the rest follows all the same, so that no line is ever torn. Raises
        `anyio.ClosedResourceError` after `aclose`, `anyio.BrokenResourceError` when the client is gone.
        """
        if self._closed:
            raise anyio.ClosedResourceError
        message = item.message
        if isinstance(message, types.JSONRPCResponse):
            self._payloads.written(message.id)
            self._repeated.learn(message)
        elif isinstance(message, types.JSONRPCError):
            message = self._written_after_all(message)
        self._write(encode(message, self._payloads))
        if isinstance(message, types.JSONRPCResponse | types.JSONRPCError):
            self.on_answer()
        while not self.has_room():
            await self._drained.wait()
        if self._broken:
            raise anyio.BrokenResourceError

    def _written_after_all(self, failed: types.JSONRPCError) -> types.JSONRPCError | types.JSONRPCResponse:
        """The answer where the session logic failed after a write: it is reported all the same, or would be written again."""
        written = None if failed.id is None else self._payloads.written(failed.id)
        if failed.id is None or written is None:
            return failed
        return types.JSONRPCResponse(jsonrpc="2.0", id=failed.id, result=written)

    def is_drained(self) -> bool:
        """Whether the client has taken, or the pipe holds, all that was written."""
        return not self._backlog

    def has_room(self) -> bool:
        """Whether more may be written: the client reads, or has not left too much unread."""
        return self._backlog_bytes < MAX_UNREAD_BYTES

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
            self._keep(memoryview(line))
            return
        rest = self._write_some(memoryview(line))
        if rest:
            self._keep(rest)
            self._drained.clear()
            self._loop.add_writer(self._descriptor, self._writable)

    def _keep(self, line: memoryview) -> None:
        self._backlog.append(line)
        self._backlog_bytes += len(line) + ANSWER_COST_BYTES

    def _writable(self) -> None:
        while self._backlog:
            line = self._backlog[0]
            rest = self._write_some(line)
            if self._broken:
                return
            self._backlog_bytes -= len(line) - len(rest)
            if rest:
                self._backlog[0] = rest
                return
            self._backlog.popleft()
            self._backlog_bytes -= ANSWER_COST_BYTES
        self._loop.remove_writer(self._descriptor)
        self._drained.set()
        self.on_drained()

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
            self._backlog_bytes = 0
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
    payloads: Payloads,
    repeated: RepeatedCalls,
    on_answer: Callable[[], None] = lambda: None,
    roots: Roots | None = None,
) -> AsyncIterator[tuple[Lines, Answers]]:
    """Serve the process's standard input and output; `on_answer` is called after each answer, `roots` hears what the client
    says of its own.

    Assumes that `watchable(0)` holds. While it is open, descriptor 0 is the null device and descriptor 1 standard error.
    """
    with claimed_stdio() as (source, target), never_blocking(target):
        widen(target)
        answers = Answers(target, payloads, repeated)
        lines = Lines(source, answers, repeated)

        def answered() -> None:
            lines.answered()
            on_answer()

        lines.roots = roots
        answers.on_answer = answered
        answers.on_drained = lines.proceed
        answers.on_broken = lines.end
        try:
            yield lines, answers
        finally:
            lines.end()
            await answers.aclose()


def _nothing() -> None:
    """Stands where nobody listens."""
