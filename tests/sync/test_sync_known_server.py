"""A replica reconciles with one server: with that in whatever state, and with no other until it is asked to."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
from cluster import run
from gateway import Gateway
from localfirst_schema.entities import VENDOR
from localfirst_schema.errors import UnavailableError
from localfirst_sync.known_server import Found, Known, Recognition, recognise
from localfirst_sync.ports import BEGINNING, Cursor
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.migrate import migrate
from localfirst_sync.postgres.store import PostgresStore
from postgres import Server
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sync_laptop import PROJECT_NAME, Laptop

HERE, ELSEWHERE = "db:5432/team", "staging:5432/team"
KNOWN = Known("ours", "cluster", frozenset({HERE}))
SEEN = Cursor(7, 12345)


def found(
    *,
    address: str = HERE,
    name: str | None = "ours",
    cluster: str | None = "cluster",
    later: bool = False,
    empty: bool = False,
    holds: bool = False,
) -> Found:
    """What answers: unless set otherwise the known server, set back to before what was seen."""
    return Found(address, name, cluster, later, empty, holds)


@pytest.mark.parametrize(
    ("answers", "taken"),
    [
        (found(holds=True), "same"),
        (found(), "same"),
        (found(cluster="promoted"), "same"),
        (found(cluster=None), "same"),
        (found(address=ELSEWHERE, holds=True), "same"),
        (found(address=ELSEWHERE, name="renamed", holds=True), "same"),
        (found(name="new", empty=True), "unnamed"),
        (found(name=None), "unnamed"),
        (found(address=ELSEWHERE, name=None, holds=True), "unnamed"),
        (found(name="new", later=True), "same"),
        (found(name="theirs"), "another"),
        (found(name="theirs", later=True, cluster="theirs"), "another"),
        (found(name="theirs", later=True, cluster=None), "another"),
        (found(address=ELSEWHERE), "another"),
        (found(address=ELSEWHERE, empty=True), "another"),
        (found(address=ELSEWHERE, name=None), "another"),
        (found(address=ELSEWHERE, name="new", empty=True), "another"),
        (found(address=ELSEWHERE, name="new", later=True), "another"),
    ],
)
def test_a_server_is_recognised_by_identity_address_and_log(answers: Found, taken: Recognition) -> None:
    assert recognise(KNOWN, SEEN, answers) == taken
    if taken == "another":
        expected = "same" if answers.id is not None else "unnamed"
        assert recognise(None, SEEN, answers) == recognise(KNOWN, BEGINNING, answers) == expected


def test_a_cluster_that_nobody_could_ask_for_its_identifier_is_no_reason() -> None:
    unknown = KNOWN._replace(system_identifier=None)
    assert recognise(unknown, SEEN, found(name="new", later=True, cluster=None)) == "another"


class Databases:
    """Databases of one's own that change places: what is reached under a name is another one then."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.made: list[str] = []

    def make(self, template: str = "template0") -> str:
        """A new database, a copy of `template`; its name."""
        name = f"test_{uuid.uuid4().hex}"
        self._server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        self.made.append(name)
        return name

    def drop(self, name: str) -> None:
        """Drops a database."""
        self._server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def put(self, source: str, in_place_of: str) -> None:
        """Drops one database, and gives another its name."""
        self.drop(in_place_of)
        self._server.execute(f"ALTER DATABASE {source} RENAME TO {in_place_of}")

    def url(self, name: str) -> str:
        """Where a database is reached."""
        return self._server.url(name)


NewLaptop = Callable[[str, str], Laptop]


@pytest.fixture
def databases(postgres_server: Server) -> Iterator[Databases]:
    made = Databases(postgres_server)
    yield made
    for name in made.made:
        made.drop(name)


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[NewLaptop]:
    """Makes laptops, or opens one again with another address."""
    with ExitStack() as open_ones:

        def make(name: str, url: str) -> Laptop:
            opened = Laptop(tmp_path / f"{name}.db", PROJECT_NAME, url)
            opened.remote = PostgresStore(url, opened.local.identity(), opened.local.known_server())
            open_ones.callback(opened.close)
            return opened

        yield make


def vendors(url: str) -> list[str]:
    """What the server holds; nothing is no table either."""
    with psycopg.connect(url) as server:
        if server.execute("SELECT to_regclass('localfirst.vendor_extractors')").fetchone() == (None,):
            return []
        return [str(name) for (name,) in server.execute("SELECT name FROM localfirst.vendor_extractors ORDER BY 1").fetchall()]


