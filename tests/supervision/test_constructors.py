"""A constructor that fails lets go of what it took: connections, locks, files, threads.

Each function that is called while a session is opened fails in turn. Whatever comes of it, nothing is left open afterwards, and
the next session opens.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from localfirst_sync.loop import SyncLoop
from own_threads import own_threads
from reading.damage import checkpointed, destroy
from reading.world import call, nobody_there
from waiting import until

from localfirst.client.opening import open_session
from localfirst.client.server_link import ServerLink
from localfirst.client.session import Session
from localfirst.client.without_replica import SessionWithoutReplica
from localfirst.settings import Settings, load
from supervision.failing import Calls, Failing

LET_GO_S = 10.0

LETS_GO = {"close", "_let_go", "closed_on_failure"}
"""What lets go cannot do so and fail."""

FAILURES: list[Callable[[], BaseException]] = [
    RuntimeError,
    MemoryError,
    KeyboardInterrupt,
    lambda: OSError(5, "Input/output error"),
]

Prepare = Callable[[Path], Settings]


def settings_in(folder: Path, url: str) -> Settings:
    folder.mkdir(exist_ok=True)
    environment = {
        "LOCALFIRST_REPLICA": str(folder / "replica.db"),
        "LOCALFIRST_PROJECT": "team/opened",
        "LOCALFIRST_DATABASE_URL": url,
    }
    return load(folder, environment)._replace(root=folder, markdown=folder / ".project_status.md")


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A replica of which a page of people's rows cannot be read."""
    folder = tmp_path_factory.mktemp("damaged")
    with closing(Session(settings_in(folder, nobody_there())._replace(database_url=None))) as session:
        for number in range(30):
            call(session, "create_work_item", item_type="task", title=f"{number}", metadata={"note": "x" * 500})
    replica = folder / "replica.db"
    checkpointed(replica)
    destroy(replica, 1)
    assert not replica.read_bytes().startswith(b"SQLite format 3")  # the first page makes it no database at all
    return replica


def kinds(damaged: Path) -> dict[str, Prepare]:
    """Ways in which a session finds its replica. The server is away: connecting is the loop's, and tried elsewhere."""
    url = nobody_there()

    def new(folder: Path) -> Settings:
        return settings_in(folder, url)

    def broken(folder: Path) -> Settings:
        found = settings_in(folder, url)
        shutil.copyfile(damaged, found.replica)
        found.replica.chmod(0o600)
        return found

    def away(folder: Path) -> Settings:
        found = settings_in(folder, url)._replace(replica=folder / "in the way" / "replica.db")
        (folder / "in the way").write_text("no folder")
        return found

    return {"new": new, "broken": broken, "away": away}


OTHERS: set[threading.Thread] = set()
"""What the tests of other files have left in this process."""


@pytest.fixture(scope="module", autouse=True)
def _others() -> None:
    OTHERS.update(threading.enumerate())


def open_things() -> tuple[int, int, list[str]]:
    """Connections to replicas, descriptors, and threads of the program."""
    return len(apsw.connections()), len(list(Path("/proc/self/fd").iterdir())), own_threads(OTHERS)


def let_go(before: tuple[int, int, list[str]], when: str) -> None:
    """Waits until nothing more is open than before."""
    try:
        until(lambda: open_things() == before, LET_GO_S)
    except AssertionError:
        raise AssertionError(f"{when} {open_things()} are open, {before} were before") from None


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors are counted where the system lists them")
@pytest.mark.parametrize("kind", ["new", "broken", "away"])
def test_whatever_fails_while_a_session_opens_nothing_is_left_open(kind: str, damaged: Path, tmp_path: Path) -> None:
    prepare = kinds(damaged)[kind]
    open_session(prepare(tmp_path / "warm")).close()  # what is loaded once
    until(lambda: not open_things()[2], LET_GO_S, "threads to end")
    usual = prepare(tmp_path / "usual")
    with Calls(here=True) as calls:
        session = open_session(usual)
    assert isinstance(session, SessionWithoutReplica if kind == "away" else Session)
    session.close()
    until(lambda: not open_things()[2], LET_GO_S, "threads to end")
    before = open_things()
    failed = 0
    functions = [function for function in sorted(calls.made) if function.name.split(".")[-1] not in LETS_GO]
    for number, function in enumerate(functions):
        settings = prepare(tmp_path / str(number))
        failing = Failing(function, 1, FAILURES[number % len(FAILURES)], here=True)
        opened: Any = None
        try:
            with failing:
                opened = open_session(settings)
        except BaseException as error:
            if error is not failing.failure and not isinstance(error, Exception):
                raise
            failed += 1
        if opened is not None:
            opened.close()
        assert failing.raised.is_set(), function
        let_go(before, f"after {function} failed")
        open_session(settings).close()
        let_go(before, f"after the next one, since {function} failed")
    assert failed > 20


def test_a_link_that_is_stopped_before_its_loop_was_made_never_begins_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[SyncLoop] = []
    may_go_on, is_at_it = threading.Event(), threading.Event()
    begun = ServerLink._begun

    def later(link: ServerLink) -> SyncLoop | None:
        is_at_it.set()
        assert may_go_on.wait(LET_GO_S)
        return begun(link)

    started = SyncLoop.start

    def start(loop: SyncLoop) -> None:
        made.append(loop)
        started(loop)

    monkeypatch.setattr(ServerLink, "_begun", later)
    monkeypatch.setattr(SyncLoop, "start", start)
    link = ServerLink(settings_in(tmp_path, nobody_there()))
    link.start()
    assert is_at_it.wait(LET_GO_S)
    link.stop(0.0)
    may_go_on.set()
    until(lambda: not open_things()[2], LET_GO_S, "the link's thread to end")
    assert made == []
    link.start()
    assert not open_things()[2]
    assert made == []


def test_a_damaged_replica_whose_rebuild_fails_again_and_again_piles_nothing_up(
    damaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an open session meets it: the damage shows while the loop is at work, and no new file can be made."""
    settings = kinds(damaged)["new"](tmp_path / "laptop")
    with closing(Session(settings)) as session:
        before = until(lambda: (now := open_things())[2] == ["localfirst-sync"] and now[0] == 2 and now, LET_GO_S)

        def cannot(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("localfirst.replica.recovery.rebuild.rebuild", cannot)
        for _ in range(20):
            with pytest.raises(OSError, match="No space"):
                session.rebuild()
            session._keep_in_place()  # opens it again

        def is_one_loop_with_one_connection() -> bool:
            connections, descriptors, threads = open_things()
            # A connection opens some of its files when it first needs them; twenty that were kept would be sixty.
            return (connections, threads) == (before[0], before[2]) and descriptors < before[1] + 5

        until(is_one_loop_with_one_connection, LET_GO_S, "all but the last to be let go of")
