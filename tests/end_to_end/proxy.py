"""A network between a client and PostgreSQL that can be cut, frozen and slowed: a TCP port before the server's socket."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from pathlib import Path
from typing import Literal

Weather = Literal["open", "cut", "frozen", "slow"]
"""`cut` breaks connections and refuses new ones, `frozen` accepts them and lets nothing through, `slow` delays each piece."""

PIECE = 16_384
SLOW_S = 0.03
"""The longest delay of a piece in slow weather."""


class Proxy:
    """Runs in a thread of its own until `close`.

    Attributes:
        port: where clients connect to, on 127.0.0.1.
    """

    port: int

    def __init__(self, server_socket: Path, seed: int) -> None:
        self._server_socket = str(server_socket)
        self._dice = random.Random(seed)
        self._weather: Weather = "open"
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._carrying: set[asyncio.Task[None]] = set()
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._listener = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = self._listener.sockets[0].getsockname()[1]

    def become(self, weather: Weather, *, lose: bool = False) -> None:
        """Changes the weather; with `lose` the connections under way are gone as well."""
        asyncio.run_coroutine_threadsafe(self._become(weather, lose), self._loop).result()

    def close(self) -> None:
        """Breaks everything and ends the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _become(self, weather: Weather, lose: bool) -> None:
        self._weather = weather
        if weather == "frozen":
            self._thawed.clear()
        else:
            self._thawed.set()
        if lose or weather == "cut":
            for writer in list(self._writers):
                writer.transport.abort()

    async def _end(self) -> None:
        self._listener.close()
        await self._become("cut", lose=True)
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._weather == "cut":
            writer.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_unix_connection(self._server_socket)
        except OSError:
            writer.transport.abort()
            return
        ends = (writer, to_server)
        self._writers.update(ends)
        await asyncio.gather(self._pump(reader, to_server), self._pump(from_server, writer))
        self._writers.difference_update(ends)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What was on its way when a connection is aborted is gone, as in a real network.
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE):
                if self._weather == "slow":
                    await asyncio.sleep(self._dice.uniform(0, SLOW_S))
                await self._thawed.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
