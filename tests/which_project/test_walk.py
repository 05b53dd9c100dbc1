"""The replica follows the repository: whatever happens to its names and its place, everything is there at each step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
