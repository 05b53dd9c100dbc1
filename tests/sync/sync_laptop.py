"""A laptop: a real replica file, and rounds of sync by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from daemon import daemon, token
from localfirst_schema.entities import ENTITIES, WORK_ITEM, Entity
from localfirst_schema.identifiers import natural_id, new_id
from localfirst_sync.http.store import HttpStore
from localfirst_sync.known_server import Acquaintance
from localfirst_sync.lock import ReplicaLock
from localfirst_sync.loop import SyncLoop
from localfirst_sync.ports import Identity, RemoteStore
from localfirst_sync.postgres.store import PostgresStore
from localfirst_sync.round import RoundResult, sync_round

from localfirst.replica.act import act
from localfirst.replica.connection import connect
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.opening import open_replica
from localfirst.replica.rows import find, select
from localfirst.replica.structure import derive_paths

PROJECT_NAME = "example.org/team/project"


class Reached(NamedTuple):
    """How a server is reached: PostgreSQL by its own address, or a daemon by its address and a token."""

    url: str
    token: str | None = None

    def opened(self, identity: Identity, known: Acquaintance | None = None) -> RemoteStore:
        """The server as a store."""
        if self.token is not None:
            return HttpStore(self.url, self.token, identity, known)
        return PostgresStore(self.url, identity, known)


class Way(NamedTuple):
    """``direct`` or ``daemon``."""

    name: str

    @contextmanager
    def to(self, url: str, near_url: str | None = None) -> Iterator[Reached]:
        """A database, as it is reached in this way; tokens are made at `near_url`."""
        if self.name == "direct":
            yield Reached(url)
            return
        secret = token(near_url or url, PROJECT_NAME)
        with daemon(url) as address:
            yield Reached(address, secret)


class Laptop:
    """A replica and its way to the server."""

    def __init__(self, path: Path, project_name: str, server: str | Reached) -> None:
        self.path = path
        self.reached = reached = server if isinstance(server, Reached) else Reached(server)
        self.url = reached.url
        self.replica = open_replica(path, project_name)
        self.local = ReplicaStore(connect(path))
        self.remote: Any = reached.opened(self.local.identity())
        self.lock = ReplicaLock(path.with_name(f"{path.name}.lock"))

    def sync(self) -> RoundResult:
        """One round."""
        return sync_round(self.local, self.remote, self.lock)

    def loop(self, **settings: Any) -> SyncLoop:
        """A loop over this replica, not started yet."""
        return SyncLoop(
            open_local=lambda: ReplicaStore(connect(self.path)),
            open_remote=self.reached.opened,
            lock_path=self.path.with_name(f"{self.path.name}.lock"),
            **settings,
        )

    def create(self, entity: Entity, **values: Any) -> str:
        """Creates a row by an act of its own; returns its id."""
        if entity.natural_key:
            parts = [str(values[name]) for name in entity.natural_key]
            row_id = natural_id(self.local.identity().project_id, entity.name, *parts)
        else:
            row_id = new_id()
        before = find(self.replica, entity, row_id)
        if before is not None:
            return row_id
        derived = {"path": row_id, "depth": 0} if entity is WORK_ITEM else {}
        with act(self.replica, self.path.name) as one:
            one.change(entity, None, {"id": row_id} | values, **derived)
            if values.get("parent_id"):
                derive_paths(self.replica, [row_id])
        return row_id

    def change(self, entity: Entity, row_id: str, **values: Any) -> None:
        """Changes a row by an act of its own, if it is there."""
        before = find(self.replica, entity, row_id)
        if before is not None:
            with act(self.replica, self.path.name) as one:
                one.change(entity, before, values)
                derive_paths(self.replica, [row_id] if "parent_id" in values else [])

    def displayed(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every entity as the replica shows it, without what is each store's own way of writing JSON."""
        return {entity.table: select(self.replica, entity, "true ORDER BY id") for entity in ENTITIES}

    def close(self) -> None:
        """Closes everything."""
        self.remote.close()
        self.local.close()
        self.replica.close()


NewLaptop = Callable[[str], Laptop]


@contextmanager
def laptops(folder: Path, url: str | Reached) -> Iterator[NewLaptop]:
    """Makes laptops of one project by name, beside one server; they are closed with the block."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(closing(Laptop(folder / name, PROJECT_NAME, url)))
