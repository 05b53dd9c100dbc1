"""No arrow between rooms runs back up, no circle is between files, and the page of the architecture draws what is there."""

from __future__ import annotations

from structure.imports import ROOT, arrows, circles, drawing, files, imports

BEGIN, END = "<!-- imports -->\n```mermaid\n", "\n```\n<!-- /imports -->"


def test_circles_are_found() -> None:
    assert circles({"a": ["b"], "b": ["c"], "c": ["b"], "d": ["a"]}) == [["b", "c"]]


def test_every_module_is_seen() -> None:
    assert {"localfirst.client.session", "localfirst_sync.decision", "localfirst_schema.errors"} <= files().keys()
    assert "localfirst.client.server_link" in imports()["localfirst.client.session"]


def test_there_is_no_circle_between_files() -> None:
    assert circles(imports()) == []


def test_no_arrow_between_rooms_runs_back_up() -> None:
    assert circles(arrows()) == []


def test_the_architecture_page_draws_what_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    displayed = page.split(BEGIN)[1].split(END)[0]
    assert displayed == drawing(), "put the output of `PYTHONPATH=tests python -m structure.imports` there"
