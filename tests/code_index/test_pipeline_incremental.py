"""A run does what changed, and no more."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from code_index.indexing import Indexed, Record, function, module, write
from localfirst.code_index.pipeline.errors import RepositoryGoneError
from localfirst.code_index.pipeline.files import index_files
from localfirst.code_index.store.consistency import check

LONG_AGO = 1_500_000_000


def grow_old(root: Path) -> None:
    """Gives every file a time at which it was surely not written just now."""
    for path in root.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


def test_a_first_run_indexes_every_file_with_its_vectors(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": module(["first", "second"]), "lib/b.py": module(["third"]), "notes.md": "# Title\n\nSome text.\n"})
    record = indexed.run(root)
    assert indexed.paths() == ["a.py", "lib/b.py", "notes.md"]
    assert record.total("indexed") == 3
    assert record.embedded == indexed.count("code_chunks") > 3
    assert check(indexed.connection) == []
    symbols = {row[5] for row in indexed.contents(root)}
    assert {"first", "second", "third"} <= symbols


def test_a_second_run_has_nothing_to_do(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": module(["first"]), "b.py": module(["second"])})
    grow_old(root)
    indexed.run(root)
    plan = indexed.plan(root)
    assert (plan.to_read, plan.to_delete, plan.unchanged) == ((), (), 2)
    record = indexed.run(root)
    assert record.paths == []
    assert record.embedded == 0


def test_a_touched_file_is_read_but_not_written(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": module(["first"])})
    indexed.run(root)
    places = indexed.places("a.py")
    grow_old(root)
    record = indexed.run(root)
    assert (record.paths, record.total("unchanged"), record.total("indexed")) == (["a.py"], 1, 0)
    assert indexed.places("a.py") == places
    assert indexed.plan(root).to_read == ()  # its new time is known


def test_a_change_within_the_tick_of_the_clock_is_found(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": module(["first"])})
    indexed.run(root)
    status = (root / "a.py").stat()
    write(root, {"a.py": module(["frost"])})
    os.utime(root / "a.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (root / "a.py").stat().st_size == status.st_size
    indexed.run(root)
    assert [symbol for *_, symbol in indexed.places("a.py")] == ["frost"]


def test_of_a_changed_file_only_the_changed_chunks_are_made_anew(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": module(["first", "second", "third"])})
    indexed.run(root)
    before = {symbol: place_id for place_id, _, symbol in indexed.places("a.py")}
    write(root, {"a.py": "\n\n".join([function("first", 25), function("second", 30), function("third", 25)])})
    record = indexed.run(root)
    after = {symbol: place_id for place_id, _, symbol in indexed.places("a.py")}
    assert record.embedded == 1
    assert {symbol for symbol in before if before[symbol] == after[symbol]} == {"first", "third"}
    assert indexed.count("code_chunks") == 3
    assert check(indexed.connection) == []


def test_a_renamed_file_needs_no_new_vector(indexed: Indexed, root: Path) -> None:
    write(root, {"old.py": module(["first", "second"])})
    indexed.run(root)
    (root / "old.py").rename(root / "new.py")
    record = indexed.run(root)
    assert indexed.paths() == ["new.py"]
    assert (record.total("indexed"), record.total("deleted"), record.embedded) == (1, 1, 0)
    assert check(indexed.connection) == []


def test_a_function_that_moves_to_another_file_needs_no_new_vector(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": module(["first", "second"]), "z.py": module(["third"])})
    indexed.run(root)
    write(root, {"a.py": module(["first"]), "z.py": module(["third", "second"])})
    assert indexed.run(root).embedded == 0
    assert check(indexed.connection) == []


def test_the_same_text_is_kept_and_embedded_once(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": module(["same"]), "b.py": module(["same"])})
    record = indexed.run(root)
    assert (indexed.count("code_chunks"), record.embedded, len(indexed.contents(root))) == (1, 1, 2)
    (root / "a.py").unlink()
    indexed.run(root)
    assert (indexed.count("code_chunks"), len(indexed.contents(root))) == (1, 1)


def test_deleted_files_leave_nothing_behind(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": module(["first"]), "b.py": module(["second"]), "data.txt": "zero\0byte"})
    indexed.run(root)
    for name in ("a.py", "b.py", "data.txt"):
        (root / name).unlink()
    record = indexed.run(root)
    assert record.total("deleted") == 2
    assert set(indexed.counts().values()) == {0}


def test_what_turned_out_to_be_no_text_is_left_out_and_not_read_again(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": module(["first"])})
    indexed.run(root)
    (root / "a.py").write_bytes(b"\0\1\2" * 100)
    grow_old(root)
    record = indexed.run(root)
    assert record.skipped == {"a.py": "binary"}
    assert indexed.paths() == []
    plan = indexed.plan(root)
    assert plan.to_read == ()
    assert [skipped.path for skipped in plan.skipped] == ["a.py"]
    write(root, {"a.py": module(["second"])})
    indexed.run(root)
    assert indexed.paths() == ["a.py"]
    assert indexed.count("code_left_out") == 0


def test_two_repositories_do_not_disturb_each_other(indexed: Indexed, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, {"a.py": module(["shared", "own"])})
    write(two, {"a.py": module(["shared"])})
    indexed.run(one)
    assert indexed.run(two).embedded == 0
    (one / "a.py").unlink()
    indexed.run(one)
    assert indexed.contents(one) == set()
    assert {row[5] for row in indexed.contents(two)} == {"shared"}
    assert check(indexed.connection) == []


def test_forcing_cuts_everything_again_and_embeds_nothing(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": module(["first"]), "b.py": module(["second"])})
    grow_old(root)
    indexed.run(root)
    before = indexed.contents(root)
    record = indexed.run(root, force=True)
    assert (record.total("indexed"), record.embedded) == (2, 0)
    assert indexed.contents(root) == before
    assert check(indexed.connection) == []


def test_files_cut_by_another_program_version_are_cut_again(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": module(["first"])})
    grow_old(root)
    indexed.run(root)
    indexed.connection.execute("UPDATE code_repositories SET chunker = 'older'")
    assert indexed.run(root).total("indexed") == 1
    assert indexed.run(root).total("indexed") == 0


def test_a_file_whose_name_is_not_utf_8_is_indexed(indexed: Indexed, root: Path) -> None:
    name = os.fsencode(root) + b"/caf\xe9.py"
    Path(os.fsdecode(name)).write_text(module(["first"]))
    indexed.run(root)
    assert indexed.paths() == ["caf\uefe9.py"]
    grow_old(root)
    assert indexed.run(root).total("unchanged") == 1


def test_a_folder_that_became_a_link_is_not_followed(indexed: Indexed, root: Path, tmp_path: Path) -> None:
    write(root, {"lib/a.py": module(["first"])})
    write(tmp_path / "elsewhere", {"a.py": module(["secret"])})
    plan = indexed.plan(root)
    (root / "lib").rename(tmp_path / "moved")
    (root / "lib").symlink_to(tmp_path / "elsewhere")
    record = Record()
    assert index_files(indexed.connection, indexed.pool, plan, record)
    assert record.skipped == {"lib/a.py": "link"}
    assert indexed.paths() == []


@pytest.mark.parametrize("spoil", ["missing", "empty"])
def test_a_tree_that_vanished_deletes_nothing(indexed: Indexed, root: Path, spoil: str) -> None:
    write(root, {f"{number}.py": function(f"f{number}") for number in range(30)})
    indexed.run(root)
    if spoil == "missing":
        root.rename(root.with_name("away"))
    else:
        for path in root.iterdir():
            path.unlink()
    with pytest.raises(RepositoryGoneError, match=str(root)):
        indexed.run(root)
    assert len(indexed.paths()) == 30


def test_an_empty_tree_is_believed_when_forced(indexed: Indexed, root: Path) -> None:
    write(root, {f"{number}.py": function(f"f{number}") for number in range(30)})
    indexed.run(root)
    for path in root.iterdir():
        path.unlink()
    assert indexed.run(root, force=True).total("deleted") == 30
    assert set(indexed.counts().values()) == {0}


def test_files_that_vanish_after_the_plan_are_taken_out(indexed: Indexed, root: Path) -> None:
    write(root, {"a.py": module(["first"]), "b.py": module(["second"])})
    indexed.run(root)
    write(root, {"a.py": module(["third"])})
    plan = indexed.plan(root)
    (root / "a.py").unlink()
    record = Record()
    assert index_files(indexed.connection, indexed.pool, plan, record)
    assert record.total("deleted") == 1
    assert indexed.paths() == ["b.py"]


def test_the_index_equals_one_made_from_scratch(indexed: Indexed, root: Path, fresh: Callable[[], Indexed]) -> None:
    write(root, {f"{number}.py": module([f"f{number}", "common"]) for number in range(12)})
    indexed.run(root)
    write(root, {"3.py": module(["changed", "common"]), "new.py": module(["new"])})
    (root / "5.py").unlink()
    indexed.run(root)
    other = fresh()
    other.run(root)
    assert indexed.contents(root) == other.contents(root)


def test_a_tree_that_vanishes_during_a_run_deletes_nothing(indexed: Indexed, root: Path) -> None:
    write(root, {f"{number}.py": function(f"f{number}") for number in range(30)})
    indexed.run(root)
    plan = indexed.plan(root, force=True)
    root.rename(root.with_name("away"))
    root.mkdir()  # what is left of a disk when it is unmounted
    with pytest.raises(RepositoryGoneError, match="another folder"):
        index_files(indexed.connection, indexed.pool, plan, Record())
    assert len(indexed.paths()) == 30
