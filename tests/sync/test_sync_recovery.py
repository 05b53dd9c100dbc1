"""PostgreSQL is set back to an older state: whatever it lost comes back, once, and nothing is overwritten."""

from __future__ import annotations

import random
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from line import far_from
from localfirst_schema.entities import (
    CONFIGURATION,
    DEPLOYMENT,
    VENDOR,
    VENDOR_DEPLOYMENT_LINK,
    WORK_ITEM,
    WORK_ITEM_COMMENT,
    WORK_ITEM_DEPENDENCY,
)
from localfirst_schema.errors import UnavailableError
from localfirst_sync import recovery
from localfirst_sync.ports import Cursor, Identity, RecoveryPart, RemoteStore, Restored
from localfirst_sync.round import RoundResult, push_outbox, sync_round
from postgres import Server
from sync_backup import Database, assert_level, database, logged_by_replica, logged_by_server, replica_rows
from sync_editing import edit
from sync_laptop import PROJECT_NAME, Laptop, NewLaptop, Way, laptops
from sync_sender import task

from localfirst.replica.act import act
from localfirst.replica.rows import find

SEEDS = 24
DAEMONS_SEEDS = 4
"""So many of them by the daemon too, since it takes long; the others in the night."""

WAYS_AND_SEEDS = [pytest.param("direct", seed, id=f"direct-{seed}") for seed in range(SEEDS)] + [
    pytest.param("daemon", seed, id=f"daemon-{seed}", marks=pytest.mark.nightly if seed >= DAEMONS_SEEDS else ())
    for seed in range(SEEDS)
]


@pytest.fixture
def store(postgres_server: Server) -> Iterator[Database]:
    """A database that can be dumped and restored."""
    with database(postgres_server) as made:
        yield made


@pytest.fixture
def new_laptop(tmp_path: Path, way: Way, store: Database, trip_s: float) -> Iterator[NewLaptop]:
    """Makes laptops of one project."""
    with far_from(store.url, trip_s) as url, way.to(url, store.url) as reached, laptops(tmp_path, reached) as make:
        yield make


def sync(laptop: Laptop) -> RoundResult:
    """A round, as the loop makes it: a connection that broke is made again."""
    for attempt in range(4):
        try:
            return laptop.sync()
        except UnavailableError:
            if attempt == 3:
                raise
    raise AssertionError


def level(*laptops: Laptop) -> None:
    for _ in range(3):
        for laptop in laptops:
            sync(laptop)


def work(laptop: Laptop) -> dict[str, str]:
    """A bit of everything."""
    top = laptop.create(WORK_ITEM, **task("top"))
    child = laptop.create(WORK_ITEM, **task("child"), parent_id=top)
    vendor = laptop.create(VENDOR, name="Alder", operational=True, metadata={"extractor_version": "1"})
    deployment = laptop.create(DEPLOYMENT, deployed_at="2026-01-02T03:04:05.000006Z", metadata={"pr_number": 7})
    link = laptop.create(VENDOR_DEPLOYMENT_LINK, deployment_id=deployment, vendor_id=vendor)
    laptop.create(WORK_ITEM_COMMENT, work_item_id=child, body="well")
    laptop.create(WORK_ITEM_DEPENDENCY, work_item_id=child, depends_on_id=top, dependency_type="depends_on")
    return {"top": top, "child": child, "vendor": vendor, "link": link}


def version(laptop: Laptop, item: str) -> int:
    found = find(laptop.replica, WORK_ITEM, item)
    assert found is not None
    return int(found["version"])


@pytest.mark.lines
def test_what_an_older_dump_lacks_comes_back_as_it_was(new_laptop: NewLaptop, store: Database) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    old = work(a)
    level(a, b)
    dump = store.dump()
    new = b.create(WORK_ITEM, **task("new"))
    for title in ("one", "two", "three"):
        a.change(WORK_ITEM, old["child"], title=title, metadata={"priority": "low", title: 1})
    a.change(VENDOR, old["vendor"], operational=False, metadata={"extractor_version": "2"})
    b.change(WORK_ITEM, old["top"], parent_id=new)
    b.create(WORK_ITEM_COMMENT, work_item_id=new, body="on the new one")
    level(a, b)
    a.change(WORK_ITEM, new, deleted_at="2026-01-02T03:04:05.000006Z")
    a.change(CONFIGURATION, a.displayed()["project_configuration"][0]["id"], active_context_type="research")
    level(a, b)
    rows, logged = replica_rows(a), logged_by_server(store)
    conflicts = store.execute("SELECT count(*) FROM localfirst.conflicts")
    store.restore(dump)
    done = sync(a)
    assert done.restored
    assert replica_rows(a) == rows
    assert sync(b).restored == 0, "the first one brought everything back"
    level(a, b)
    assert_level(store, a, b)
    assert replica_rows(b) == rows, "with its versions, times and authors"
    assert logged_by_server(store) == logged == logged_by_replica(a.replica)
    assert store.execute("SELECT count(*) FROM localfirst.conflicts") == conflicts


