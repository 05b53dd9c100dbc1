"""A way to PostgreSQL that can be made to fail: it passes on, falls silent, or is slow."""

from __future__ import annotations

import socket
import threading
import time

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Gateway:
    """A port before the server's Unix socket. `url` leads through it.

    Attributes:
        flowing: cleared, the gateway accepts and passes nothing on.
        delay_s: how long each piece of an answer is held back.
        silent_before: the gateway falls silent before it passes on a request with these bytes; b"": never.
    """

    def __init__(self, url: str) -> None:
        given = conninfo_to_dict(url)
        self._target = f"{given['host']}/.s.PGSQL.{given.get('port') or 5432}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.flowing = threading.Event()
        self.flowing.set()
        self.delay_s = 0.0
        self.silent_before = b""
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._is_closed = False
        port = self._listener.getsockname()[1]
        self.url = make_conninfo(url, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            with self._lock:
                self._sockets += [client, server]
                if self._is_closed:
                    client.close()
                    server.close()
                    return
            try:
                server.connect(self._target)
            except OSError:  # the server is gone, or has too many who wait
                client.close()
                server.close()
                continue
            threading.Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, is_answer: bool) -> None:
        try:
            while data := one.recv(65536):
                if self.silent_before and not is_answer and self.silent_before in data:
                    self.flowing.clear()
                self.flowing.wait()
                if is_answer and self.delay_s:
                    time.sleep(self.delay_s)
                other.sendall(data)
        except OSError:
            pass
        finally:
            other.close()

    def close(self) -> None:
        """Cuts every connection."""
        self._listener.close()
        self.flowing.set()
        with self._lock:
            self._is_closed = True
            for each in self._sockets:
                each.close()
