"""The socket under a request: every wait on it ends when the server does.

A daemon at work may rightly say nothing for a while (it waits for rows that somebody holds). So a silence is looked into:
another connection is asked whether anybody is there, and only when nobody says a word there either is the server given up.
"""

from __future__ import annotations

import io
import math
import socket
import time
from collections.abc import Callable
from typing import TypeAlias

from localfirst_sync.pulse import Pulse

SILENCE_S = 1.5
SILENCE_TRIPS = 6
"""So long a server may say nothing before it is looked after; twice as long the next time, and so on."""

LONGEST_SILENCE_S = 12.0

SEND_STEP_S = 10.0
"""How long a piece of a request may take to be taken by the network."""

PIECE_BYTES = 64 * 1024

Bytes: TypeAlias = bytes | bytearray | memoryview


class Wire:
    """A connected socket, as `http.client` needs one.

    Attributes:
        deadline: when whatever is waited for is given up, by `time.monotonic`.
        heard: whether anything has come since this was last set to False.
    """

    def __init__(self, connected: socket.socket, pulse: Pulse, is_server_there: Callable[[], bool]) -> None:
        self._socket = connected
        self._pulse = pulse
        self._is_server_there = is_server_there
        self._readers = 0
        self._is_closed = False
        self.deadline = math.inf
        self.heard = False

    def sendall(self, data: Bytes) -> None:
        """Sends all of it, as long as the network takes pieces of it."""
        left = memoryview(data)
        while left:
            self._socket.settimeout(max(0.001, min(SEND_STEP_S, self.deadline - time.monotonic())))
            left = left[self._socket.send(left[:PIECE_BYTES]) :]
            self._pulse.moved()

    def makefile(self, mode: str = "rb") -> io.BufferedReader:
        """What comes; one at a time."""
        self._readers += 1
        return io.BufferedReader(_Incoming(self), PIECE_BYTES)

    def receive_into(self, buffer: memoryview) -> int:
        """Waits for something to come. Raises `TimeoutError` at the deadline, or when the server is gone."""
        silence_s = self._pulse.budget_s(SILENCE_S, SILENCE_TRIPS)
        while True:
            left_s = self.deadline - time.monotonic()
            self._socket.settimeout(max(0.0001, min(left_s, silence_s)))
            try:
                count = self._socket.recv_into(buffer)
            except TimeoutError:
                if left_s <= silence_s or not self._is_server_there():
                    raise
                silence_s = min(2 * silence_s, max(LONGEST_SILENCE_S, silence_s))
                continue
            if count:
                self.heard = True
                self._pulse.heard()
            return count

    def shut(self) -> None:
        """Wakes whoever waits here, from any thread: nothing more comes."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is shut

    def close(self) -> None:
        """Closes it, as soon as what has come is read."""
        self._is_closed = True
        self._close_if_unused()

    def reader_closed(self) -> None:
        """What `makefile` gave is closed."""
        self._readers -= 1
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._is_closed and self._readers <= 0:
            self._socket.close()


class _Incoming(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # it is always given one
        return self._wire.receive_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._wire.reader_closed()