def test_each_replica_brings_back_what_it_knows(new_laptop: NewLaptop, store: Database) -> None:
    a, b, c = (new_laptop(name) for name in "abc")
    item = work(a)["child"]
    level(a, b, c)
    dump = store.dump()
    a.change(WORK_ITEM, item, title="first")
    level(a, b)
    c.create(WORK_ITEM, **task("of c, sent before it has seen the other"))
    a.change(WORK_ITEM, item, status="blocked")
    level(a)
    b.create(WORK_ITEM, **task("waits"))
    b.change(WORK_ITEM, item, pr_number=3)
    store.restore(dump)
    for laptop in (b, c, a):
        sync(laptop)
    level(a, b, c)
    assert_level(store, a, b, c)
    found = replica_rows(c)["work_items"][item]
    assert (found["title"], found["status"], found["pr_number"]) == ("first", "blocked", 3)
    assert set(logged_by_server(store).values()) == {1}


@pytest.mark.lines
@pytest.mark.parametrize("by_psql", [True, False])
def test_new_writes_have_passed_the_old_head(new_laptop: NewLaptop, store: Database, by_psql: bool) -> None:
    a, b, late = (new_laptop(name) for name in ("a", "b", "late"))
    clash, merge, untouched = (a.create(WORK_ITEM, **task(title)) for title in ("clash", "merge", "untouched"))
    level(a, b, late)
    dump = store.dump()
    for n in range(3):
        a.change(WORK_ITEM, clash, title=f"by a {n}", claimed_by="ann" if n else None)
        a.change(WORK_ITEM, merge, metadata={"priority": "high", "a": n})
    a.change(WORK_ITEM, untouched, status="completed")
    level(a, b)
    a.change(WORK_ITEM, clash, pr_number=8)
    displayed = version(a, clash)
    store.restore(dump)
    if by_psql:
        for n in range(8):
            store.execute("UPDATE localfirst.work_items SET title = %s WHERE id = %s", f"since {n}", clash)
        store.execute("UPDATE localfirst.work_items SET status = 'blocked', claimed_by = 'joe' WHERE id = %s", merge)
        store.execute("INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', 'new')")
    else:
        for n in range(8):
            late.change(WORK_ITEM, clash, title=f"since {n}")
        late.change(WORK_ITEM, merge, status="blocked")
        late.create(WORK_ITEM, **task("new"))
        assert sync(late).restored is None, "it does not know what is lost"
    since = store.execute("SELECT version FROM localfirst.work_items WHERE id = %s", clash)[0][0]
    assert sync(a).restored
    sync(b)
    level(a, b, late)
    assert_level(store, a, b, late)
    rows = replica_rows(late)["work_items"]
    assert rows[clash]["version"] > max(displayed, since)
    assert (rows[clash]["title"], rows[clash]["pr_number"], rows[clash]["claimed_by"]) == ("since 7", 8, "ann")
    assert (rows[merge]["status"], rows[merge]["metadata"]) == ("blocked", {"priority": "high", "a": 2})
    assert (rows[untouched]["status"], rows[untouched]["version"]) == ("completed", 2)
    ((mine, theirs, base),) = store.execute("SELECT mine, theirs, base FROM localfirst.conflicts")
    assert (base["title"], mine["title"], theirs["title"]) == ("clash", "by a 2", "since 7")
    assert set(logged_by_server(store).values()) == {1}
    outcomes = store.execute("SELECT DISTINCT outcome FROM localfirst.history WHERE entity_id = %s AND by = 'a'", clash)
    assert {outcome for (outcome,) in outcomes} == {"accepted", "lost", "merged"}


