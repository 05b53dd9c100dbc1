"""A session whose replica is away (no place to write, locked, a full disk): reads answer, writes say why not.

It has what operations need of a `Session`. PostgreSQL is asked through a replica in memory, which begins as a copy of the file
where that can be read; below it are git and the status file. The replica is tried again with every write, and every few seconds
with a read; as soon as it is there, everything goes on with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from localfirst_schema.author import fitting_author
from localfirst_schema.errors import LocalfirstError, UnavailableError

from localfirst.client.freshness import Freshness
from localfirst.client.ports import Client
from localfirst.client.server_link import ServerLink
from localfirst.client.services import Services
from localfirst.client.where import place
from localfirst.replica import leases
from localfirst.replica.act import Act
from localfirst.settings import Settings
from localfirst.settings.untrusted import first_warnings, words_of_untrusted

if TYPE_CHECKING:
    from localfirst.client.layer_session import LayerSession

RETRY_S = 5.0

TRY_PATIENCE_MS = 100
"""How long a read waits for the replica when it is tried again; a write waits as long as ever."""


Whole = TypeVar("Whole", bound=Client)
"""The session with its replica, once that is there again."""


class SessionWithoutReplica(Generic[Whole]):
    """Stands for a `Session` until there is one.

    `reopen` opens the session with its replica, and is given for how many ms to wait for one that is locked (None: as long
    as ever).

    Attributes:
        healed: the session with the replica, once it could be opened.
        replica: the rows in memory.
        link: the link between those and the server; None without one configured.
    """

    _is_placed = False

    def __init__(self, settings: Settings, cause: LocalfirstError, reopen: Callable[[int | None], Whole]) -> None:
        from localfirst.client.memory import MemoryReplica
        from localfirst.fallback.layers import Layers  # reading YAML and git is not needed before it is

        self.settings = settings
        self.client_name: str | None = None
        self.services = Services()
        self.cause = cause
        self._announcement = words_of_untrusted(settings)
        self._warnings = first_warnings(settings)
        self.healed: Whole | None = None
        self._reopen = reopen
        self._tried_at = time.monotonic()
        self._memory = MemoryReplica(settings)
        self.replica = self._memory.rows
        with ExitStack() as taken:
            taken.callback(self.replica.close)
            self._layers = Layers(settings, self.project_id)
            taken.callback(self._layers.close)
            self.link = ServerLink(settings, open_store=self._memory.open_store) if settings.has_server else None
            self._freshness = Freshness(self.replica, self.link, "server")
            if self.link is not None:
                taken.callback(self.link.stop, 0.0)
                self.link.start()
            taken.pop_all()  # kept until `close`

    @property
    def project_id(self) -> str:
        """See `Session.project_id`."""
        return str(self.replica.execute("SELECT project_id FROM replica").get)

    @property
    def is_replica_away(self) -> bool:
        """Always: that is what it is for."""
        return True

    def present(self, *, now: bool) -> SessionWithoutReplica[Whole] | Whole:
        """The session with the replica where that can be opened by now, else this one."""
        return self.heal(now=now) or self

    def heal(self, *, now: bool) -> Whole | None:
        """Tries to open the replica again, at once or when it is time to."""
        if self.healed is None and (now or time.monotonic() - self._tried_at >= RETRY_S):
            self._tried_at = time.monotonic()
            try:
                self.healed = self._reopen(None if now else TRY_PATIENCE_MS)
            except LocalfirstError as error:
                self.cause = error
            else:
                self._let_go()
        if self.healed is not None:
            self.healed.client_name = self.client_name
        return self.healed

    def close(self, on_wait: Callable[[], None] | None = None) -> None:
        """Lets go of everything. Something is to be sent only if the replica was opened after all: see `Session.close`."""
        with ExitStack() as rest:
            if self.healed is None:
                rest.callback(self._let_go)
            else:
                rest.callback(self.healed.close, on_wait)
            rest.callback(self.services.close)

    def _let_go(self) -> None:
        with ExitStack() as rest:  # each of them, whatever the one before has met
            rest.callback(self.replica.close)
            rest.callback(self._layers.close)
            if self.link is not None:
                rest.callback(self.link.stop, 0.0)

    def who(self, *given: str | None) -> str | None:
        """Who would write."""
        return next((name for name in given if name), self.settings.client or fitting_author(self.client_name))

    def claimants(self, *given: str | None) -> set[str]:
        """Nobody claims anything here."""
        return {name for name in given if name}

    def server_now(self, later_s: float = 0.0) -> str:
        """The server's time, as far as that is known."""
        return leases.moment(leases.offset_s(self.replica), later_s)

    def refusal(self) -> UnavailableError:
        """Why nothing can be written."""
        return UnavailableError(self.cause.message, **self.cause.details)

    @contextmanager
    def act(self, *by: str | None, is_shared: bool = True) -> Iterator[Act]:
        """Nothing can be written. Raises the error that says why."""
        raise self.refusal()
        yield  # makes it a generator, as a context manager has to be

    def read(self, row_id: str | None = None) -> dict[str, Any]:
        """The common fields of a read's result."""
        return self._warned(self._named(self._freshness.before_read(row_id)))

    @contextmanager
    def one_read(self) -> Iterator[None]:
        """All queries of one answer see one state of what is in memory."""
        self._freshness.begin_snapshot()
        try:
            yield
        finally:
            self._freshness.keeps_snapshot = False
            self._freshness.end_snapshot()

    def end_snapshot(self) -> None:
        """What follows in this read sees what is there by then."""
        self._freshness.keeps_snapshot = False
        self._freshness.end_snapshot()

    def of_replica(self) -> dict[str, Any]:
        """The same for an answer that speaks of the replica itself: nobody is asked."""
        return self._warned(self._named(self._freshness.of_replica()))

    def _warned(self, result: dict[str, Any]) -> dict[str, Any]:
        """The fields with what has to be said once."""
        if self._warnings:
            result["warnings"].extend(self._warnings)
            self._warnings = []
        return result

    def _named(self, source: dict[str, Any]) -> dict[str, Any]:
        """The fields with the name of the layer that the rows in memory are from: the server, the file, or the last one."""
        if source["data_source"] == "postgresql":
            return source
        if not self._memory.is_copy and not self._has_caught_up():
            away = ["database_unavailable"] if self.link is not None else []
            return {"success": True, "data_source": "markdown_file", "warnings": [*away, "using_markdown_fallback"]}
        if "using_fallback_cache" not in source["warnings"]:
            source["warnings"].append("using_fallback_cache")
        return source

    def _has_caught_up(self) -> bool:
        return self.replica.execute("SELECT last_sync_at FROM replica").get is not None

    def catch_up(self) -> bool:
        """Makes the rows in memory level with the server."""
        return self._freshness.catch_up()

    def require_index(self) -> None:
        """Raises UnavailableError where the file could not be read."""
        if not self.has_index():
            raise self.refusal()

    def has_index(self) -> bool:
        """Whether what only a replica has (the code index and its jobs) was read from the file."""
        return self._memory.is_copy

    def has_answers(self) -> bool:
        """Whether the rows in memory mean anything: they are the server's, or those of the file."""
        return self._memory.is_copy or self.catch_up() or self._has_caught_up()

    def is_final(self) -> bool:
        """Whether what is not in memory is nowhere."""
        return self.catch_up()

    def await_server(self, timeout_s: float) -> bool:
        """For when nothing else can answer: waits for a server that is still being tried; whether its rows are here now."""
        if self.link is None or not self.link.await_first_round(timeout_s):
            return False
        return self.has_answers()

    def nothing_to_ask(self) -> UnavailableError:
        """The error for a row of which nobody can say whether it exists."""
        server = "" if self.link is None else "PostgreSQL does not answer, "
        return UnavailableError(
            f"it cannot be said whether this exists: {server}neither git nor the status file has anything, and"
            f" the replica is away: {self.cause.message}",
            **self.cause.details,
        )

    def lower(self) -> Iterator[LayerSession]:
        """The layers below, in order; at least one."""
        from localfirst.client.layer_session import LayerSession

        is_server_away = self.link is not None
        found = False
        for layer in self._layers:
            found = True
            yield LayerSession(self.settings, layer, is_server_away=is_server_away)
        if not found:
            yield LayerSession(self.settings, self._layers.nothing(), is_server_away=is_server_away)

    def written(self, row_id: str | None = None) -> dict[str, Any]:
        """Nothing was written."""
        raise self.refusal()

    def take_place(self) -> dict[str, Any]:
        """See `Session.take_place`."""
        if self.healed is not None:
            return self.healed.take_place()
        if self._is_placed:
            return {}
        self._is_placed = True
        return place(self.settings, self.replica)

    def take_announcement(self) -> str | None:
        """Once: which settings do not count. That the replica is away is the warning of each answer."""
        if self.healed is not None:
            return self.healed.take_announcement()
        words, self._announcement = self._announcement, None
        return words
