"""A connection that does not wait for a server that has died without a word: frozen, or behind a network that swallows all.

Nothing that TCP says tells it from a server at work: a kernel answers for its frozen processes, and a statement may rightly
take minutes. So a silence is looked into: a second connection is asked for, and when nobody says a word there either, the
server is gone. A server at work answers, or refuses in words (too many connections), and is waited for further.

A connection that is being made is waited for as long as it moves: on a long line each of its steps takes its trip, and none of
them says how many are to come.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Self, TypeVar

import psycopg
from psycopg import errors, generators, waiting
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus
from psycopg.waiting import Ready, Wait

from localfirst_sync.postgres.making import make
from localfirst_sync.pulse import Pulse

if TYPE_CHECKING:
    from psycopg.abc import PQGen, PQGenConn
    from psycopg.pq.abc import PGresult

SILENCE_S = 1.5
SILENCE_TRIPS = 6
"""So long a server may say nothing before it is looked after; twice as long the next time, and so on."""

LONGEST_SILENCE_S = 12.0

LOOK_S = 2.0
LOOK_TRIPS = 6
"""How long a second connection may take to hear a word."""

STEP_S = 3.0
"""How long a step of a connection that is being made may take."""

_INTERVAL_S = 0.1

_Result = TypeVar("_Result")

_making: ContextVar[tuple[Pulse, float]] = ContextVar("making")
"""Whom a connection that is being made tells of its steps, and how long each may take; the driver passes nothing on."""


@contextmanager
def watched_while_made(pulse: Pulse, step_s: float = STEP_S) -> Iterator[None]:
    """Connections made in the block tell `pulse` of their steps, and give up when one of them takes longer than `step_s`."""
    token = _making.set((pulse, step_s))
    try:
        yield
    finally:
        _making.reset(token)


class BoundedConnection(psycopg.Connection[tuple[object, ...]]):
    """A connection whose every wait ends when the server does. For one thread.

    Attributes:
        pooled: whether it leads to a pooler, so that nothing may be left in the session or expected there.
        is_standby: whether it leads to a standby, which reads, and takes no `LISTEN`.
        pulse: informed of every sign of life.
        knows_head_question: whether the question for the head is prepared.
        is_mute: whether it was given up in a block of `word_within` before anything was heard.
    """

    pooled: bool = False
    is_standby: bool = False
    knows_head_question: bool = False

    def __init__(self, *given: object, **named: object) -> None:
        super().__init__(*given, **named)  # type: ignore[arg-type]  # whatever the driver makes it of
        self.pulse = _making.get((Pulse(), STEP_S))[0]
        self.is_mute = False
        self._word_by = math.inf

    @contextmanager
    def word_within(self, budget_s: float) -> Iterator[None]:
        """The first question of the block is a small one, to be answered so soon; after that the usual bounds hold.

        For a connection that was idle, and may be forgotten by somebody on the way: another connection would find the server
        at work, and this one would be waited for in vain.
        """
        self.is_mute, self._word_by = True, time.monotonic() + budget_s
        yield
        self._heard()

    def is_to_answer(self) -> None:
        """Within a pipeline: what was asked so far is to be answered at once, as a sign of life; nothing waits for it here."""
        self.pgconn.send_flush_request()

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Self]:
        """The driver's own way to make a connection, with an end to each of its steps."""
        made = yield from _in_steps(make(conninfo), *_making.get((Pulse(), STEP_S)))
        return cls(made)

    def wait(self, gen: PQGen[_Result], interval: float = _INTERVAL_S, timeout: float | None = None) -> _Result:
        """See psycopg. Raises psycopg's `ConnectionTimeout` for a server that is gone, and lets the connection go."""
        return super().wait(self._watched(gen), interval=interval, timeout=timeout)

    def command(self, text: bytes) -> PGresult:
        """The result of a command that psycopg is not to know of."""
        self.pgconn.send_query(text)
        results: list[PGresult] = self.wait(generators.execute(self.pgconn))
        return results[-1]

    def prepare(self, name: bytes, query: bytes) -> PGresult:
        """Prepares a statement that libpq is asked for directly."""
        self.pgconn.send_prepare(name, query)
        results: list[PGresult] = self.wait(generators.execute(self.pgconn))
        return results[-1]

    def _heard(self) -> None:
        self.is_mute, self._word_by = False, math.inf

    def _watched(self, gen: PQGen[_Result]) -> PQGen[_Result]:
        """The generator, which ends with an error in a silence that nobody breaks."""
        silence_s = 0.0
        heard_at = time.monotonic()
        was_mute = self.is_mute
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready & Ready.R:
                    self.pulse.heard()
                    silence_s, heard_at = 0.0, self.pulse.heard_at
                elif ready != Ready.NONE:
                    silence_s, heard_at = 0.0, time.monotonic()
                elif time.monotonic() >= self._word_by:
                    self.pgconn.finish()
                    raise errors.ConnectionTimeout("connection timeout expired: nothing comes over this connection any more")
                elif time.monotonic() - heard_at >= (silence_s or self.pulse.budget_s(SILENCE_S, SILENCE_TRIPS)):
                    if not self._is_server_there():
                        self.pgconn.finish()
                        raise errors.ConnectionTimeout("connection timeout expired: the server has fallen silent")
                    silence_s = min(2 * (silence_s or SILENCE_S), LONGEST_SILENCE_S)
                    silence_s, heard_at = self.pulse.budget_s(silence_s, SILENCE_TRIPS), time.monotonic()
                wanted = self._taken(gen, ready, was_mute=was_mute)
        except StopIteration as end:
            result: _Result = end.value
            return result

    def _taken(self, gen: PQGen[_Result], ready: Ready | int, *, was_mute: bool) -> Wait:
        """What the generator waits for next, after it has taken what came, which may be all that it waited for, or a refusal.

        Both are words as well: without them the bound of `word_within` would stand for what is asked next, and a refusal
        would be asked for once more. The end of a connection is none, though the server gives its reason first: nobody has
        anything of this wait then, and it is as mute as it `was_mute` before.
        """
        is_end = False
        try:
            return gen.send(ready)
        except psycopg.Error as error:
            is_end = "FATAL" in (error.diag.severity, error.diag.severity_nonlocalized)
            raise
        finally:
            if is_end or self.pgconn.status != ConnStatus.OK:
                self.is_mute = was_mute
            elif ready & Ready.R:
                self._heard()

    def _is_server_there(self) -> bool:
        """Whether anything is heard over another connection; one word is enough."""
        if self.pgconn.status != ConnStatus.OK:
            return True  # the driver is about to say what happened
        given = {option.keyword.decode(): option.val.decode() for option in self.pgconn.info if option.val}
        look = _until_a_word(generators.connect(make_conninfo("", **given)))
        try:
            waiting.wait_conn(look, interval=_INTERVAL_S, timeout=self.pulse.budget_s(LOOK_S, LOOK_TRIPS))
        except errors._WaitTimeout:
            return False
        except psycopg.Error:
            return True  # it answers, though not as one would like
        return True


def _in_steps(gen: PQGenConn[_Result], pulse: Pulse, step_s: float) -> PQGenConn[_Result]:
    """The making of a connection, which ends with an error when a step of it takes too long; measures the trip by the way."""
    moved_at = time.monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            now = time.monotonic()
            if ready:
                if wanted[1] == Wait.R:
                    pulse.measured_step(now - moved_at)
                pulse.moved()
                moved_at = now
            elif now - moved_at >= step_s:
                raise errors.ConnectionTimeout("connection timeout expired")
            # The driver answers a wait that was in vain with nothing: what is waited for is the same then.
            wanted = gen.send(ready) or wanted
    except StopIteration as end:
        result: _Result = end.value
        return result


def _until_a_word(gen: PQGenConn[object]) -> PQGenConn[None]:
    """The making of a connection, up to the first word of whoever is at the other end."""
    with suppress(StopIteration):
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready and wanted[1] == Wait.R:
                return
            wanted = gen.send(ready) or wanted
