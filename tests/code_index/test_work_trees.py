"""Work trees of one repository are one: each hit once, as it is where the client is, and nothing of one that is gone."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest
from localfirst_schema.arguments import SearchCode

from code_index.indexing import Indexed, Record, function, module, write
from code_index.searching import Searched
from localfirst.code_index.pipeline.files import index_files
from localfirst.code_index.search.engine import CodeEngine
from localfirst.code_index.store import files, pace, repositories
from localfirst.code_index.store.consistency import check
from localfirst.code_index.store.forgetting import forget, take_out
from localfirst.code_index.work_tree import is_gone, work_tree_of
from localfirst.code_index.worker import lease
from localfirst.replica.connection import connect
from localfirst.replica.migrate import migrate, migrations
from localfirst.settings import Settings

MANY = {f"lib/{number}.py": module([f"reader_{number}", "common"]) for number in range(30)}


def git(directory: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)


def committed(root: Path, contents: dict[str, str]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q", "-b", "main")
    write(root, contents)
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "First")
    return root


def work_tree(main: Path, at: Path, branch: str = "feature") -> Path:
    git(main, "worktree", "add", "-q", "-b", branch, str(at))
    return at


@contextmanager
def client(indexed: Indexed, here: Path) -> Iterator[Searched]:
    """A session of somebody who works in this directory."""
    searched = Searched(indexed, here=here)
    try:
        yield searched
    finally:
        searched.close()


def has_reached(count: int, record: Record) -> bool:
    return len(record.paths) >= count


def hits(indexed: Indexed, here: Path, query: str, **more: Any) -> list[tuple[str, str, str]]:
    """Root, path and symbol of each result."""
    with client(indexed, here) as searched:
        found = searched.answer(query, limit=100, **more)["results"]
    return [(one["repository_path"], one["file_path"], one["symbol"]) for one in found]


def hits_at(settings: Settings, here: Path, replica: apsw.Connection, query: str) -> list[tuple[str, str, str]]:
    """The same of a client with these settings."""
    engine = CodeEngine(settings._replace(root=here))
    try:
        found = engine.answer(replica, SearchCode(query=query, limit=100))["results"]
    finally:
        engine.close()
    return [(one["repository_path"], one["file_path"], one["symbol"]) for one in found]


def roots_of(found: list[tuple[str, str, str]]) -> set[str]:
    return {root for root, _, _ in found}


@pytest.fixture
def main(root: Path) -> Path:
    return committed(root, MANY)


@pytest.fixture
def tree(main: Path, tmp_path: Path) -> Path:
    """A work tree of which one file differs."""
    tree = work_tree(main, (tmp_path / "feature").resolve())
    write(tree, {"lib/7.py": module(["reader_7", "swallow"])})
    return tree


@pytest.fixture
def both(indexed: Indexed, main: Path, tree: Path) -> Indexed:
    indexed.run(main)
    indexed.run(tree)
    return indexed


def test_a_search_has_each_hit_once_as_it_is_in_the_work_tree_of_the_client(
    both: Indexed, main: Path, tree: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for here, expected in ((tree, tree), (tree / "lib", tree), (main, main), (elsewhere, main)):
        found = hits(both, here, "common reader")
        assert len(found) == len(set(found))
        assert len({(path, symbol) for _, path, symbol in found}) == len(found)
        assert roots_of(found) == {str(expected)}
        assert ("lib/7.py" in {path for _, path, symbol in found if symbol == "common"}) == (expected == main)
    assert hits(both, tree, "swallow")[0] == (str(tree), "lib/7.py", "swallow")
    assert "swallow" not in {symbol for *_, symbol in hits(both, main, "swallow")}


def test_the_path_that_is_named_decides_wherever_the_client_is(both: Indexed, main: Path, tree: Path) -> None:
    for here in (main, tree):
        for named in (main, tree):
            for path in (named, named / "lib"):
                found = hits(both, here, "common reader", repo_path=str(path))
                assert roots_of(found) == {str(named)}
                assert len(found) == len(set(found))


def test_a_second_work_tree_costs_what_differs(indexed: Indexed, main: Path, tree: Path) -> None:
    indexed.run(main)
    before = indexed.counts()
    record = indexed.run(tree)
    assert (record.total("indexed"), record.total("unchanged"), record.embedded) == (1, len(MANY) - 1, 1)
    after = indexed.counts()
    assert after["code_files"] == 2 * before["code_files"]
    assert after["code_places"] == after["code_words_docsize"] == before["code_places"] + 2
    assert after["code_chunks"] == before["code_chunks"] + 1
    assert check(indexed.connection) == []


def test_each_tree_is_indexed_as_if_it_were_alone(both: Indexed, main: Path, tree: Path, fresh: Callable[[], Indexed]) -> None:
    for root in (main, tree):
        alone = fresh()
        alone.run(root)
        assert both.contents(root) == alone.contents(root)


def test_what_changes_in_one_tree_is_read_and_written_there_alone(both: Indexed, main: Path, tree: Path) -> None:
    for root in (main, tree):
        for path in root.rglob("*.py"):
            os.utime(path, (1_500_000_000, 1_500_000_000))
        both.run(root)
    of_main = both.contents(main)
    write(tree, {"lib/3.py": module(["heron", "common"]), "lib/new.py": module(["egret"])})
    (tree / "lib/4.py").unlink()
    record = both.run(tree)
    assert record.paths == ["lib/3.py", "lib/4.py", "lib/new.py"]
    assert both.contents(main) == of_main
    assert check(both.connection) == []
    assert {"heron", "egret"} <= {symbol for *_, symbol in hits(both, tree, "heron egret")}
    assert {"heron", "egret"}.isdisjoint({symbol for *_, symbol in hits(both, main, "heron egret")})
    # The other tree gets the same content, and none of it is cut again.
    shutil.copytree(tree / "lib", main / "lib", dirs_exist_ok=True)
    assert both.run(main).total("indexed") == 0
    assert {"heron", "egret"} <= {symbol for *_, symbol in hits(both, main, "heron egret")}
    assert both.connection.execute("SELECT count(DISTINCT file_id) FROM code_files WHERE path = 'lib/3.py'").get == 1
    assert check(both.connection) == []


def test_a_branch_that_has_other_files_is_found_with_those(indexed: Indexed, main: Path, tmp_path: Path) -> None:
    tree = work_tree(main, (tmp_path / "other").resolve(), "other")
    for path in (tree / "lib").iterdir():
        path.unlink()
    write(tree, {"src/only.py": module(["kingfisher"])})
    indexed.run(main)
    indexed.run(tree)
    assert hits(indexed, tree, "kingfisher") == [(str(tree), "src/only.py", "kingfisher")]
    assert roots_of(hits(indexed, tree, "common reader")) <= {str(tree)}
    assert "kingfisher" not in {symbol for *_, symbol in hits(indexed, main, "kingfisher")}


@pytest.mark.parametrize("how", ["git worktree remove", "rm -r", "rm -r and git worktree prune", "the repository forgot it"])
def test_of_a_removed_work_tree_nothing_is_found_and_nothing_stays(indexed: Indexed, main: Path, tree: Path, how: str) -> None:
    indexed.run(main)
    before, of_main = indexed.counts(), indexed.contents(main)
    indexed.run(tree)
    if how == "git worktree remove":
        git(main, "worktree", "remove", "--force", str(tree))
    elif how == "the repository forgot it":
        shutil.rmtree(main / ".git/worktrees/feature")
    else:
        shutil.rmtree(tree)
    if how.endswith("prune"):
        git(main, "worktree", "prune")
    # With the lease in other hands no worker is started, which would take it out at once.
    with lease.held(Path(indexed.connection.filename), 1.0), client(indexed, main) as searched:
        assert searched.answer("swallow")["index_warnings"] == []
        assert "swallow" not in searched.symbols("swallow")
    known = repositories.find(indexed.connection, tree)
    assert known is not None
    assert known.work_tree is not None
    assert is_gone(known.work_tree)
    take_out(indexed.connection, known.repository_id, lambda: None)
    assert indexed.counts() == before
    assert indexed.contents(main) == of_main
    assert check(indexed.connection) == []


def test_a_locked_work_tree_that_is_away_is_kept(both: Indexed, main: Path, tree: Path) -> None:
    git(main, "worktree", "lock", str(tree))
    shutil.rmtree(tree)
    known = repositories.find(both.connection, tree)
    assert known is not None
    assert known.work_tree is not None
    assert not is_gone(known.work_tree)
    assert roots_of(hits(both, main, "common reader")) == {str(main)}


def test_where_the_repository_itself_is_away_nothing_is_taken_for_removed(both: Indexed, main: Path, tree: Path) -> None:
    place = work_tree_of(tree)
    assert place is not None
    shutil.rmtree(tree)
    main.rename(main.with_name("away"))
    assert not is_gone(place)
    found = hits(both, main.parent, "common reader")
    assert roots_of(found) == {str(main)}
    assert len(found) == len(set(found))


def test_trees_that_an_older_program_indexed_are_one_too(both: Indexed, main: Path, tree: Path) -> None:
    both.connection.execute("UPDATE code_repositories SET work_tree = NULL, git_own = NULL, git_common = NULL")
    for here in (main, tree):
        found = hits(both, here, "common reader")
        assert roots_of(found) == {str(here)}
        assert len(found) == len(set(found))
    assert both.run(tree).total("indexed") == 0
    known = repositories.find(both.connection, tree)
    assert known is not None
    assert known.work_tree == work_tree_of(tree)


def test_an_index_keeps_its_files_when_the_replica_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    old = connect(path)
    for step in migrations():
        if step.number < 6:
            for _ in old.execute(step.sql):
                pass
            old.pragma("user_version", step.number)
    rows = [(7, 1, "a.py", 1, 2, 3, 4, b"h", "python"), (9, 1, "b.go", 5, 6, 7, 8, b"i", "go")]
    old.execute("INSERT INTO code_repositories (root, name, chunker) VALUES ('/r', 'r', 'c')")
    old.executemany("INSERT INTO code_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    migrate(old, path)
    columns = "file_id, repository_id, path, size, mtime_ns, inode, seen_ns, content_hash, language"
    assert old.execute(f"SELECT {columns} FROM code_files ORDER BY path").fetchall() == rows
    old.close()


def test_a_clone_is_a_repository_of_its_own(indexed: Indexed, main: Path, tmp_path: Path) -> None:
    clone = (tmp_path / "clone").resolve()
    git(tmp_path, "clone", "-q", str(main), str(clone))
    indexed.run(main)
    record = indexed.run(clone)
    assert record.total("indexed") == len(MANY)
    assert roots_of(hits(indexed, main, "common reader")) == {str(main), str(clone)}


def test_a_directory_without_git_is_as_before(indexed: Indexed, tmp_path: Path) -> None:
    one, two = (tmp_path / "one").resolve(), (tmp_path / "two").resolve()
    for root in (one, two):
        write(root, MANY)
        indexed.run(root)
    assert roots_of(hits(indexed, one, "common reader")) == {str(one), str(two)}


def test_in_a_work_tree_that_is_not_indexed_another_one_answers_and_it_is_said(
    indexed: Indexed, main: Path, tree: Path
) -> None:
    indexed.run(main)
    with client(indexed, tree) as searched:
        answer = searched.answer("common reader")
        assert {one["repository_path"] for one in answer["results"]} == {str(main)}
        assert "work_tree_not_indexed" in answer["index_warnings"]
        named = searched.answer("common reader", repo_path=str(tree))
        assert (named["results"], named["index_warnings"]) == ([], ["index_missing"])


def test_a_work_tree_within_another_is_none_of_its_files(indexed: Indexed, main: Path) -> None:
    inner = work_tree(main, main / "trees/inner", "inner")
    indexed.run(main)
    with client(indexed, main) as searched:
        assert searched.answer("common", repo_path=str(inner))["index_warnings"] == ["index_missing"]
    indexed.run(inner)
    assert roots_of(hits(indexed, inner, "common reader")) == {str(inner)}
    assert roots_of(hits(indexed, main, "common reader")) == {str(main)}


def test_of_indexed_folders_the_ones_of_one_work_tree_answer(indexed: Indexed, main: Path, tree: Path) -> None:
    indexed.run(main / "lib")
    record = indexed.run(tree / "lib")
    assert record.total("indexed") == 1
    assert roots_of(hits(indexed, tree, "common reader")) == {str(tree / "lib")}
    assert roots_of(hits(indexed, main, "common reader")) == {str(main / "lib")}


@pytest.mark.parametrize("first", ["main", "tree"])
def test_forgetting_one_work_tree_keeps_the_other_and_both_leave_nothing(
    both: Indexed, main: Path, tree: Path, first: str
) -> None:
    order = [main, tree] if first == "main" else [tree, main]
    kept = both.contents(order[1])
    for number, root in enumerate(order):
        known = repositories.find(both.connection, root)
        assert known is not None
        forget(both.connection, known.repository_id, lambda: None)
        assert check(both.connection) == []
        if number == 0:
            assert both.contents(order[1]) == kept
            assert roots_of(hits(both, order[0], "common reader")) == {str(order[1])}
    assert set(both.counts().values()) == {0}


def test_what_another_tree_gives_up_meanwhile_is_cut_here(
    indexed: Indexed, main: Path, tree: Path, fresh: Callable[[], Indexed]
) -> None:
    indexed.run(main)
    planned = indexed.plan(tree)
    known = files.content_hashes(indexed.connection, [planned.repository_id, *planned.siblings])
    assert len(known) == len(MANY)
    record = Record()
    real = files.content_hashes

    def forgotten_after(connection: Any, repository_ids: Any) -> dict[str, bytes]:
        found = real(connection, repository_ids)
        of_main = repositories.find(connection, main)
        assert of_main is not None
        forget(connection, of_main.repository_id, lambda: None)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "content_hashes", forgotten_after)
        assert index_files(indexed.connection, indexed.pool, planned, record)
    assert record.total("indexed") == len(MANY)
    assert record.paths == sorted(MANY)
    indexed.run(tree)
    alone = fresh()
    alone.run(tree)
    assert indexed.contents(tree) == alone.contents(tree)
    assert check(indexed.connection) == []


def test_a_forced_run_and_another_cutting_reach_what_is_shared(both: Indexed, main: Path, tree: Path) -> None:
    expected = both.contents(main), both.contents(tree)
    places = both.count("code_places")
    assert both.run(tree, force=True).total("indexed") == len(MANY)
    both.connection.execute("UPDATE code_repositories SET chunker = 'older'")
    assert both.run(main).total("indexed") == len(MANY)
    assert both.run(tree).total("indexed") == 1  # the rest has been cut anew with the main one
    assert (both.contents(main), both.contents(tree)) == expected
    assert both.count("code_places") == places
    assert check(both.connection) == []


def test_large_files_are_shared_and_part_without_harm(
    indexed: Indexed, main: Path, tree: Path, monkeypatch: pytest.MonkeyPatch, fresh: Callable[[], Indexed]
) -> None:
    monkeypatch.setattr(files, "LARGE", 6)
    monkeypatch.setattr(pace, "MOST", pace.LEAST)
    large = [f"f{number}" for number in range(30)]
    for root in (main, tree):
        write(root, {"large.py": module(large)})
        indexed.run(root)
    steps: list[Callable[[], object]] = [
        lambda: write(tree, {"large.py": module(large[15:] + [f"g{number}" for number in range(15)])}),
        lambda: write(main, {"large.py": (tree / "large.py").read_text()}),
        lambda: (main / "large.py").unlink(),
        lambda: (tree / "large.py").unlink(),
    ]
    for step in steps:
        step()
        for root in (main, tree):
            indexed.run(root)
            alone = fresh()
            alone.run(root)
            assert indexed.contents(root) == alone.contents(root)
            assert check(indexed.connection) == []
    assert indexed.count("code_unfinished") == 0


@pytest.mark.parametrize("seed", range(6))
def test_any_changes_in_three_trees_leave_each_as_if_it_were_alone(
    indexed: Indexed, main: Path, tree: Path, tmp_path: Path, fresh: Callable[[], Indexed], seed: int
) -> None:
    chance = random.Random(seed)
    trees = [main, tree, work_tree(main, (tmp_path / "third").resolve(), "third")]
    names = [f"lib/{number}.py" for number in range(6)] + ["a.go", "notes.md"]
    texts = [
        "",
        "\0binary",
        *("\n\n".join(function(name, 25) for name in some) for some in (["x"], ["x", "y"], ["z"], ["y", "z"])),
    ]
    for _ in range(12):
        root = chance.choice(trees)
        for _ in range(chance.randint(0, 4)):
            path = root / chance.choice(names)
            match chance.randrange(4):
                case 0:
                    path.unlink(missing_ok=True)
                case 1:
                    other = chance.choice(trees) / path.relative_to(root)
                    if other.exists() and other != path:
                        shutil.copy(other, path)
                case _:
                    write(root, {str(path.relative_to(root)): chance.choice(texts)})
        if chance.random() < 0.25:
            stop_at = chance.randint(0, 3)
            record = Record(stop_when=partial(has_reached, stop_at))
            index_files(indexed.connection, indexed.pool, indexed.plan(root), record)
        else:
            indexed.run(root, force=chance.random() < 0.2)
        assert check(indexed.connection) == []
    for root in trees:
        indexed.run(root)
        alone = fresh()
        alone.run(root)
        assert indexed.contents(root) == alone.contents(root)
