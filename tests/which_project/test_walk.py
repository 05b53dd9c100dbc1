"""The replica follows the repository: whatever happens to its names and its place, everything is there at each step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import psycopg
from localfirst_schema.entities import ENTITIES

from which_project.conftest import NewMachine
from which_project.machine import Machine

Step = Callable[[Machine, Path], Path]


def remote(machine: Machine, place: Path) -> Path:
    machine.git(place, "remote", "add", "origin", "https://github.com/owner/name.git")
    return place


def case(machine: Machine, place: Path) -> Path:
    machine.git(place, "remote", "set-url", "origin", "https://github.com/Owner/Name")
    return place


def ssh(machine: Machine, place: Path) -> Path:
    machine.git(place, "remote", "set-url", "origin", "ssh://git@ssh.github.com:443/Owner/Name.git")
    return place


def alias(machine: Machine, place: Path) -> Path:
    machine.git(place, "config", "--global", "url.git@github.com:.insteadOf", "work:")
    machine.git(place, "remote", "set-url", "origin", "work:owner/name")
    return place


def other_remote(machine: Machine, place: Path) -> Path:
    machine.git(place, "remote", "set-url", "origin", "https://example.org/team/moved.git")
    assert "remote_changed" in machine.listed(place)["warnings"]
    return place


def init(machine: Machine, place: Path) -> Path:
    machine.run(place, "init", "--project", "example.org/team/moved")
    assert "remote_changed" not in machine.listed(place)["warnings"]
    return place


def moved(machine: Machine, place: Path) -> Path:
    (there := place.parent / "elsewhere").mkdir()
    return place.rename(there / "renamed")


def work_tree(machine: Machine, place: Path) -> Path:
    machine.git(place, "add", ".localfirst.toml")
    machine.git(place, "commit", "-q", "-m", "the project's name")
    machine.git(place, "worktree", "add", "-q", str(tree := machine.folder / "tree"))
    return tree


def second_clone(machine: Machine, place: Path) -> Path:
    machine.git(machine.folder, "clone", "-q", str(place), str(clone := machine.folder / "clone"))
    machine.git(clone, "remote", "set-url", "origin", "https://example.org/team/moved.git")
    return clone


def remote_removed(machine: Machine, place: Path) -> Path:
    machine.git(place, "remote", "remove", "origin")
    (place / ".localfirst.toml").unlink(missing_ok=True)
    return place


STEPS: tuple[Step, ...] = (
    remote, case, ssh, alias, other_remote, init, moved, work_tree, second_clone, remote_removed,
)  # fmt: skip


def test_everything_is_there_at_each_step_without_a_server(machine: Machine) -> None:
    walk(machine, machine.repository("begun"))
    assert len(machine.files()) == 1, "and in one file"


def walk(machine: Machine, place: Path) -> Path:
    """Takes all steps, and creates an item before and after each."""
    made = set()
    for step in STEPS:
        machine.create(place, title := f"before {step.__name__}")
        made.add(title)
        place = step(machine, place)
        assert machine.titles(place) == made, step.__name__
    return place


def test_everything_is_there_at_each_step_with_a_server(new_machine: NewMachine) -> None:
    machine = new_machine("ann")
    place = walk(machine, machine.repository("begun"))
    assert machine.run(place, "sync")["success"]
    assert unsent(machine) == 0
    assert projects(machine) == ["example.org/team/moved"], "one project, renamed once"
    other = new_machine("bob")
    clone = other.repository("clone")
    other.git(clone, "remote", "add", "origin", "https://example.org/team/moved.git")
    other.run(clone, "sync")
    assert other.titles(clone) == machine.titles(place)


def test_everything_is_there_while_the_server_is_away_and_goes_out_when_it_is_back(new_machine: NewMachine) -> None:
    machine = new_machine("ann")
    there, machine.database_url = machine.database_url, "postgresql://127.0.0.1:1/away"
    place = machine.repository("begun")
    made = set()
    for step in (remote, case, moved):
        machine.create(place, title := f"before {step.__name__}")
        made.add(title)
        place = step(machine, place)
        assert machine.titles(place) == made
    assert unsent(machine) == 3
    machine.database_url = there
    assert machine.run(place, "sync")["pushed"] == 3
    assert machine.titles(place) == made


def test_two_laptops_walk_different_paths_to_one_name_and_meet(new_machine: NewMachine) -> None:
    ann, bob = new_machine("ann"), new_machine("bob")
    address, ann.database_url, bob.database_url = ann.database_url, None, None
    hers, his = ann.repository("hers"), bob.repository("his")
    filled(ann, hers, "ann")
    filled(bob, his, "bob")
    ann.git(hers, "remote", "add", "origin", "https://github.com/Owner/Name.git")
    bob.run(his, "init", "--project", "github.com/owner/name")
    hers = moved(ann, hers)
    ann.create(hers, "named ann")
    bob.create(his, "named bob")
    ann.database_url = bob.database_url = address
    for _ in range(2):
        ann.run(hers, "sync")
        bob.run(his, "sync")
    assert (
        ann.titles(hers) == bob.titles(his) == {"first ann", "second ann", "named ann", "first bob", "second bob", "named bob"}
    )
    assert rows(ann) == rows(bob)
    assert unsent(ann) == unsent(bob) == 0
    assert len(projects(ann)) == 1
    assert ann.run(hers, "conflicts", "list")["total_count"] == 0


def filled(machine: Machine, place: Path, who: str) -> None:
    """Things of which most have ids that follow from the project's."""
    first, second = machine.create(place, f"first {who}"), machine.create(place, f"second {who}")
    machine.run(place, "item", "link", second, first)
    for vendor in ("Alder", f"Birch of {who}"):
        machine.run(place, "vendor", "create", vendor)


def replica(machine: Machine) -> apsw.Connection:
    (name,) = machine.files()
    return apsw.Connection(str(machine.replicas / name))


def unsent(machine: Machine) -> int:
    with closing(replica(machine)) as connection:
        return int(connection.execute("SELECT count(*) FROM outbox").get)


def rows(machine: Machine) -> list[tuple[Any, ...]]:
    """Every row with its id and version."""
    with closing(replica(machine)) as connection:
        return [
            (entity.name, *row)
            for entity in ENTITIES
            for row in connection.execute(f"SELECT id, version FROM {entity.table} ORDER BY id")
        ]


def projects(machine: Machine) -> list[str]:
    """The names that the server knows."""
    assert machine.database_url is not None
    with psycopg.connect(machine.database_url) as server:
        return [name for (name,) in server.execute("SELECT name FROM localfirst.projects ORDER BY name")]
