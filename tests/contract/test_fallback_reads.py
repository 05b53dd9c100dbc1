"""Reads with the replica away: they answer from the next layer, and say so."""

from __future__ import annotations

import subprocess

import pytest

from contract.conftest import Start
from contract.laptop import Laptop

STATUS = """# Project Status

## Vendors (2 total)
- vendor_1: operational (10/12 tests passed, 2 skipped) [Excel, CSV] v1.2.3
- vendor_2: broken (5/10 tests passed, 0 skipped) [PDF, OCR] v2.0.1
"""


@pytest.fixture
def away(laptop: Laptop) -> Laptop:
    """A laptop whose replica can neither be opened nor made: a file stands where its directory should."""
    laptop.replica.parent.write_text("in the way")
    return laptop


def test_with_the_replica_away_reads_answer_from_the_status_file(away: Laptop, start: Start) -> None:
    (away.project / ".project_status.md").write_text(STATUS)
    vendors = start().call("list_vendors")
    assert vendors["data_source"] == "markdown_file"
    assert "using_markdown_fallback" in vendors["warnings"]
    assert [(vendor["name"], vendor["status"]) for vendor in vendors["items"]] == [
        ("vendor_1", "operational"),
        ("vendor_2", "broken"),
    ]


def test_with_the_status_file_away_as_well_reads_answer_from_git(away: Laptop, start: Start) -> None:
    (file := away.project / ".project_status.md").write_text(STATUS)
    for command in ("init -q", "add .", "-c user.name=x -c user.email=x@example.org commit -q -m status"):
        subprocess.run(["git", "-C", away.project, *command.split()], check=True)
    file.unlink()
    status = start().call("generate_full_status")
    assert status["data_source"] == "git_history"
    assert "using_git_history_fallback" in status["warnings"]
    assert status["vendor_health"]["total_vendors"] == 2


def test_with_everything_away_reads_answer_with_nothing_and_a_warning(away: Laptop, start: Start) -> None:
    agent = start()
    for tool in ("list_work_items", "list_vendors", "list_deployments", "list_enhancements"):
        answer = agent.call(tool)
        assert (answer["items"], answer["total_count"]) == ([], 0), tool
        assert answer["warnings"] != [], tool


def test_with_the_replica_away_a_write_says_so(away: Laptop, start: Start) -> None:
    refusal = start().refused("create_work_item", item_type="task", title="x")
    assert refusal.kind == "UnavailableError"
    assert "LOCALFIRST_REPLICA" in refusal.text
    assert away.replica.parent.read_text() == "in the way"
