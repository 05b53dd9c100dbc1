"""`init --project` for a project that has a name: renamed where nobody has the new one, copied where somebody has it."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg

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


def test_a_file_and_a_name_that_do_not_belong_together_are_refused(machine: Machine) -> None:
    place = of_name(machine, "place", OLD)
    machine.create(place, "first")
    (file,) = (str(machine.replicas / name) for name in machine.files())
    refused = machine.tried(place, "item", "list", "--json", LOCALFIRST_REPLICA=file, LOCALFIRST_PROJECT="team/board")
    assert json.loads(refused.stdout)["error"] == "InvalidStateError"
    elsewhere = of_name(machine, "elsewhere", NEW)
    found = machine.listed(elsewhere, LOCALFIRST_REPLICA=file)
    assert (len(found["items"]), found["warnings"]) == (1, ["remote_changed"]), "a remote alone takes nothing away"
