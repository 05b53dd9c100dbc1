"""The stream of a project's events, read by a thread of its own: each tells the head that has just been reached.

It is a hint and nothing more: no read is answered from it, since an event may be on its way while somebody reads. It begins
with the head as it is then, so that nothing is missed between two streams.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from localfirst_schema.errors import LocalfirstError

from localfirst_sync.http.failure import MeetAgain
from localfirst_sync.http.line import Line, in_words
from localfirst_sync.ports import Cursor
from localfirst_sync.supervised import Supervised
from localfirst_sync.wake import Wake

PAUSE_S = 1.0
"""From one stream to the next one, after it was cut; with jitter."""


class Events:
    """From its making to `close`.

    Attributes:
        news: set when anything has come, or the stream was cut.
        head: the last head that came.
        is_renamed: whether it was said that the project has another name.
    """

    def __init__(self, line: Line, headers: Mapping[str, str]) -> None:
        self._line = line
        self._headers = headers
        self._was_cut = False
        self.news = Wake()
        self.head: Cursor | None = None
        self.is_renamed = False
        self._thread = Supervised(self._listen, "localfirst-events", on_end=self.news.close)
        self._thread.start()

    def was_cut(self) -> bool:
        """Whether the stream was cut since this was last asked."""
        was_cut, self._was_cut = self._was_cut, False
        return was_cut

    def close(self) -> None:
        """Ends the thread, and does not wait for it."""
        self._thread.stop()
        self._line.shut()

    def _listen(self) -> None:
        while not self._thread.stopping.is_set():
            try:
                with in_words():
                    self._read()
            except (LocalfirstError, MeetAgain):
                self._line.close()
            if self._thread.stopping.is_set():
                return
            self._was_cut = True
            self.news.set()
            self._thread.stopping.wait(random.uniform(PAUSE_S / 2, PAUSE_S))  # noqa: S311 - it spreads clients
        self._line.close()

    def _read(self) -> None:
        kind = ""
        for line in self._line.ask("GET", "/v1/events", None, self._headers).lines():
            if self._thread.stopping.is_set():
                break
            name, _, value = line.partition(":")
            value = value.strip()
            if name == "event":
                kind = value
            elif name == "data":
                self._take(kind, value)
            elif not line:
                kind = ""
        self._line.close()

    def _take(self, kind: str, value: str) -> None:
        if kind == "renamed":
            self.is_renamed = True
        elif kind == "head":
            seq, _, tag = value.partition(" ")
            if not (seq.isdecimal() and tag.isdecimal()):
                return
            self.head = Cursor(int(seq), int(tag))
        else:
            return
        self.news.set()