def identity(url: str) -> str:
    """The identity that the server has."""
    with psycopg.connect(url) as server:
        [(found,)] = server.execute("SELECT id::text FROM localfirst.server_identity").fetchall()
        return str(found)


def refuses(laptop: Laptop) -> None:
    """Nothing goes out or comes in, and everything is kept."""
    before, waiting, cursor = laptop.displayed(), laptop.local.pending_count(), laptop.local.cursor()
    with pytest.raises(UnavailableError) as refused:
        laptop.sync()
    assert refused.value.details["cause"] == "another_server"
    assert "--adopt-server" in refused.value.message
    assert (laptop.displayed(), laptop.local.pending_count(), laptop.local.cursor()) == (before, waiting, cursor)


def test_a_wrong_address_gets_nothing(databases: Databases, laptop: NewLaptop) -> None:
    home, wrong = databases.make(), databases.make()
    ann = laptop("ann", databases.url(home))
    ann.create(VENDOR, name="Alder", operational=True, metadata={})
    ann.sync()
    elsewhere = laptop("ann", databases.url(wrong))
    elsewhere.create(VENDOR, name="Birch", operational=True, metadata={})
    refuses(elsewhere)
    refuses(elsewhere)
    assert vendors(databases.url(wrong)) == []
    ann.sync()
    assert vendors(databases.url(home)) == ["Alder", "Birch"]


def test_a_staging_that_was_restored_from_an_older_dump_gets_nothing(databases: Databases, laptop: NewLaptop) -> None:
    home = databases.make()
    ann = laptop("ann", databases.url(home))
    ann.create(VENDOR, name="Alder", operational=True, metadata={})
    ann.sync()
    ann.remote.close()
    staging = databases.make(home)
    ann.create(VENDOR, name="Birch", operational=True, metadata={})
    ann.sync()
    refuses(laptop("ann", databases.url(staging)))
    assert vendors(databases.url(staging)) == ["Alder"]


def test_a_server_that_has_moved_with_all_that_was_seen_is_taken_and_its_address_known(
    databases: Databases, laptop: NewLaptop
) -> None:
    home = databases.make()
    ann = laptop("ann", databases.url(home))
    ann.create(VENDOR, name="Alder", operational=True, metadata={})
    ann.sync()
    ann.remote.close()
    moved, older = databases.make(home), databases.make(home)
    there = laptop("ann", databases.url(moved))
    there.create(VENDOR, name="Birch", operational=True, metadata={})
    there.sync()
    there.remote.close()
    databases.put(older, moved)  # set back where it is known by now
    there.sync()
    assert vendors(databases.url(moved)) == ["Alder", "Birch"]


def test_another_board_at_the_known_address_gets_nothing_until_it_is_adopted(databases: Databases, laptop: NewLaptop) -> None:
    home, theirs = databases.make(), databases.make()
    ann, eve = laptop("ann", databases.url(home)), laptop("eve", databases.url(theirs))
    for one, name in ((ann, "Alder"), (eve, "Elm")):
        one.create(VENDOR, name=name, operational=True, metadata={})
        one.sync()
        one.remote.close()
    databases.put(theirs, home)
    ann.create(VENDOR, name="Birch", operational=True, metadata={})
    refuses(ann)
    assert vendors(databases.url(home)) == ["Elm"]
    ann.local.known_server().forget()
    ann.sync()
    assert vendors(databases.url(home)) == ["Alder", "Birch", "Elm"]
    assert [row["name"] for row in sorted(ann.displayed()["vendor_extractors"], key=lambda row: str(row["name"]))] == [
        "Alder",
        "Birch",
        "Elm",
    ]
    known = ann.local.known_server().known()
    assert known is not None
    assert known.id == identity(databases.url(home))