def test_the_same_project_is_made_anew_when_everything_is_gone(new_laptop: NewLaptop, store: Database) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    items = work(a)
    level(a, b)
    a.change(WORK_ITEM, items["top"], title="by a")
    sync(a)
    b.change(WORK_ITEM, items["top"], title="by b")
    level(a, b)
    a.change(WORK_ITEM, items["child"], deleted_at="2026-01-02T03:04:05.000006Z")
    a.change(CONFIGURATION, a.displayed()["project_configuration"][0]["id"], default_token_budget=5000)
    level(a, b)
    rows = replica_rows(a)
    logged = logged_by_replica(a.replica)
    waiting = b.create(WORK_ITEM, **task("waiting"))
    conflict = store.execute("SELECT id, mine, theirs, fields, my_by FROM localfirst.conflicts")
    assert len(conflict) == 1
    store.empty()
    for laptop in (a, b):
        assert sync(laptop).restored is not None
    level(a, b)
    assert_level(store, a, b)
    after = replica_rows(b)
    assert after["work_items"].pop(waiting)
    assert after == rows
    assert logged - logged_by_server(store) == Counter()
    assert set(logged_by_server(store).values()) == {1}
    assert store.execute("SELECT id, mine, theirs, fields, my_by FROM localfirst.conflicts") == conflict


