"""`localfirst sync --watch`: the sync loop as a service, with a line for each round that did something.

It ends when nobody can read its lines any more: a service that goes on unseen would be taken for one that has ended.
"""

from __future__ import annotations

import select
import signal
import sys
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any, NoReturn

import msgspec
from localfirst_schema import timestamps
from localfirst_schema.errors import UnavailableError

from localfirst.client.session import Session

LOOK_EVERY_S = 1.0
"""How often it is looked whether the server still answers; rounds tell of themselves."""


class _StopRequested(BaseException):
    """SIGTERM or SIGINT."""


def watch(session: Session, *, as_json: bool) -> None:
    """Stays until SIGTERM or SIGINT.

    Raises UnavailableError without a server (one that is away is waited for), and OSError when standard output cannot be
    written any more; BrokenPipeError when its reader is gone.
    """
    if session.link is None:
        raise UnavailableError(
            "no server is configured; set LOCALFIRST_SERVER_URL or LOCALFIRST_DATABASE_URL.", cause="settings"
        )
    lines = _Lines(as_json=as_json)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        session.link.on_round = lines.round
        lines.event("watching", f"keeps {session.settings.project or 'this project'} in step with {session.link.server()}")
        problem: str | None = None
        while True:
            if (now := session.link.last_error()) != problem:
                problem = now
                lines.event("waiting" if problem else "answering", problem or "the server answers")
            lines.wait(LOOK_EVERY_S)
    except _StopRequested:
        lines.event("stopped", "stopped")


def _stop(_: int, __: FrameType | None) -> NoReturn:
    # The clean end takes a second at most; a second signal does not make it unclean.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise _StopRequested


class _Lines:
    """One line of standard output for each event, at once: in words, or as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._lock = threading.Lock()
        self._has_failed = threading.Event()
        self._failure: Exception | None = None

    def round(self, counts: Mapping[str, int]) -> None:
        """Called by the loop's thread after a round that did something."""
        words = {"pushed": "sent", "pulled": "received", "merged": "merged", "conflicts": "in conflict"}
        try:
            self._write("round", ", ".join(f"{counts[name]} {word}" for name, word in words.items() if counts[name]), counts)
        except Exception as error:  # noqa: BLE001 - `wait` raises it, in the thread that can end the service
            self._failure = error
            self._has_failed.set()

    def event(self, name: str, words: str) -> None:
        """Something that is not a round."""
        self._write(name, words, {"message": words})

    def wait(self, timeout_s: float) -> None:
        """Waits for so long. Raises what has kept a line from being written, and BrokenPipeError when the reader is gone."""
        self._has_failed.wait(timeout_s)
        if self._failure is not None:
            raise self._failure
        if _is_reader_gone(sys.stdout.fileno()):
            raise BrokenPipeError

    def _write(self, event: str, words: str, more: Mapping[str, Any]) -> None:
        at = timestamps.now()
        line = msgspec.json.encode({"at": at, "event": event, **more}).decode() if self._as_json else f"{at} {words}"
        with self._lock:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


def _is_reader_gone(descriptor: int) -> bool:
    """Whether the other end of a pipe or terminal is closed; where that cannot be asked, the next line finds out."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