def test_an_emptied_server_is_filled_again_and_known_to_everybody(databases: Databases, laptop: NewLaptop) -> None:
    home = databases.make()
    ann, bob = laptop("ann", databases.url(home)), laptop("bob", databases.url(home))
    for one, name in ((ann, "Alder"), (bob, "Birch"), (ann, "Cedar"), (bob, "Dogwood")):
        one.create(VENDOR, name=name, operational=True, metadata={})
        one.sync()
    was = identity(databases.url(home))
    for one in (ann, bob):
        one.remote.close()
    databases.put(databases.make(), home)
    new = laptop("new", databases.url(home))  # knows nothing, and has nothing to lose
    for one in (new, ann, bob, new, ann):
        one.sync()
    assert vendors(databases.url(home)) == ["Alder", "Birch", "Cedar", "Dogwood"]
    assert identity(databases.url(home)) == was
    assert ann.displayed() == bob.displayed() == new.displayed()


def test_a_server_that_was_set_back_at_its_address_recovers(databases: Databases, laptop: NewLaptop) -> None:
    home = databases.make()
    ann, bob = laptop("ann", databases.url(home)), laptop("bob", databases.url(home))
    ann.create(VENDOR, name="Alder", operational=True, metadata={})
    for one in (ann, bob):
        one.sync()
        one.remote.close()
    older = databases.make(home)
    for one, name in ((ann, "Birch"), (bob, "Cedar")):
        one.create(VENDOR, name=name, operational=True, metadata={})
        one.sync()
        one.remote.close()
    databases.put(older, home)
    for one in (ann, bob, ann):
        one.sync()
    assert vendors(databases.url(home)) == ["Alder", "Birch", "Cedar"]


def test_a_state_from_before_there_were_identities_recovers_too(databases: Databases, laptop: NewLaptop) -> None:
    older = databases.make()
    ann = laptop("ann", databases.url(older))
    ann.create(VENDOR, name="Alder", operational=True, metadata={})
    ann.remote = PostgresStore(databases.url(older), ann.local.identity())
    ann.sync()
    ann.remote.close()
    home = databases.make(older)
    # What the migration that brings identities makes of a state which had none: another one, later than its projects.
    run(databases.url(older), "UPDATE localfirst.server_identity SET id = gen_random_uuid(), is_later = true")
    ann.remote = PostgresStore(databases.url(home), ann.local.identity(), ann.local.known_server())
    ann.create(VENDOR, name="Birch", operational=True, metadata={})
    ann.sync()
    ann.remote.close()
    databases.put(older, home)
    ann.sync()
    assert vendors(databases.url(home)) == ["Alder", "Birch"]


def test_the_hosts_of_one_address_are_one(databases: Databases, laptop: NewLaptop) -> None:
    """A standby that had not got everything takes over: the other host of the address."""
    home = databases.make()
    with closing(Gateway(databases.url(home))) as primary, closing(Gateway(databases.url(home))) as standby:
        ports = [conninfo_to_dict(one.url)["port"] for one in (primary, standby)]
        both = make_conninfo(primary.url, host="127.0.0.1,127.0.0.1", port=",".join(str(port) for port in ports))
        ann = laptop("ann", both)
        ann.create(VENDOR, name="Alder", operational=True, metadata={})
        ann.sync()
        ann.remote.close()
        behind = databases.make(home)
        ann.create(VENDOR, name="Birch", operational=True, metadata={})
        ann.sync()
        ann.remote.close()
        primary.close()
        databases.put(behind, home)
        ann.sync()
        assert vendors(databases.url(home)) == ["Alder", "Birch"]
        known = ann.local.known_server().known()
        assert known is not None
        assert known.addresses == {f"127.0.0.1:{port}/{home}" for port in ports}


def test_a_role_that_may_not_ask_for_the_cluster_is_served(databases: Databases, laptop: NewLaptop, tmp_path: Path) -> None:
    home = databases.make()
    role = f"laptop_{uuid.uuid4().hex[:12]}"
    with closing(connect(databases.url(home))) as admin:
        migrate(admin)
        admin.execute(f"CREATE ROLE {role} LOGIN".encode())
        try:
            admin.execute("REVOKE ALL ON FUNCTION pg_catalog.pg_control_system() FROM PUBLIC")
            admin.execute("SELECT localfirst.grant_role(%s, 'laptop')", (role,))
            ann = laptop("ann", make_conninfo(databases.url(home), user=role))
            ann.create(VENDOR, name="Alder", operational=True, metadata={})
            ann.sync()
            known = ann.local.known_server().known()
            assert known is not None
            assert (known.id, known.system_identifier) == (identity(databases.url(home)), None)
            ann.remote.close()
        finally:
            admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
