"""The programs under examples/ do what they say, and what a program may import stays small."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import localfirst

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LINES_MAX = 40

Run = Callable[..., list[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs an example in a directory of its own, and gives the lines that it prints."""

    def go(name: str, *arguments: str, **environment: str) -> list[str]:
        more = {"LOCALFIRST_REPLICA": str(tmp_path / "replica.sqlite3"), "LOCALFIRST_PROJECT": "team/examples"}
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / name), *arguments],
            cwd=tmp_path, env=os.environ | more | environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return go


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES_MAX


def test_each_todo_becomes_one_item_however_often_it_is_run(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1  # TODO: name it\n# TODO say why\n")
    first = run("file_todos.py", ".")
    assert [line.split(" ", 1)[1] for line in first] == ["name it", "say why"]
    assert run("file_todos.py", ".") == first
    with localfirst.open(tmp_path, environment={"LOCALFIRST_REPLICA": str(tmp_path / "replica.sqlite3")}) as project:
        assert project.call("list_work_items")["total_count"] == 2


def test_the_bot_works_through_what_is_ready(run: Run, tmp_path: Path) -> None:
    with localfirst.open(tmp_path, environment={"LOCALFIRST_REPLICA": str(tmp_path / "replica.sqlite3")}) as project:
        items = [
            {"key": "a", "item_type": "task", "title": "First"},
            {"item_type": "task", "title": "Second", "depends_on": ["a"]},
        ]
        project.call("create_work_items", items=items)
    reported = run("work_through.py")
    assert [line.split(" ", 1)[1] for line in reported] == ["First (now ready: Second)", "Second"]
    with localfirst.open(tmp_path, environment={"LOCALFIRST_REPLICA": str(tmp_path / "replica.sqlite3")}) as project:
        assert project.call("list_work_items", status="completed")["total_count"] == 2


def test_two_replicas_meet(run: Run, database_url: str) -> None:
    reported = run("two_replicas.py", LOCALFIRST_DATABASE_URL=database_url)
    assert [line.split(" ", 2)[2] for line in reported] == ["Write it down twice high"] * 2
    assert reported[0].split()[1] == reported[1].split()[1], "both show one version"


def test_what_a_program_may_import_is_named() -> None:
    assert set(localfirst.__all__) >= {"open", "Project", "LocalfirstError", "VersionMismatchError"}
    for name in localfirst.__all__:
        assert getattr(localfirst, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'session_of'"):
        _ = localfirst.session_of


def test_a_program_gets_the_contracts_errors(tmp_path: Path) -> None:
    with localfirst.open(tmp_path, environment={"LOCALFIRST_REPLICA": str(tmp_path / "replica.sqlite3")}) as project:
        assert "create_work_item" in project.tools
        made = project.call("create_work_item", item_type="task", title="One")
        with pytest.raises(localfirst.ValidationError, match="did you mean create_work_item"):
            project.call("create_workitem", item_type="task", title="One")
        with pytest.raises(localfirst.ValidationError, match="title"):
            project.call("create_work_item", item_type="task", title="")
        with pytest.raises(localfirst.NotFoundError):
            project.call("query_work_item", id="00000000-0000-4000-8000-000000000000")
        project.call("update_work_item", id=made["ref"], version=1, title="Two")
        with pytest.raises(localfirst.VersionMismatchError) as refused:
            project.call("update_work_item", id=made["ref"], version=1, title="Three")
        assert refused.value.details["actual_version"] == 2


def test_importing_the_package_loads_nothing_else(tmp_path: Path) -> None:
    words = "import sys, localfirst; print(sorted(name for name in sys.modules if name.startswith('localfirst')))"
    done = subprocess.run([sys.executable, "-c", words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "['localfirst']"
