"""How many round trips each exchange takes: what stands in the table of docs/protocol.md, to the trip.

A long line is patient with everything but questions. One that is asked where none was needed costs everybody 40 to 150 ms.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import psycopg
import pytest
from line import Line
from localfirst_schema.errors import UnavailableError
from localfirst_sync.postgres.connection import connect
from waiting import until

from localfirst.client.session import Session
from localfirst.operations.registry import BY_NAME
from localfirst.settings import load

TRIP_S = 0.03
SETTLED_S = 0.3
"""After so long nothing that belongs to an exchange is still under way."""

GIVEN_UP_S = 5.0
"""Half a second, a new connection, and what a crowded machine needs."""

TABLE = Path(__file__).parents[2] / "docs" / "protocol.md"


def trips_in_docs() -> dict[str, int]:
    """The table: by exchange, its trips."""
    text = TABLE.read_text(encoding="utf-8").split("## Round trips")[1].split("\n## ")[0]
    return {name: int(number) for name, number in re.findall(r"^\| ([^|]+?) \| (\d+)", text, re.MULTILINE)}


class Far:
    """A session at the end of a line of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir()
        self.line = Line(url, trip_s=TRIP_S)
        given = {
            "LOCALFIRST_REPLICA": str(folder / "r.db"),
            "LOCALFIRST_PROJECT": "team/trips",
            "LOCALFIRST_DATABASE_URL": self.line.url,
        }
        self.settings = load(folder, given)
        self.session: Session | None = None

    def start(self) -> Session:
        """A process that is level with the server."""
        self.session = Session(self.settings)
        link = self.session.link
        assert link is not None
        until(link.is_online, 20)
        return self.session

    def here(self, query: str, *values: str) -> object:
        """The first value that the replica has."""
        assert self.session is not None
        return self.session.replica.execute(query, values).get

    def stop(self) -> None:
        """It ends."""
        if self.session is not None:
            self.session.close()
        self.session = None

    def close(self) -> None:
        """Everything ends."""
        self.stop()
        self.line.close()

    def ask(self, operation: str, **arguments: object) -> dict[str, object]:
        """One operation."""
        found = BY_NAME[operation]
        return found.run(self.session, found.arguments.model_validate(arguments))

    def settled(self) -> int:
        """The trips so far, once no more are made."""
        seen = -1
        while seen != (seen := self.line.trips):
            until(_Pause(), 5)
        return seen


class _Pause:
    """True after `SETTLED_S`: there is no event for that nothing comes any more."""

    def __init__(self) -> None:
        self._until = time.monotonic() + SETTLED_S

    def __call__(self) -> bool:
        return time.monotonic() >= self._until


@pytest.fixture
def far(tmp_path: Path, database_url: str) -> Iterator[Callable[[str], Far]]:
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(closing(Far(tmp_path / name, database_url)))


def test_start_first_fill_push_pull_read_and_poll(far: Callable[[str], Far], database_url: str) -> None:
    said = trips_in_docs()
    ann, bob = far("ann"), far("bob")
    ann.start()
    ann.ask("create_work_item", item_type="task", title="First")
    until(lambda: not ann.ask("sync_status")["pending_mutations"], 20)
    ann.stop()

    before = ann.settled()
    ann.start()
    assert ann.settled() - before == 1 + said["start of a replica that is level"], (
        "one is the authentication of a server that trusts"
    )

    bob.start()
    # Work items, the configuration and the history have rows.
    assert (
        bob.settled()
        == 1 + said["start of a replica that is level"] + said["first fill, and one for each table that has rows"] + 3
    )

    for title in ("Second", "Third"):
        both_before = ann.settled(), bob.settled()
        item = str(ann.ask("create_work_item", item_type="task", title=title)["id"])
        until(partial(bob.here, "SELECT 1 FROM work_items WHERE id = ?", item), 20)
        after = ann.settled(), bob.settled()
        assert [now - then for then, now in zip(both_before, after, strict=True)] == [said["push"], said["pull after a notice"]]

    before = bob.settled()
    with psycopg.connect(database_url) as server:
        server.execute("UPDATE localfirst.work_items SET title = 'psql' WHERE title = 'Third'")
    until(lambda: bob.here("SELECT 1 FROM work_items WHERE title = 'psql'"), 20)
    assert bob.settled() - before == said["pull after a notice"]

    bob.ask("list_work_items")
    bob.settled()  # the reader's own connection stands now
    before = bob.settled()
    assert bob.ask("list_work_items")["data_source"] == "postgresql"
    assert bob.settled() - before == said["read"]

    before = bob.settled()
    bob.ask("sync_now")
    assert bob.settled() - before == said["idle poll, or a sync that finds nothing"]


