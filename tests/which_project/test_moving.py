"""`init --project` for a project that has a name: renamed where nobody has the new one, copied where somebody has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest
from reading.world import call
from waiting import until

from localfirst.client.session import Session
from localfirst.settings import load
from which_project.conftest import NewMachine
from which_project.machine import Machine

OLD, NEW = "example.org/team/old", "example.org/team/new"


def of_name(machine: Machine, directory: str, name: str) -> Path:
    place = machine.repository(directory)
    machine.git(place, "remote", "add", "origin", f"https://{name}.git")
    return place


def projects(machine: Machine) -> dict[str, str]:
    assert machine.database_url is not None
    with psycopg.connect(machine.database_url) as server:
        return {name: str(row_id) for row_id, name in server.execute("SELECT id, name FROM localfirst.projects")}


def test_a_rename_reaches_the_others_who_keep_all_and_are_warned_of_nothing(new_machine: NewMachine) -> None:
    ann, bob = new_machine("ann"), new_machine("bob")
    hers, his = of_name(ann, "hers", OLD), of_name(bob, "his", OLD)
    ann.create(hers, "of ann")
    ann.run(hers, "sync")
    bob.run(his, "sync")
    (project,) = projects(ann).values()
    done = ann.run(hers, "init", "--project", NEW)
    assert (done["project"], done["project_id"]) == (NEW, project)
    assert projects(ann) == {NEW: project}
    assert bob.titles(his) == {"of ann"}
    bob.create(his, "of bob")
    bob.git(his, "remote", "set-url", "origin", f"https://{NEW}.git")
    again = bob.listed(his)
    assert ({row["title"] for row in again["items"]}, again["warnings"]) == ({"of ann", "of bob"}, [])
    assert len(bob.files()) == 1

    # Whoever begins a project of the old name begins another one.
    cid = new_machine("cid")
    other = of_name(cid, "other", OLD)
    cid.create(other, "of cid")
    cid.run(other, "sync")
    assert cid.titles(other) == {"of cid"}
    assert set(projects(cid)) == {OLD, NEW}


def test_a_name_that_somebody_has_on_the_server_is_copied_into_and_the_old_project_is_left(new_machine: NewMachine) -> None:
    ann, bob = new_machine("ann"), new_machine("bob")
    hers, his = of_name(ann, "hers", OLD), of_name(bob, "his", NEW)
    ann.create(hers, "of ann")
    ann.run(hers, "sync")
    bob.create(his, "of bob")
    bob.run(his, "sync")
    before = projects(ann)
    done = ann.run(hers, "init", "--project", NEW)
    assert "was copied" in done["moved"]
    ann.run(hers, "sync")
    assert ann.titles(hers) == {"of ann", "of bob"}
    assert bob.titles(his) == {"of ann", "of bob"}
    assert projects(ann) == before
    assert ann.titles(of_name(ann, "clone", OLD)) == {"of ann"}


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine, Path], Session]:
    """Begins a session in a directory of a machine, in this process."""

    def begin(machine: Machine, place: Path) -> Session:
        for name, value in machine.environment().items():
            if name.startswith("XDG_"):
                monkeypatch.setenv(name, value)
        return Session(load(place, machine.environment()))

    return begin


def test_a_clone_of_the_new_name_finds_the_replica_of_a_program_that_has_heard_of_it(
    new_machine: NewMachine, at_work: Callable[[Machine, Path], Session]
) -> None:
    ann, bob = new_machine("ann"), new_machine("bob")
    hers, his = of_name(ann, "hers", OLD), of_name(bob, "his", OLD)
    ann.create(hers, "of ann")
    ann.run(hers, "sync")
    with closing(at_work(bob, his)) as session:
        until(lambda: call(session, "list_work_items")["total_count"] == 1, 20.0)
        call(session, "create_work_item", item_type="task", title="of bob")
        ann.run(hers, "init", "--project", NEW)
        until(lambda: call(session, "sync_status")["project"] == NEW, 20.0)
        assert bob.titles(of_name(bob, "clone", NEW)) == {"of ann", "of bob"}
        assert len(bob.files()) == 1


def test_a_name_that_is_given_back_while_a_program_runs_leads_to_the_replica_again(
    new_machine: NewMachine, at_work: Callable[[Machine, Path], Session]
) -> None:
    ann, bob = new_machine("ann"), new_machine("bob")
    hers, his = of_name(ann, "hers", OLD), of_name(bob, "his", OLD)
    ann.create(hers, "of ann")
    ann.run(hers, "sync")
    with closing(at_work(bob, his)) as session:
        until(lambda: call(session, "list_work_items")["total_count"] == 1, 20.0)
        for name in (NEW, OLD):
            ann.run(hers, "init", "--project", name)
            until(partial(is_called, session, name), 20.0)
    known = json.loads((bob.replicas / "projects.json").read_text())
    (file,) = bob.files()
    assert known["replicas"][file]["name"] == OLD
    assert known["names"] == {OLD: file, NEW: file}


def is_called(session: Session, name: str) -> bool:
    return bool(call(session, "sync_status")["project"] == name)


def test_a_project_that_is_on_a_server_is_not_renamed_without_it(new_machine: NewMachine) -> None:
    ann = new_machine("ann")
    hers = of_name(ann, "hers", OLD)
    ann.create(hers, "of ann")
    ann.run(hers, "sync")
    ann.database_url = None
    refused = ann.tried(hers, "init", "--project", NEW, "--json")
    assert json.loads(refused.stdout)["error"] == "UnavailableError"
    assert not (hers / ".localfirst.toml").exists()
    assert ann.titles(hers) == {"of ann"}


def test_a_project_that_the_checkout_s_file_names_is_moved_and_the_file_follows(new_machine: NewMachine) -> None:
    ann = new_machine("ann")
    hers = ann.repository("hers")
    ann.run(hers, "init", "--project", OLD)
    ann.create(hers, "of ann")
    ann.run(hers, "sync")
    settings = hers / ".localfirst.toml"
    settings.write_text(f"# of the team\n{settings.read_text().rstrip()}  # as on the server\narchiving = 'no'\n")
    ann.run(hers, "trust")
    (project,) = projects(ann).values()
    done = ann.run(hers, "init", "--project", NEW)
    assert (done["project"], done["project_id"]) == (NEW, project)
    assert projects(ann) == {NEW: project}
    assert settings.read_text() == f"# of the team\nproject = \"{NEW}\"  # as on the server\narchiving = 'no'\n"
    again = ann.listed(hers)
    assert ([row["title"] for row in again["items"]], again["warnings"]) == (["of ann"], [])
    assert len(ann.files()) == 1


def test_a_file_in_which_the_name_cannot_be_changed_is_left_and_nothing_is_moved(machine: Machine) -> None:
    place = machine.repository("place")
    text = f'project = """\n{OLD}"""\n'
    (place / ".localfirst.toml").write_text(text)
    machine.run(place, "trust")
    machine.create(place, "first")
    refused = machine.tried(place, "init", "--project", NEW, "--json")
    assert json.loads(refused.stdout)["error"] == "InvalidStateError"
    assert (place / ".localfirst.toml").read_text() == text
    assert machine.run(place, "sync", "--status")["project"] == OLD


def test_a_file_and_a_name_that_do_not_belong_together_are_refused(machine: Machine) -> None:
    place = of_name(machine, "place", OLD)
    machine.create(place, "first")
    (file,) = (str(machine.replicas / name) for name in machine.files())
    refused = machine.tried(place, "item", "list", "--json", LOCALFIRST_REPLICA=file, LOCALFIRST_PROJECT="team/board")
    assert json.loads(refused.stdout)["error"] == "InvalidStateError"
    elsewhere = of_name(machine, "elsewhere", NEW)
    found = machine.listed(elsewhere, LOCALFIRST_REPLICA=file)
    assert (len(found["items"]), found["warnings"]) == (1, ["remote_changed"]), "a remote alone takes nothing away"
