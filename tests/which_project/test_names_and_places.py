"""Single ways in which a project's replica is found: each once, with what is left beside it."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from localfirst.replica.opening import open_replica
from which_project.machine import Machine

REMOTE = "https://github.com/owner/name.git"


def unsent(file: Path) -> int:
    with closing(apsw.Connection(str(file))) as connection:
        return int(connection.execute("SELECT count(*) FROM outbox").get)


def test_the_name_of_the_environment_keeps_what_is_there(machine: Machine) -> None:
    place = machine.repository("begun")
    machine.create(place, "before")
    assert machine.titles(place, LOCALFIRST_PROJECT="team/board") == {"before"}
    assert machine.titles(place) == {"before"}
    assert len(machine.files()) == 1


def test_another_name_of_the_environment_is_another_project_for_this_time(machine: Machine) -> None:
    place = machine.repository("begun")
    machine.git(place, "remote", "add", "origin", REMOTE)
    machine.create(place, "here")
    machine.create(place, "there", LOCALFIRST_PROJECT="team/board")
    assert machine.titles(place) == {"here"}
    assert machine.titles(place, LOCALFIRST_PROJECT="team/board") == {"there"}


def test_a_repository_whose_name_has_a_replica_brings_its_own_along(machine: Machine) -> None:
    clone, place = machine.repository("clone"), machine.repository("begun")
    machine.git(clone, "remote", "add", "origin", REMOTE)
    machine.create(clone, "of the clone")
    machine.create(place, "of the unnamed")
    machine.git(place, "remote", "add", "origin", REMOTE)
    both = {"of the clone", "of the unnamed"}
    assert machine.titles(place) == both
    assert machine.titles(clone) == both
    assert len(machine.files()) == 2, "the unnamed one is kept"
    assert list(machine.replicas.glob("*.before-taking-in-*")), "and so is the other as it was"


def test_what_a_program_writes_that_had_it_open_comes_as_well(machine: Machine) -> None:
    clone, place = machine.repository("clone"), machine.repository("begun")
    machine.git(clone, "remote", "add", "origin", REMOTE)
    machine.create(clone, "of the clone")
    old = machine.run(place, "init")["replica"]
    machine.create(place, "of the unnamed")
    machine.git(place, "remote", "add", "origin", REMOTE)
    assert len(machine.titles(place)) == 2
    machine.create(place, "later", LOCALFIRST_REPLICA=old)
    assert machine.titles(clone) == {"of the clone", "of the unnamed", "later"}


def test_a_moved_repository_takes_its_replica_along_and_leaves_its_place_to_others(machine: Machine) -> None:
    place = machine.repository("begun")
    machine.create(place, "first")
    there = place.rename(machine.folder / "moved")
    assert machine.titles(there) == {"first"}
    again = machine.repository("begun")
    assert machine.titles(again) == set()
    machine.create(again, "second")
    assert machine.titles(there) == {"first"}
    assert machine.titles(again) == {"second"}


def test_a_repository_that_is_begun_anew_in_its_place_keeps_its_replica(machine: Machine) -> None:
    place = machine.repository("begun")
    machine.create(place, "first")
    shutil.rmtree(place / ".git")
    assert machine.titles(place) == {"first"}, "no repository for a while"
    machine.git(place, "init", "-q")
    assert machine.titles(place) == {"first"}


def test_a_copy_of_a_repository_has_no_key_to_its_replica(machine: Machine) -> None:
    place = machine.repository("begun")
    machine.create(place, "first")
    shutil.copytree(place, copy := machine.folder / "copy")
    assert machine.titles(copy) == set()
    assert (copy / ".git" / "localfirst-mark").read_text() != (place / ".git" / "localfirst-mark").read_text()
    machine.create(copy, "second")
    assert machine.titles(place) == {"first"}
    assert machine.titles(copy) == {"second"}


def test_a_repository_that_was_copied_to_another_place_and_removed_has_moved(machine: Machine) -> None:
    place = machine.repository("begun")
    machine.create(place, "first")
    shutil.copytree(place, copy := machine.folder / "copy")
    shutil.rmtree(place)
    assert machine.titles(copy) == {"first"}


def test_a_mark_that_came_with_an_archive_is_no_key(machine: Machine, tmp_path: Path) -> None:
    other = Machine(tmp_path / "other", machine.program)
    theirs = other.repository("theirs")
    other.create(theirs, "theirs")
    mine = machine.repository("mine")
    machine.create(mine, "mine")
    shutil.copytree(theirs, unpacked := machine.folder / "unpacked")
    assert machine.titles(unpacked) == set()
    assert machine.titles(mine) == {"mine"}


def test_a_named_copy_shares_the_replica_of_the_name(machine: Machine) -> None:
    place = machine.repository("begun")
    machine.git(place, "remote", "add", "origin", REMOTE)
    machine.create(place, "first")
    shutil.copytree(place, copy := machine.folder / "copy")
    assert machine.titles(copy) == {"first"}


def test_a_repository_that_cannot_be_written_is_found_by_its_path(machine: Machine) -> None:
    place = machine.repository("begun")
    (place / ".git" / "localfirst-mark").mkdir()  # nothing can be written there
    machine.create(place, "first")
    assert machine.titles(place) == {"first"}
    machine.git(place, "remote", "add", "origin", REMOTE)
    assert machine.titles(place) == {"first"}


def test_a_directory_that_becomes_a_repository_keeps_its_replica(machine: Machine) -> None:
    (place := machine.folder / "plain").mkdir()
    machine.create(place, "first")
    machine.git(place, "init", "-q")
    assert machine.titles(place) == {"first"}
    there = place.rename(machine.folder / "moved")
    assert machine.titles(there) == {"first"}


def test_the_mark_and_the_table_are_private(machine: Machine) -> None:
    place = machine.repository("begun")
    machine.create(place, "first")
    for file in (place / ".git" / "localfirst-mark", machine.replicas / "projects.json"):
        assert file.stat().st_mode & 0o777 == 0o600
    machine.git(place, "diff", "--quiet", "HEAD")


@pytest.mark.parametrize("name", ["github.com/Owner/Name", "github.com/owner/name"])
def test_a_replica_that_an_earlier_version_has_called_after_its_name_is_found(machine: Machine, name: str) -> None:
    from localfirst.settings.place import name_of_default

    machine.replicas.mkdir(parents=True)
    open_replica(machine.replicas / name_of_default(Path(), name), name).close()
    (any_place := machine.folder / "any").mkdir()
    machine.create(any_place, "old", LOCALFIRST_REPLICA=str(machine.replicas / name_of_default(Path(), name)))
    place = machine.repository("begun")
    machine.git(place, "remote", "add", "origin", REMOTE)
    assert machine.titles(place) == {"old"}


def test_what_earlier_versions_kept_apart_becomes_one_project(machine: Machine) -> None:
    from localfirst.settings.place import name_of_default

    machine.replicas.mkdir(parents=True)
    place = machine.repository("begun")
    spellings: list[str | None] = ["github.com/Owner/Name", "github.com/owner/name", None]
    (elsewhere := machine.folder / "elsewhere").mkdir()
    for name in spellings:
        file = machine.replicas / name_of_default(place.resolve(), name)
        open_replica(file, name).close()
        machine.create(elsewhere, str(name), LOCALFIRST_REPLICA=str(file))
    machine.git(place, "remote", "add", "origin", REMOTE)
    assert machine.titles(place) == {str(name) for name in spellings}
    (main,) = [file for file in machine.files() if unsent(machine.replicas / file) == 3]
    assert len(machine.files()) == 3, "all are kept"
    assert main in (name_of_default(Path(), name) for name in spellings if name)


def test_init_brings_a_repository_into_a_project_that_is_there_already(machine: Machine) -> None:
    one, two = machine.repository("one"), machine.repository("two")
    machine.git(one, "remote", "add", "origin", REMOTE)
    machine.create(one, "of one")
    machine.run(two, "init", "--project", "team/board")
    machine.create(two, "of two")
    done = machine.run(one, "init", "--project", "team/board")
    assert "was copied" in done["moved"]
    assert machine.titles(one) == machine.titles(two) == {"of one", "of two"}
    clone = machine.repository("clone")
    machine.git(clone, "remote", "add", "origin", REMOTE)
    assert machine.titles(clone) == {"of one"}, "the old project is left"
