"""A search says that the index is behind the tree."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import until

from code_index.indexing import Indexed
from localfirst.code_index import watch
from localfirst.code_index.watch import TreeWatch

PATIENCE_S = 30.0
"""Far more than the promised seconds: a loaded machine is no failure."""


@pytest.fixture
def trees() -> Iterator[TreeWatch]:
    trees = TreeWatch()
    yield trees
    trees.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("localfirst-watch ")]


def eventually(ask: Callable[[], int | None], expected: int | None) -> None:
    """Asks until the answer is as expected."""
    until(lambda: ask() == expected, PATIENCE_S, f"the answer {expected}")


def write(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        (root / f"{name}.py").write_text(text)


def test_a_tree_that_was_never_indexed_is_not_behind(indexed: Indexed, root: Path, trees: TreeWatch) -> None:
    write(root, a="x = 1\n")
    assert trees.behind(indexed.connection, root, wait_s=0.1) is None


def test_new_changed_and_deleted_files_are_counted_by_the_first_answer(indexed: Indexed, root: Path, trees: TreeWatch) -> None:
    write(root, a="x = 1\n", b="x = 2\n", c="x = 3\n", d="x = 4\n")
    indexed.run(root)
    write(root, b="x = 22\n", new="x = 5\n")
    (root / "c.py").unlink()
    assert trees.behind(indexed.connection, root, wait_s=PATIENCE_S) == 3


def test_a_change_is_reported_and_the_run_that_takes_it_in_as_well(indexed: Indexed, root: Path, trees: TreeWatch) -> None:
    write(root, a="x = 1\n")
    indexed.run(root)
    assert trees.behind(indexed.connection, root, wait_s=PATIENCE_S) == 0

    def ask() -> int | None:
        return trees.behind(indexed.connection, root)

    (root / "pkg").mkdir()
    write(root / "pkg", new="y = 1\n")
    eventually(ask, 1)
    write(root, a="x = 2\n")  # of the same size: the content decides
    eventually(ask, 2)
    indexed.run(root)
    eventually(ask, 0)
    (root / "a.py").unlink()
    eventually(ask, 1)


def test_what_a_finished_run_has_taken_in_is_never_reported_as_behind(indexed: Indexed, root: Path, trees: TreeWatch) -> None:
    write(root, a="x = 1\n")
    indexed.run(root)
    write(root, b="x = 2\n", c="x = 3\n")
    assert trees.behind(indexed.connection, root, wait_s=PATIENCE_S) == 2
    indexed.run(root)
    assert trees.behind(indexed.connection, root) in (None, 0)
    eventually(lambda: trees.behind(indexed.connection, root), 0)


def test_a_touched_file_is_not_behind(indexed: Indexed, root: Path, trees: TreeWatch) -> None:
    write(root, a="x = 1\n", b="x = 2\n")
    indexed.run(root)
    os.utime(root / "a.py", (1, 1))
    assert trees.behind(indexed.connection, root, wait_s=PATIENCE_S) == 0


def test_ignored_files_and_those_without_chunks_are_not_behind(indexed: Indexed, root: Path, trees: TreeWatch) -> None:
    write(root, a="x = 1\n")
    (root / "blank.py").write_text("\n\n")
    (root / ".gitignore").write_text("*.log\n")
    indexed.run(root)
    (root / "run.log").write_text("started\n")
    assert trees.behind(indexed.connection, root, wait_s=PATIENCE_S) == 0


def test_a_tree_that_is_gone_is_unknown(indexed: Indexed, root: Path, trees: TreeWatch) -> None:
    write(root, a="x = 1\n")
    indexed.run(root)
    root.rename(root.with_name("moved"))
    assert trees.behind(indexed.connection, root, wait_s=PATIENCE_S) is None


def test_where_a_tree_cannot_be_watched_it_is_scanned_again(
    indexed: Indexed, root: Path, trees: TreeWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impossible(*_arguments: object, **_named: object) -> None:
        raise OSError("OS file watch limit reached")

    import watchfiles

    monkeypatch.setattr(watchfiles, "watch", impossible)
    monkeypatch.setattr(watch, "RESCAN_S", 0.1)
    write(root, a="x = 1\n")
    indexed.run(root)
    assert trees.behind(indexed.connection, root, wait_s=PATIENCE_S) == 0
    write(root, b="x = 1\n")
    eventually(lambda: trees.behind(indexed.connection, root), 1)


def test_a_thread_that_nobody_asks_ends_and_another_takes_over(
    indexed: Indexed, root: Path, trees: TreeWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_IDLE_S", 0.0)
    write(root, a="x = 1\n")
    indexed.run(root)
    assert trees.behind(indexed.connection, root, wait_s=PATIENCE_S) == 0
    for thread in threading.enumerate():
        if thread.name.startswith("localfirst-watch "):
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
    write(root, b="x = 1\n")
    assert trees.behind(indexed.connection, root, wait_s=PATIENCE_S) == 1


ASK_AND_EXIT = """
import sys
from pathlib import Path
import apsw
from localfirst.code_index.watch import TreeWatch
print(TreeWatch().behind(apsw.Connection(sys.argv[1]), Path(sys.argv[2]), wait_s=30))
"""


def test_a_process_that_watches_can_end(indexed: Indexed, root: Path) -> None:
    write(root, a="x = 1\n")
    indexed.run(root)
    write(root, b="x = 1\n")
    command = [sys.executable, "-c", ASK_AND_EXIT, indexed.connection.filename, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_the_thread_ends_with_the_session_that_searched(indexed: Indexed, root: Path, tmp_path: Path) -> None:
    from localfirst.client.session import Session
    from localfirst.operations.registry import BY_NAME
    from localfirst.settings import load

    write(root, a="def findable():\n    return 1\n")
    indexed.run(root)
    session = Session(load(root, {"LOCALFIRST_REPLICA": str(tmp_path / "replica.sqlite3")}))
    search = BY_NAME["search_code"]
    search.run(session, search.arguments.model_validate({"query": "findable"}))
    assert [thread for thread in threading.enumerate() if thread.name.startswith("localfirst-watch ")]
    session.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("localfirst-watch ")]


@pytest.mark.parametrize("how", ["a link out", "a pipe"])
def test_what_takes_the_place_of_a_file_is_neither_followed_nor_waited_for(
    indexed: Indexed, root: Path, tmp_path: Path, trees: TreeWatch, how: str
) -> None:
    write(root, a="x = 1\n")
    indexed.run(root)
    (root / "a.py").unlink()
    (tmp_path / "outside.py").write_text("x = 2\n")
    if how == "a pipe":
        os.mkfifo(root / "a.py")
    else:
        (root / "a.py").symlink_to(tmp_path / "outside.py")
    eventually(lambda: trees.behind(indexed.connection, root, wait_s=PATIENCE_S), 1)
