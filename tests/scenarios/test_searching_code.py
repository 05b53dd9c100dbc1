"""Searching code as an agent does it, over stdio: index, search, change, search again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from code_index.searching import FILES
from code_index.workers import no_worker_left
from contract.agent import Agent, working
from contract.laptop import PROGRAM, Laptop
from waiting import until

from scenarios.conftest import NewLaptop

FIELDS = {"file_path", "start_line", "end_line", "symbol", "language", "content", "score", "repository"}


@pytest.fixture
def root(laptop: Laptop) -> Path:
    root = laptop.directory / "code"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_an_agent_indexes_and_finds(agent: Agent, root: Path) -> None:
    assert agent.call("search_code", query="parse header")["index_warnings"] == ["index_missing"]
    assert agent.call("index_repository", repo_path=str(root))["status"] == "completed"
    answer = agent.call("search_code", query="parse a header line", repo_path=str(root), limit=2)
    assert answer["success"] is True
    assert (answer["coverage"], answer["data_source"]) == (1.0, "sqlite_cache")
    assert len(answer["results"]) == 2
    best = answer["results"][0]
    assert set(best) >= FIELDS
    assert (best["file_path"], best["symbol"], best["language"]) == ("src/parser.py", "parse_header", "python")
    assert best["content"] == "\n".join(FILES["src/parser.py"].split("\n")[best["start_line"] - 1 : best["end_line"]])
    scores = [found["score"] for found in answer["results"]]
    assert scores == sorted(scores, reverse=True)


def test_an_agent_is_reported_that_the_index_is_behind_until_it_is_brought_up_to_date(agent: Agent, root: Path) -> None:
    agent.call("index_repository", repo_path=str(root))
    agent.call("search_code", query="header", repo_path=str(root))
    (root / "src" / "late.py").write_text("def gather_mushrooms(basket):\n    return basket\n")
    until(
        lambda: "index_behind" in agent.call("search_code", query="header", repo_path=str(root))["index_warnings"],
        15,
        "the search says that the index is behind",
    )
    agent.call("index_repository", repo_path=str(root))
    answer = agent.call("search_code", query="gather_mushrooms", repo_path=str(root))
    assert answer["results"][0]["file_path"] == "src/late.py"
    until(
        lambda: agent.call("search_code", query="header", repo_path=str(root))["index_warnings"] == [],
        15,
        "the search is content again",
    )


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "x", "limit": 0}, "limit"),
        ({"query": "x", "limit": 101}, "limit"),
        ({"query": "x", "repo_path": "relative"}, "repo_path"),
        ({"query": "x", "repo_path": "/does/not/exist"}, "repo_path"),
        ({"query": "x", "scope": "world"}, "scope"),
        ({"query": "x", "nonsense": 1}, "nonsense"),
    ],
)
def test_wrong_arguments_are_named(agent: Agent, arguments: dict[str, object], field: str) -> None:
    if "repo_path" in arguments:
        agent.call("index_repository", repo_path=str(Path(__file__).parent))
    agent.invalid(field, "search_code", **arguments)


def test_the_team_is_not_asked_where_there_is_no_server(agent: Agent) -> None:
    assert agent.refused("search_code", query="header", scope="team").kind == "InvalidStateError"


def test_a_person_searches_and_sees_path_line_and_code(agent: Agent, laptop: Laptop, root: Path) -> None:
    agent.call("index_repository", repo_path=str(root))

    def run(*arguments: str) -> str:
        command = [str(PROGRAM), "search", *arguments]
        done = subprocess.run(
            command, cwd=root, env=dict(laptop.environment), capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    displayed = run("parse", "header", "-n", "1")
    assert displayed.startswith("src/parser.py:1  parse_header")
    assert "def parse_header(line):" in displayed
    assert json.loads(run("parse_header", "--json", "--path", "tests/"))["results"][0]["file_path"] == "tests/test_parser.py"
    assert os.linesep not in run("header", "--json").strip()
    assert run("zzzzqqqq", "--language", "go", "--repo", str(root)).count("net/main.go") <= 1


def test_the_team_is_searched_on_the_server_and_without_it_what_is_here(
    new_laptop: NewLaptop, root: Path, database_url: str
) -> None:
    ann, bob = new_laptop("ann", database_url), new_laptop("bob", database_url)
    with no_worker_left(ann.replica), no_worker_left(bob.replica):
        with working(ann) as on_ann:
            on_ann.call("index_repository", repo_path=str(root))
            until(
                lambda: on_ann.call("search_code", query="parse a header line", scope="team")["results"],
                15,
                "the index has reached the server",
            )
        with working(bob) as on_bob:
            found = on_bob.call("search_code", query="parse a header line", scope="team", limit=1)
            assert (found["data_source"], found["warnings"]) == ("postgresql", [])
            assert (found["results"][0]["file_path"], found["results"][0]["symbol"]) == ("src/parser.py", "parse_header")
        with working(ann, LOCALFIRST_DATABASE_URL="postgresql://127.0.0.1:1/board") as on_ann:
            found = on_ann.call("search_code", query="parse a header line", scope="team", limit=1)
            assert (found["data_source"], found["warnings"]) == ("sqlite_cache", ["database_unavailable"])
            assert found["results"][0]["symbol"] == "parse_header"