def test_a_push_looks_at_parents_dependencies_and_children_with_its_first_question(far: Callable[[str], Far]) -> None:
    said = trips_in_docs()
    ann = far("ann")
    ann.start()
    for _ in range(2):
        ann.ask("list_work_items")
        ann.settled()  # the reader's own connection stands now
    above = ann.ask("create_work_item", item_type="task", title="Above")["id"]
    other = ann.ask("create_work_item", item_type="task", title="Other")["id"]

    def trips_of(operation: str, **arguments: object) -> tuple[str, int]:
        ann.settled()
        [of_the_loop, *_of_the_reader] = ann.line.passages
        before = of_the_loop.trips
        done = ann.ask(operation, **arguments)
        ann.settled()
        after = of_the_loop.trips
        assert not ann.here("SELECT count(*) FROM outbox")
        return str(done.get("id")), after - before

    child, trips = trips_of("create_work_item", item_type="task", title="Child", parent_id=above)
    assert trips == said["push"]
    _, trips = trips_of("update_work_item", id=child, version=1, parent_id=other)
    assert trips == said["push"]
    _, trips = trips_of("link_work_items", source_id=child, target_id=above, dependency_type="depends_on")
    assert trips == said["push"]
    _, trips = trips_of("create_work_item", item_type="task", title="Leaf", parent_id=child)
    assert trips == said["push"]
    _, trips = trips_of("undo")
    assert trips == said["push"], "what is deleted has no live children: that is asked at once too"
    _, trips = trips_of("undo")
    assert trips == said["push of an item that is revived below another one"]


def test_a_push_that_ends_with_a_conflict(far: Callable[[str], Far], database_url: str) -> None:
    said = trips_in_docs()
    ann = far("ann")
    ann.start()
    item = ann.ask("create_work_item", item_type="task", title="Both change it")["id"]
    before = ann.settled()
    ann.line.freeze()
    with psycopg.connect(database_url) as server:
        server.execute("UPDATE localfirst.work_items SET title = 'psql'")
    ann.ask("update_work_item", id=item, version=1, title="Ann")
    ann.line.thaw()
    until(lambda: ann.here("SELECT count(*) FROM conflicts"), 20)
    # The notice of what psql did came with the answers, and is followed once it is free to.
    assert ann.settled() - before == said["push that ends with a conflict"] + said["pull after a notice"]


@pytest.mark.parametrize("first", ["push", "pull"])
def test_a_connection_that_somebody_forgot_is_given_up_with_the_first_question(
    far: Callable[[str], Far], database_url: str, first: str
) -> None:
    ann = far("ann")
    link = ann.start().link
    assert link is not None
    ann.ask("create_work_item", item_type="task", title="Before")
    ann.settled()
    [of_the_loop, *_of_the_reader] = ann.line.passages
    assert not of_the_loop.is_forgotten
    with psycopg.connect(database_url, autocommit=True) as server:
        ann.line.forget()
        began = time.monotonic()
        if first == "push":
            ann.ask("create_work_item", item_type="task", title="After")
            until(lambda: server.execute("SELECT 1 FROM localfirst.work_items WHERE title = 'After'").fetchone(), 20)
        else:
            server.execute("UPDATE localfirst.work_items SET title = 'After'")
            link.pull(20)
            assert ann.here("SELECT title FROM work_items") == "After"
        # By itself the driver would wait until TCP gives up, or another connection finds the server at work again and again.
        assert time.monotonic() - began < GIVEN_UP_S
    assert link.last_error() is None


def test_the_first_word_may_be_all_that_was_asked_for_or_a_refusal(database_url: str) -> None:
    with connect(database_url) as connection:
        with connection.word_within(0.2):
            connection.execute("SELECT 1")
            connection.execute("SELECT pg_sleep(0.6)")  # nobody promised that what follows is answered so soon
        with pytest.raises(psycopg.errors.DivisionByZero), connection.word_within(5):
            connection.execute("SELECT 1 / 0")
        assert not connection.is_mute, "what was refused is not asked again"
        with psycopg.connect(database_url) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError), connection.word_within(5):
            connection.execute("SELECT 1")
        assert connection.is_mute, "the end of a connection that was idle is no word"


def test_a_pull_of_many_changes_asks_for_none_of_them_twice(far: Callable[[str], Far], database_url: str) -> None:
    said = trips_in_docs()
    bob = far("bob")
    bob.start()
    before = bob.settled()
    with psycopg.connect(database_url) as server:
        server.execute(
            "INSERT INTO localfirst.work_items (project_id, item_type, title)"
            " SELECT p.project_id, 'task', 'Number ' || n FROM localfirst.project_heads AS p, generate_series(1, 600) AS n"
        )
    until(lambda: bob.here("SELECT count(*) FROM work_items") == 600, 20)
    assert bob.settled() - before == said["pull of 600 changes"]


def test_a_client_that_is_connected_stops_pushing_when_the_server_asks_for_a_later_protocol(
    far: Callable[[str], Far], database_url: str
) -> None:
    ann = far("ann")
    link = ann.start().link
    assert link is not None
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute(
            "INSERT INTO localfirst.schema_migrations (number, name, sha256, protocol) VALUES (9999, 'later', '', 1000000)"
        )
        ann.ask("create_work_item", item_type="task", title="Kept")
        until(link.last_error, 20)
        with pytest.raises(UnavailableError, match="newer than this client") as logged:
            ann.ask("sync_now")
        assert logged.value.details["cause"] == "protocol"
        assert server.execute("SELECT count(*) FROM localfirst.work_items").fetchone() == (0,)
        server.execute("DELETE FROM localfirst.schema_migrations WHERE number = 9999")
        assert link.sync(30) is not None
        assert server.execute("SELECT count(*) FROM localfirst.work_items").fetchone() == (1,)