def test_two_replicas_bring_everything_back_at_once(new_laptop: NewLaptop, store: Database) -> None:
    laptops = [new_laptop(name) for name in "abcd"]
    chance = random.Random(7)
    for _ in range(80):
        edit(chance.choice(laptops), chance)
    level(*laptops)
    rows = replica_rows(laptops[0])
    store.empty()
    threads = [threading.Thread(target=_until_level, args=(laptop,)) for laptop in laptops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    level(*laptops)
    assert_level(store, *laptops)
    for table in rows.keys() - {"project_configuration"}:  # nobody had touched it: PostgreSQL makes it anew
        assert replica_rows(laptops[0])[table] == rows[table]
    assert set(logged_by_server(store).values()) == {1}


def _until_level(laptop: Laptop) -> None:
    other = Laptop(laptop.path, PROJECT_NAME, laptop.reached)  # SQLite's connections stay in their thread
    try:
        for _ in range(50):
            try:
                other.sync()
            except UnavailableError:
                continue
            return
    finally:
        other.close()


class Cut(Exception):
    """The process ends here."""


@pytest.mark.parametrize("step", range(8))
def test_a_recovery_that_ended_anywhere_is_begun_again(new_laptop: NewLaptop, store: Database, step: int) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    chance = random.Random(step)
    for _ in range(30):
        edit(chance.choice([a, b]), chance)
    level(a, b)
    dump = store.dump()
    for _ in range(40):
        edit(chance.choice([a, b]), chance)
    level(a, b)
    a.create(WORK_ITEM, **task("waiting"))
    logged = logged_by_replica(a.replica) | logged_by_replica(b.replica)
    store.restore(dump)
    store.execute("UPDATE localfirst.work_items SET status = 'blocked'")
    steps = iter(range(100))

    def cut_at(stage: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
        def staged(*arguments: Any) -> Any:
            if not after and next(steps) == step:
                raise Cut
            result = stage(*arguments)
            if after and next(steps) == step:
                raise Cut
            return result

        return staged

    c = Laptop(a.path, PROJECT_NAME, a.reached)
    c.remote.pull = cut_at(c.remote.pull, after=True)
    c.remote.restore = cut_at(in_parts(c), after=True)
    c.local.finish_recovery = cut_at(c.local.finish_recovery, after=step % 2 == 1)  # type: ignore[method-assign]
    with suppress(Cut):
        sync(c)
    c.close()
    level(a, b)
    assert_level(store, a, b)
    assert set(logged_by_server(store).values()) == {1}
    assert logged - logged_by_server(store) == Counter()


def in_parts(laptop: Laptop) -> Callable[[Identity, RecoveryPart, Cursor], Restored]:
    """Restores a recovery part in two transactions."""
    restore: Callable[..., Restored] = laptop.remote.restore

    def restored(identity: Identity, recovery_part: RecoveryPart, known: Cursor) -> Restored:
        middle = len(recovery_part.rows) // 2
        first = restore(identity, RecoveryPart(recovery_part.rows[:middle], ()), known)
        second = restore(identity, RecoveryPart(recovery_part.rows[middle:], recovery_part.conflicts), first.head)
        return Restored(first.changes + second.changes, second.head)

    return restored


def test_an_acknowledged_push_that_the_server_forgot_before_it_was_read_back(new_laptop: NewLaptop, store: Database) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    level(a, b)
    dump = store.dump()
    sync(a)
    b.create(WORK_ITEM, **task("between"))
    sync(b)
    item = a.create(WORK_ITEM, **task("acknowledged"))
    a.local.begin_round()
    push = a.local.next_push(10)
    assert push is not None
    a.local.acknowledge(push, a.remote.push(a.local.identity(), push))
    store.restore(dump)
    assert sync(a).restored == 1, "nothing waits, and the cursor is older than the dump"
    level(a, b)
    assert_level(store, a, b)
    assert item in replica_rows(b)["work_items"]


def test_versions_never_fall_when_one_who_knew_less_comes_first(new_laptop: NewLaptop, store: Database) -> None:
    a, b, c = new_laptop("a"), new_laptop("b"), new_laptop("c")
    level(c)
    dump = store.dump()
    for laptop in (a, b):
        laptop.create(VENDOR, name="Alder", operational=True, metadata={})
    sync(a)
    push_alone(b)
    level(c)
    assert [vendor["version"] for vendor in c.displayed()["vendor_extractors"]] == [2], "b's creation was merged into a's"
    store.restore(dump)
    sync(b)
    assert store.execute("SELECT version FROM localfirst.vendor_extractors") == [(1,)], "b has not seen the merge"
    level(c, b, a)
    assert_level(store, a, b, c)
    assert store.execute("SELECT version FROM localfirst.vendor_extractors") == [(2,)]


def push_alone(laptop: Laptop) -> None:
    """Pushes, and reads nothing back."""
    laptop.local.begin_round()
    push = laptop.local.next_push(10)
    assert push is not None
    laptop.local.acknowledge(push, laptop.remote.push(laptop.local.identity(), push))


def test_a_push_that_comes_late_is_not_applied_again_after_another_has_brought_it_back(
    new_laptop: NewLaptop, store: Database
) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    item = a.create(WORK_ITEM, **task("an item"))
    level(a, b)
    dump = store.dump()
    a.change(WORK_ITEM, item, title="once")
    a.local.begin_round()
    identity, push = a.local.identity(), a.local.next_push(10)
    assert push is not None
    with suppress(UnavailableError):
        a.remote.head()  # its connection ended with the dump
    a.remote.push(identity, push)
    sync(b)
    store.restore(dump)
    sync(b)
    with suppress(UnavailableError):
        a.remote.head()
    late = a.remote.push(identity, push)
    assert [(one.outcome, one.version) for one in late.verdicts] == [("merged", 2)]
    level(a, b)
    assert store.execute("SELECT version FROM localfirst.history WHERE entity_id = %s ORDER BY seq", item) == [(1,), (2,)]
    assert_level(store, a, b)


def test_of_an_act_that_another_has_brought_back_in_part_the_rest_alone_is_new(
    new_laptop: NewLaptop, store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    items = sorted(a.create(WORK_ITEM, **task(f"item {n}")) for n in range(2))
    level(a, b)
    dump = store.dump()
    level(a, b)
    with act(a.replica, "a") as one:
        for item in items:
            one.change(WORK_ITEM, find(a.replica, WORK_ITEM, item), {"title": "as one"})
    a.local.begin_round()
    push = a.local.next_push(10)
    assert push is not None
    a.remote.push(a.local.identity(), push)  # the answer is lost
    sync(b)
    store.restore(dump)
    monkeypatch.setattr(recovery, "BATCH", 1)
    with closing(b.reached.opened(b.local.identity())) as remote:
        once: Any = OnceBroughtBack(remote)
        with pytest.raises(UnavailableError):
            sync_round(b.local, once, b.lock)
    monkeypatch.undo()
    assert sorted(title for (title,) in store.execute("SELECT title FROM localfirst.work_items")) != ["as one", "as one"]
    level(a, b)
    assert_level(store, a, b)
    assert set(logged_by_server(store).values()) == {1}
    assert [row["title"] for row in replica_rows(b)["work_items"].values()] == ["as one", "as one"]


class OnceBroughtBack:
    """The way to a server that breaks after one part of a recovery has arrived."""

    def __init__(self, remote: RemoteStore) -> None:
        self.remote = remote
        self._is_brought = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.remote, name)

    def restore(self, identity: Identity, recovery_part: RecoveryPart, known: Cursor) -> Restored:
        if self._is_brought:
            raise UnavailableError("cut", cause="connection")
        self._is_brought = True
        return self.remote.restore(identity, recovery_part, known)


@pytest.mark.parametrize("batch", [1, 100])
def test_an_old_copy_of_a_file_that_never_synced_tells_nothing_twice(
    new_laptop: NewLaptop, store: Database, tmp_path: Path, batch: int
) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    level(b)
    dump = store.dump()
    items = [a.create(WORK_ITEM, **task(f"item {n}")) for n in range(3)]
    a.change(WORK_ITEM, items[0], title="changed")
    a.replica.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(a.path, tmp_path / "copy")
    level(a, b)
    store.restore(dump)
    level(b)
    copy = new_laptop("copy")
    push_outbox(copy.local, copy.remote, batch=batch)
    level(copy, a, b)
    assert_level(store, a, b, copy)
    assert set(logged_by_server(store).values()) == {1}
    assert store.execute("SELECT max(version) FROM localfirst.work_items") == [(2,)]


def test_rows_without_history_come_back_whole(new_laptop: NewLaptop, store: Database) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    items = work(a)
    level(a, b)
    for laptop in (a, b):
        laptop.replica.execute("DELETE FROM history")
    rows = replica_rows(a)
    store.empty()
    for laptop in (a, b):
        sync(laptop)
    new = new_laptop("new")
    level(a, b, new)
    assert_level(store, a, b, new)
    assert replica_rows(new)["work_items"] == rows["work_items"]
    assert store.execute("SELECT count(*) FROM localfirst.history WHERE entity_id = %s", items["top"]) == [(1,)]


def test_what_has_no_common_past_is_a_conflict_and_not_overwritten(new_laptop: NewLaptop, store: Database) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    item = a.create(WORK_ITEM, **task("base"))
    level(a, b)
    dump = store.dump()
    for title in ("one", "two"):
        a.change(WORK_ITEM, item, title=title)
    level(a, b)
    for laptop in (a, b):
        laptop.replica.execute("DELETE FROM history")
    store.restore(dump)
    store.execute("UPDATE localfirst.work_items SET title = 'since'")
    level(a, b)
    assert_level(store, a, b)
    (found,) = replica_rows(b)["work_items"].values()
    assert found["title"] == "since"
    assert found["version"] > 3
    assert store.execute("SELECT mine ->> 'title', theirs ->> 'title' FROM localfirst.conflicts") == [("two", "since")]


@pytest.mark.lines
def test_conflicts_and_their_settlements_come_back(new_laptop: NewLaptop, store: Database) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    open_one, settled = a.create(WORK_ITEM, **task("open")), a.create(WORK_ITEM, **task("settled"))
    level(a, b)
    for item in (open_one, settled):
        a.change(WORK_ITEM, item, title="by a")
        b.change(WORK_ITEM, item, title="by b")
    dump = store.dump()
    level(a, b)
    later = store.dump()
    _settle(a, settled)
    level(a, b)
    conflicts = store.execute("SELECT id, fields, base, mine, theirs, resolution FROM localfirst.conflicts ORDER BY id")
    assert [row[-1] for row in sorted(conflicts, key=lambda row: row[-1] or "")] == [None, "theirs"]
    for state in (dump, later):
        store.restore(state)
        level(b, a)
        assert_level(store, a, b)
        again = store.execute("SELECT id, fields, base, mine, theirs, resolution FROM localfirst.conflicts ORDER BY id")
        assert again == conflicts


def _settle(laptop: Laptop, item: str) -> None:
    from localfirst.replica.act import act

    (conflict,) = laptop.replica.execute("SELECT id FROM conflicts WHERE entity_id = ?", (item,)).fetchall()
    with act(laptop.replica, "a") as one:
        one.settle(str(conflict[0]), "theirs")


def test_a_move_that_would_now_close_a_circle_is_a_conflict(new_laptop: NewLaptop, store: Database) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    one, other = a.create(WORK_ITEM, **task("one")), a.create(WORK_ITEM, **task("other"))
    level(a, b)
    dump = store.dump()
    a.change(WORK_ITEM, one, parent_id=other)
    level(a, b)
    store.restore(dump)
    store.execute("UPDATE localfirst.work_items SET parent_id = %s WHERE id = %s", one, other)
    level(a, b)
    assert_level(store, a, b)
    assert store.execute("SELECT reason FROM localfirst.conflicts") == [("cycle",)]


def test_the_replica_says_what_happened(new_laptop: NewLaptop, store: Database) -> None:
    a = new_laptop("a")
    level(a)
    dump = store.dump()
    work(a)
    level(a)
    store.restore(dump)
    sync(a)
    ((at, changes),) = a.replica.execute("SELECT recovered_at, recovered_changes FROM replica").fetchall()
    assert at is not None
    assert changes == 7


@pytest.mark.parametrize(("way", "seed"), WAYS_AND_SEEDS, indirect=["way"])
def test_nothing_is_lost_whatever_is_restored_when(new_laptop: NewLaptop, store: Database, seed: int) -> None:
    chance = random.Random(seed)
    laptops = [new_laptop(name) for name in "abc"]
    level(*laptops)
    dumps = [store.dump()]
    logged: Counter[Any] = Counter()
    for _ in range(90):
        laptop = chance.choice(laptops)
        what = chance.random()
        if what < 0.2:
            sync(laptop)
        elif what < 0.23:
            dumps.append(store.dump())
        elif what < 0.27:
            store.restore(chance.choice(dumps))
        elif what < 0.3 and chance.random() < 0.2:
            store.empty()
            for one in chance.sample(laptops, 2):
                sync(one)
        elif what < 0.35:
            store.execute(
                "UPDATE localfirst.work_items SET title = %s"
                " WHERE id = (SELECT min(id::text)::uuid FROM localfirst.work_items)",
                str(chance.random()),
            )
        else:
            edit(laptop, chance)
            logged |= own_changes(laptop)
    level(*laptops)
    assert_level(store, *laptops)
    server = logged_by_server(store)
    assert logged - server == Counter(), "every change that was made is logged"
    assert {change: count for change, count in server.items() if count > 1} == {}, "once"


def own_changes(laptop: Laptop) -> Counter[Any]:
    """What was made on this laptop."""
    return Counter({change: 1 for change in logged_by_replica(laptop.replica) if change[1] == laptop.path.name})


@pytest.mark.parametrize("clone_writes", [1, 3, 5])
def test_a_replica_that_comes_back_from_its_own_backup_keeps_its_queue_and_sends_nothing_twice(
    new_laptop: NewLaptop, store: Database, tmp_path: Path, clone_writes: int
) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    item = a.create(WORK_ITEM, **task("base"))
    level(a, b)
    a.change(WORK_ITEM, item, title="queued when the backup was made")
    a.replica.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(a.path, tmp_path / "backup")
    for n in range(3):
        a.create(WORK_ITEM, **task(f"original {n}"))
    level(a, b)
    a.change(WORK_ITEM, item, title="later")
    level(a, b)
    backup = new_laptop("backup")
    for n in range(clone_writes):
        backup.create(WORK_ITEM, **task(f"backup {n}"))
    assert backup.local.identity().replica_id == a.local.identity().replica_id
    level(backup, a, b)
    assert backup.local.identity().replica_id != a.local.identity().replica_id
    assert_level(store, a, b, backup)
    titles = sorted(row["title"] for row in replica_rows(b)["work_items"].values())
    assert titles == sorted(["later", *(f"original {n}" for n in range(3)), *(f"backup {n}" for n in range(clone_writes))])
    assert store.execute("SELECT count(*) FROM localfirst.conflicts") == [(0,)]
    assert set(logged_by_server(store).values()) == {1}


def test_a_project_begun_on_two_laptops_before_either_was_online(new_laptop: NewLaptop, store: Database) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    for laptop in (a, b):
        laptop.create(VENDOR, name="Alder", operational=laptop is a, metadata={laptop.path.name: 1})
        laptop.create(WORK_ITEM, **task(f"by {laptop.path.name}"))
    level(a, b)
    assert_level(store, a, b)
    rows = replica_rows(a)
    (vendor,) = rows["vendor_extractors"].values()
    assert vendor["metadata"] == {"a": 1, "b": 1}
    assert len(rows["work_items"]) == 2
    assert len(rows["project_configuration"]) == 1
