"""Whether a server that answers is the one which a replica reconciles with.

A wrong address must not get a whole board, and a copy of the server that was restored elsewhere (staging) must not be taken
for a server that was set back. So the replica keeps which server it knows and where it was reached, and this decides, of
facts alone.

    the replica has seen nothing, or knows no server    it is taken, and known from now on
    the log holds what the replica has seen             it is this board's log, wherever it stands and whatever its name
    at an address that is known:
        the same identity                               it was set back, or another host has taken over: it is recovered
        it holds nothing, or has no identity            it was emptied: it gets the identity that is known, and is filled again
        the same cluster, named later than its content  it was set back to a state from before it had an identity
    anything else                                       another server

(A number of the log comes with a random tag, so that no other log holds it by chance.)
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, TypeAlias

from localfirst_schema.errors import UnavailableError

from localfirst_sync.ports import BEGINNING, Cursor

CAUSE = "another_server"

Recognition: TypeAlias = Literal["same", "unnamed", "another"]
"""`unnamed`: it is the same, and is to be given the identity that is known."""


class Known(NamedTuple):
    """What a replica knows: the server's identity, its cluster's identifier where that could be read, the addresses."""

    id: str
    system_identifier: str | None
    addresses: frozenset[str]


class Found(NamedTuple):
    """What answers.

    Attributes:
        address: where it was reached.
        id: None when somebody has removed it.
        is_later: whether there were projects already when the identity was made.
        is_empty: whether it holds no changes of any project.
        holds_seen: whether its log holds what the replica has seen.
    """

    address: str
    id: str | None
    system_identifier: str | None
    is_later: bool
    is_empty: bool
    holds_seen: bool


class Acquaintance(Protocol):
    """What a replica keeps of its server."""

    def known(self) -> Known | None:
        """The server that is known; None before the first contact, and after `localfirst sync --adopt-server`."""

    def seen(self) -> Cursor:
        """What the replica has seen of the server's log: its cursor, or the head after its last push if that is later."""

    def remember(self, known: Known) -> None:
        """This is the server from now on."""

    def take_project(self, project_id: str, name: str) -> None:
        """There the project has this id and this name: from now on it has them here."""


def recognise(known: Known | None, seen: Cursor, found: Found) -> Recognition:
    """The table above."""
    if known is None or seen == BEGINNING or found.holds_seen:
        return "same" if found.id is not None else "unnamed"
    if found.address not in known.addresses:
        return "another"
    if found.id == known.id:
        return "same"
    if found.is_empty or found.id is None:
        return "unnamed"
    is_same_cluster = found.system_identifier is not None and found.system_identifier == known.system_identifier
    return "same" if is_same_cluster and found.is_later else "another"


def remember(acquaintance: Acquaintance, known: Known | None, met: Known) -> None:
    """This server was met. The addresses of one identity add up; those of another count no more."""
    if known is not None and known.id == met.id:
        met = met._replace(
            system_identifier=met.system_identifier or known.system_identifier, addresses=met.addresses | known.addresses
        )
    if met != known:
        acquaintance.remember(met)


def another_server(address: str) -> UnavailableError:
    """The error for a server that was not recognised; `address` as it may be displayed."""
    return UnavailableError(
        f"The server at {address} is not the one that this replica reconciles with: it has another identity, or it is a copy at"
        " a new address that lacks what this replica has seen. Nothing was sent or fetched; work goes on here. Correct"
        " LOCALFIRST_DATABASE_URL, or run `localfirst sync --adopt-server` if this is to be the project's server from now on.",
        cause=CAUSE,
    )


def deleted_project(name: str) -> UnavailableError:
    """The error for a project that was deleted on the server, to a replica that still has it."""
    return UnavailableError(
        f"The project {name} was deleted on its server. Everything is kept in this replica, and work goes on here; nothing is"
        " sent or fetched. Run `localfirst sync --adopt-server` if the server is to get it again.",
        cause="project_deleted",
    )
