"""A line between a client and PostgreSQL as people have them: far away, lossy, cut, forgetful; and it counts round trips.

A trip is a question and the first piece of its answer: the client sends after it has heard (or for the first time), and hears.
It is counted at the client's end, so that what a pipeline sends together is one trip however the server answers it. Without a
delay the server may answer the beginning of a pipeline before its end was sent: exact counts want a delay.

The delay is the line's. Every piece arrives half a trip after it was sent, however many are under way. TCP's own handshake,
which the kernel makes with the port here at once, is paid with the first piece; it is not counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from certificate import server_context
from psycopg.conninfo import conninfo_to_dict, make_conninfo

PIECE = 65_536

RESENT_S = 0.2
"""How long TCP waits at least before it sends again what was lost."""

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")

_Result = TypeVar("_Result")


class Passage:
    """One connection over the line.

    Attributes:
        trips: how many questions were answered.
    """

    def __init__(self) -> None:
        self.trips = 0
        self.is_forgotten = False
        self._has_asked = False

    def asked(self) -> None:
        """The client has sent something."""
        self._has_asked = True

    def heard(self) -> None:
        """The client has got something."""
        self.trips += self._has_asked
        self._has_asked = False


class Line:
    """A TCP port before the server's Unix socket. `url` leads through it. Runs in a thread of its own until `close`.

    Attributes:
        trip_s: how long a question and its answer are under way.
        loss: the share of pieces that get lost and are sent again, which everything behind them waits for.
        passages: the connections so far, in the order in which they were made.
    """

    def __init__(self, url: str, *, trip_s: float = 0.0, tls: bool = False, loss: float = 0.0, seed: int = 0) -> None:
        given = conninfo_to_dict(url)
        self._target = f"{given['host']}/.s.PGSQL.{given.get('port') or 5432}"
        self.trip_s = trip_s
        self.loss = loss
        self.passages: list[Passage] = []
        self._context: ssl.SSLContext | None = server_context() if tls else None
        self._dice = random.Random(seed)
        self._refuses = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="line", daemon=True)
        self._thread.start()
        self._listener = self._do(asyncio.start_server(self._accept, "127.0.0.1", 0))
        port = self._listener.sockets[0].getsockname()[1]
        mode = "require" if tls else "disable"
        self.url = make_conninfo(url, host="127.0.0.1", port=port, sslmode=mode, gssencmode="disable")

    @property
    def trips(self) -> int:
        """How many trips were made over all connections."""
        return sum(passage.trips for passage in self.passages)

    @contextlib.contextmanager
    def counted(self) -> Iterator[Passage]:
        """The trips of a block, over all connections: its `trips`, once the block has ended."""
        counted, before = Passage(), self.trips
        yield counted
        counted.trips = self.trips - before

    def freeze(self) -> None:
        """Connections are accepted, and nothing passes; what was sent arrives once it flows again."""
        self._do(self._set_flowing(False))

    def thaw(self) -> None:
        """Everything passes again."""
        self._do(self._set_flowing(True))

    def cut(self, *, refuse: bool = False) -> None:
        """Breaks every connection; new ones are refused from now on, or not."""
        self._do(self._cut(refuse))

    def forget(self) -> None:
        """Swallows what is sent over the present connections, as a firewall does that has forgotten them; new ones work."""
        for passage in list(self.passages):
            passage.is_forgotten = True

    def close(self) -> None:
        """Breaks everything and ends the thread."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _set_flowing(self, is_flowing: bool) -> None:
        (self._flowing.set if is_flowing else self._flowing.clear)()

    async def _cut(self, refuse: bool) -> None:
        self._refuses = refuse
        for writer in list(self._writers):
            writer.transport.abort()

    async def _end(self) -> None:
        self._listener.close()
        await self._cut(True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._refuses:
                raise ConnectionRefusedError
            from_server, to_server = await self._reach_server()
        except OSError:
            writer.transport.abort()
            return
        passage = Passage()
        self.passages.append(passage)
        ends = (writer, to_server)
        self._writers.update(ends)
        try:
            await asyncio.gather(
                self._pass_on(passage, reader, to_server, is_question=True),
                self._pass_on(passage, from_server, writer, is_question=False),
            )
        finally:
            self._writers.difference_update(ends)

    async def _reach_server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._context is None:
            return await asyncio.open_unix_connection(self._target)
        return await encrypted_by_the_server(self._target, self._context)

    async def _pass_on(
        self, passage: Passage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_question: bool
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        sending = self._loop.create_task(self._deliver(passage, under_way, writer, is_question=is_question))
        handshake_s = self.trip_s if is_question else 0.0
        arrives_at = 0.0
        try:
            # What was on its way when a connection is aborted is gone, as in a real network.
            with contextlib.suppress(OSError):
                while data := await reader.read(PIECE):
                    if is_question:
                        passage.asked()
                    lost_s = self.trip_s + RESENT_S if self.loss and self._dice.random() < self.loss else 0.0
                    arrives_at = max(arrives_at, self._loop.time() + handshake_s + self.trip_s / 2 + lost_s)
                    handshake_s = 0.0
                    await under_way.put((arrives_at, data))
            await under_way.put((max(arrives_at, self._loop.time() + self.trip_s / 2), b""))
            await sending
        finally:
            sending.cancel()

    async def _deliver(
        self,
        passage: Passage,
        under_way: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
        *,
        is_question: bool,
    ) -> None:
        while True:
            arrives_at, data = await under_way.get()
            if (left := arrives_at - self._loop.time()) > 0:
                await asyncio.sleep(left)
            await self._flowing.wait()
            if passage.is_forgotten:
                continue
            if not data:
                writer.close()
                return
            if not is_question:
                passage.heard()
            with contextlib.suppress(OSError):
                writer.write(data)
                await writer.drain()


@contextlib.contextmanager
def far_from(url: str, trip_s: float) -> Iterator[str]:
    """The way to a server over a line of this length; without a length it is the server's own."""
    if not trip_s:
        yield url
        return
    with contextlib.closing(Line(url, trip_s=trip_s)) as line:
        yield line.url


async def encrypted_by_the_server(
    socket: str | Path, context: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A way to a server that would encrypt if it could (the one from PyPI is built without): the encryption is done here.

    What is written to the writer is what a client sends: its request for TLS first.
    """
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def decrypt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready.set_result(None)
        try:
            assert await reader.readexactly(len(_SSL_REQUEST)) == _SSL_REQUEST, "this line is for clients that ask for TLS"
            writer.write(b"S")
            await writer.start_tls(context)
            from_server, to_server = await asyncio.open_unix_connection(str(socket))
            await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()

    listener = await asyncio.start_server(decrypt, "127.0.0.1", 0)
    ends = await asyncio.open_connection(*listener.sockets[0].getsockname())
    await ready
    listener.close()
    return ends


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
    writer.close()
