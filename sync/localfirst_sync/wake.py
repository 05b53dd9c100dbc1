"""A wake-up call between threads that can be waited for together with a socket."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress


class Wake:
    """Set by any thread within about a microsecond; waited for and cleared by one."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._lock = threading.Lock()
        self._is_set = False

    def fileno(self) -> int:
        """The socket that becomes readable when the call comes."""
        return self._reader.fileno()

    def set(self) -> None:
        """Wakes whoever waits, or the next one to wait."""
        with self._lock:
            if not self._is_set:
                self._is_set = True
                with suppress(OSError):  # closed: nobody waits any more
                    self._writer.send(b"\0")

    def clear(self) -> bool:
        """Takes the call back; returns whether there was one."""
        with self._lock:
            was_set, self._is_set = self._is_set, False
            if was_set:
                with suppress(OSError):
                    self._reader.recv(16)
            return was_set

    def wait(self, timeout_s: float) -> bool:
        """Waits for the call, without taking it back; returns whether it came."""
        return bool(select.select([self._reader], [], [], max(0.0, timeout_s))[0])

    def close(self) -> None:
        """Lets go of the sockets."""
        with self._lock:
            self._reader.close()
            self._writer.close()
