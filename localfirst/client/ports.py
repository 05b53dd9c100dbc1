"""What others need of a client's session, whichever it is: with its replica, without it, or over one layer below.

    Reader          what an operation that reads asks of the layer that answers it
    Writer          what one that writes has beside that: an act, and what follows its commit
    Source          what the cascade needs of the replica, or of what stands in for it: what it has, and what is below
    Client          an open session as its owner (a server, a command) sees it

`Session` is all four, `SessionWithoutReplica` too (it refuses to write), `LayerSession` is a `Reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import apsw

from localfirst.client.server_link import ServerLink
from localfirst.client.services import Services
from localfirst.replica.act import Act
from localfirst.replica.last_act import Step
from localfirst.settings import Settings


class Reader(Protocol):
    """One layer, as the operation sees it that is answered from it.

    Attributes:
        settings: those of the client.
        client_name: what the MCP client calls itself.
    """

    settings: Settings
    client_name: str | None

    @property
    def replica(self) -> apsw.Connection:
        """The layer's rows, in tables of the replica's shape."""

    @property
    def link(self) -> ServerLink | None:
        """The link to the server; None without one, and for a layer below the replica."""

    @property
    def project_id(self) -> str:
        """The project's id in those rows."""

    @property
    def services(self) -> Services:
        """What is kept from call to call, and closed with the session."""

    @property
    def is_replica_away(self) -> bool:
        """Whether the replica cannot be used, so that these rows stand in for it."""

    def require_index(self) -> None:
        """Raises UnavailableError where what only a replica holds (the code index and its jobs) is not among these rows."""

    def has_index(self) -> bool:
        """Whether it is."""

    def read(self, row_id: str | None = None) -> dict[str, Any]:
        """Makes the rows as fresh as they can be; the fields that every result of a read has.

        `row_id`: the one row that is read; None for lists, search and status.
        """

    def of_replica(self) -> dict[str, Any]:
        """The same fields for an answer about the replica itself: nobody is asked."""

    def one_read(self) -> AbstractContextManager[None]:
        """All queries within see one state of the rows: that of which `read` says how fresh it is."""

    def end_snapshot(self) -> None:
        """What follows in this read sees what is there by then, and may write."""

    def catch_up(self) -> bool:
        """Pulls what the server has beyond these rows; False where there is no server or it is away."""

    def who(self, *given: str | None) -> str | None:
        """Who acts: what the call says, else the setting, else the client's own name."""

    def claimants(self, *given: str | None) -> set[str]:
        """The names under which a call holds what it holds: the session's own, and those that the call gives."""

    def server_now(self, later_s: float = 0.0) -> str:
        """The server's time, as far as that is known: by it leases end."""

    def act(self, *by: str | None, is_shared: bool = True) -> AbstractContextManager[Act]:
        """One act on the rows; without `is_shared` it is about what is the replica's alone.

        Raises UnavailableError where nothing can be written, InvalidStateError for who may only read what is shared.
        """


class Writer(Reader, Protocol):
    """What an operation that writes needs of the session."""

    def written(self, row_id: str | None = None) -> dict[str, Any]:
        """The fields that every result of a write has."""

    def claimant(self, given: str | None = None) -> str:
        """Who claims: what the call says, else this session."""

    def away_since(self) -> str | None:
        """When the last session of this client name ended here; this one is written down."""

    def verdict(self) -> AbstractContextManager[None]:
        """An error within is the server's answer to the act, and the act's own answer."""

    def last_steps(self) -> Sequence[Step]:
        """What the last act did that changed anything."""


class Source(Reader, Protocol):
    """The replica, or what stands in for it, and the layers below."""

    def present(self, *, now: bool) -> Source:
        """Itself, or the session with its replica where that is back; `now`: it is tried, whenever it was tried last."""

    def has_answers(self) -> bool:
        """Whether its rows mean anything."""

    def is_final(self) -> bool:
        """Whether what its rows lack is nowhere."""

    def lower(self) -> Iterator[Reader]:
        """The layers below, in order."""


class Client(Protocol):
    """An open session, as its owner sees it."""

    client_name: str | None

    def take_announcement(self) -> str | None:
        """Once: what a user should know before anything else."""

    def take_place(self) -> dict[str, Any]:
        """Once: the project and the root, for the first answer."""

    def close(self, on_wait: Callable[[], None] | None = None) -> None:
        """Sends what can be sent within a second, and lets go of everything."""
