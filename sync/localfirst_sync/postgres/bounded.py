"""A connection that does not wait for a server that has died without a word: frozen, or behind a network that swallows all.

Nothing that TCP says tells it from a server at work: a kernel answers for its frozen processes, and a statement may rightly
take minutes. So a silence is looked into: a second connection is asked for, and when nobody answers that either, the server
is gone. A server at work accepts it, or refuses it in words (too many connections), and is waited for further.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import psycopg
from psycopg import errors, generators
from psycopg.pq import ConnStatus
from psycopg.waiting import Ready

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGresult

SILENCE_S = 1.5
"""So long a server may say nothing before it is looked after; twice as long the next time, and so on."""

LONGEST_SILENCE_S = 12.0

LOOK_S = 2
"""How long it is asked for a second connection (psycopg's least)."""

_INTERVAL_S = 0.1

_Result = TypeVar("_Result")


class BoundedConnection(psycopg.Connection[tuple[object, ...]]):
    """A connection whose every wait ends when the server does. For one thread.

    Attributes:
        pooled: whether it leads to a pooler, so that nothing may be left in the session or expected there.
        is_standby: whether it leads to a standby, which reads, and takes no `LISTEN`.
    """

    pooled: bool = False
    is_standby: bool = False

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

    def _watched(self, gen: PQGen[_Result]) -> PQGen[_Result]:
        """The generator, which ends with an error in a silence that nobody breaks."""
        silence_s = SILENCE_S
        heard_at = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready != Ready.NONE:
                    silence_s, heard_at = SILENCE_S, time.monotonic()
                elif time.monotonic() - heard_at >= silence_s:
                    if not self._is_server_there():
                        self.pgconn.finish()
                        raise errors.ConnectionTimeout("connection timeout expired: the server has fallen silent")
                    silence_s, heard_at = min(2 * silence_s, LONGEST_SILENCE_S), time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as end:
            result: _Result = end.value
            return result

    def _is_server_there(self) -> bool:
        if self.pgconn.status != ConnStatus.OK:
            return True  # the driver is about to say what happened
        given = {option.keyword.decode(): option.val.decode() for option in self.pgconn.info if option.val}
        try:
            psycopg.connect(**(given | {"connect_timeout": str(LOOK_S)})).close()  # type: ignore[arg-type]  # libpq's own options
        except errors.ConnectionTimeout:
            return False
        except psycopg.Error:
            return True  # it answers, though not as one would like
        return True
