"""Which project, and where: in the results that name it, in the first answer, and what is said of a new directory."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from contract.agent import working
from contract.laptop import Laptop

NAMING = ("sync_status", "get_project_configuration", "generate_full_status")


@pytest.fixture
def plain(tmp_path: Path) -> Laptop:
    """A laptop on which nothing was set."""
    return Laptop(tmp_path, {"LOCALFIRST_REPLICA": ""})


def git(directory: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", directory, *arguments], check=True, capture_output=True)


def test_results_name_project_and_root(plain: Laptop) -> None:
    git(plain.project, "init", "-q")
    with working(plain) as agent:
        for tool in NAMING:
            answer = agent.call(tool)
            assert (answer["project"], answer["root"]) == (None, str(plain.project))
    git(plain.project, "remote", "add", "origin", "https://someone:sesame@GitHub.com/O/N.git")
    (inner := plain.project / "src").mkdir()
    with working(plain, cwd=inner) as agent:
        for tool in NAMING:
            answer = agent.call(tool)
            assert (answer["project"], answer["root"]) == ("github.com/O/N", str(plain.project))


def test_the_first_answer_names_them_whatever_is_asked_first_and_no_other_does(plain: Laptop) -> None:
    git(plain.project, "init", "-q")
    with working(plain) as agent:
        agent.refused("query_work_item", id="00000000-0000-0000-0000-000000000000")
        first, second = agent.create("a"), agent.create("b")
        assert (first["project"], first["root"]) == (None, str(plain.project))
        assert second.keys().isdisjoint({"project", "root"})
        assert "announcement" not in first, "a repository is no surprise"
    with working(plain, LOCALFIRST_PROJECT="team/board") as agent:
        assert agent.call("list_vendors")["project"] == "team/board"


def test_a_directory_that_is_no_repository_and_was_never_used_is_said_to_be_new(plain: Laptop) -> None:
    for _ in range(2):  # to have asked is not to have used it
        with working(plain) as agent:
            said = agent.call("list_work_items")["announcement"]
            assert str(plain.project) in said
            assert "is new" in said
            assert "--root" in said
    with working(plain) as agent:
        agent.create("x")
    with working(plain) as agent:
        answer = agent.call("list_work_items")
        assert answer["root"] == str(plain.project)
        assert "announcement" not in answer


def test_a_directory_whose_project_somebody_has_named_is_no_surprise(plain: Laptop) -> None:
    with working(plain, LOCALFIRST_PROJECT="team/board") as agent:
        assert "announcement" not in agent.call("list_work_items")
