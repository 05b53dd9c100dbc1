"""What PostgreSQL's side gives to a sink, as frames on their way to a laptop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from localfirst_sync.http import packet
from localfirst_sync.http.messages import (
    FRAME_BYTES,
    FRAME_BYTES_MAX,
    Begins,
    Expects,
    Frame,
    History,
    Rows,
    SnapshotQuestion,
)
from localfirst_sync.ports import Cursor, HistoryRow

PIECE_BYTES = 256 * 1024
"""So much is gathered before anything is sent: a small answer is sent whole, at its end."""


class Outgoing:
    """A `PullSink` whose frames go to `send`, in pieces; `taken` gives the last of them."""

    def __init__(self, send: Callable[[bytes], None], *, compressed: bool) -> None:
        self._send = send
        self._compressed = compressed
        self._pieces: list[bytes] = []
        self._size = 0
        self.has_sent = False

    def frame(self, frame: Frame) -> None:
        """Adds a frame."""
        self._add(packet.encoded(frame))

    def expects(self, changes: int) -> None:
        """See `PullSink.expects`."""
        self.frame(Expects(changes))

    def rows(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """See `PullSink.rows`."""
        self._in_parts(lambda some: Rows(table, some), list(rows))

    def history(self, rows: Sequence[HistoryRow]) -> None:
        """See `PullSink.history`."""
        self._in_parts(History, list(rows))

    def taken(self) -> bytes:
        """What was not sent yet."""
        pieces, self._pieces, self._size = self._pieces, [], 0
        return b"".join(pieces)

    def _in_parts(self, make: Callable[[Any], Frame], rows: list[Any]) -> None:
        if not rows:
            return
        payload = packet.encoded(make(rows))
        if len(payload) <= FRAME_BYTES or len(rows) == 1:
            assert len(payload) <= FRAME_BYTES_MAX, "a row is never so large"
            self._add(payload)
            return
        parts = min(len(rows), -(-len(payload) // FRAME_BYTES) + 1)
        step = -(-len(rows) // parts)
        for begin in range(0, len(rows), step):
            self._in_parts(make, rows[begin : begin + step])

    def _add(self, payload: bytes) -> None:
        piece = packet.wrapped(payload, compressed=self._compressed)
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= PIECE_BYTES:
            self.has_sent = True
            self._send(self.taken())


class OutgoingFill(Outgoing):
    """A `Staging` that stands where the laptop's stands."""

    def __init__(self, send: Callable[[bytes], None], question: SnapshotQuestion, *, compressed: bool) -> None:
        super().__init__(send, compressed=compressed)
        self.cursor = question.cursor
        self.read_at = question.read_at
        self.place = question.place

    def begin(self, head: Cursor) -> None:
        """See `Staging.begin`."""
        self.cursor = self.read_at = head
        self.frame(Begins(head, True))

    def go_on(self, head: Cursor) -> None:
        """See `Staging.go_on`."""
        self.read_at = head
        self.frame(Begins(head, False))
