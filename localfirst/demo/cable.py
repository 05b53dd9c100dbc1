"""A cable that can be pulled: a Unix socket that hands everything on to PostgreSQL's, until it is cut."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"


class Cable:
    """Carries connections made to `folder` on to the server's socket.

    A cut cable refuses new connections and breaks those under way, as a lost network does sooner or later.
    """

    def __init__(self, folder: Path, server_socket: Path) -> None:
        self._path = folder / SOCKET_NAME
        self._server_socket = server_socket
        self._listener: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def plug_in(self) -> None:
        """Lets connections through."""
        self._listener = await asyncio.start_unix_server(self._carry, self._path)

    async def cut(self) -> None:
        """Breaks every connection and accepts no more."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for writer in list(self._writers):
            writer.transport.abort()
        self._path.unlink(missing_ok=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_server = await asyncio.open_unix_connection(str(self._server_socket))
        except OSError:
            writer.transport.abort()
            return
        ends = (writer, to_server[1])
        self._writers.update(ends)
        await asyncio.gather(self._pump(reader, to_server[1]), self._pump(to_server[0], writer))
        self._writers.difference_update(ends)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A cut aborts both ends; what was on its way is gone, as it is in a real cable.
        with contextlib.suppress(ConnectionError, OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(ConnectionError, OSError):
            writer.close()
