"""A wake-up call between threads that can be waited for together with a socket."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from localfirst_sync.readable import readable


class Wake:
    """Set by any thread within about a microsecond; waited for and cleared by one.

    The first who waits opens the sockets: what nobody has begun holds nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = self._is_closed = False
        self._pair: tuple[socket.socket, socket.socket] | None = None

    def fileno(self) -> int:
        """The socket that becomes readable when the call comes."""
        return self._reader().fileno()

    def set(self) -> None:
        """Wakes whoever waits, or the next one to wait."""
        with self._lock:
            if not self._is_set:
                self._is_set = True
                self._send()

    def clear(self) -> bool:
        """Takes the call back; returns whether there was one."""
        with self._lock:
            was_set, self._is_set = self._is_set, False
            if was_set and self._pair is not None:
                with suppress(OSError):
                    self._pair[0].recv(16)
            return was_set

    def wait(self, timeout_s: float) -> bool:
        """Waits for the call, without taking it back; returns whether it came."""
        return bool(readable([self.fileno()], timeout_s))

    def close(self) -> None:
        """Lets go of the sockets, for good."""
        with self._lock:
            self._is_closed = True
            for one in self._pair or ():
                one.close()

    def _reader(self) -> socket.socket:
        with self._lock:
            if self._pair is None:
                if self._is_closed:
                    raise ValueError("the wake-up call is closed")
                self._pair = socket.socketpair()
                for one in self._pair:
                    one.setblocking(False)
                if self._is_set:
                    self._send()
            return self._pair[0]

    def _send(self) -> None:
        if self._pair is not None:
            with suppress(OSError):  # closed: nobody waits any more
                self._pair[1].send(b"\0")
