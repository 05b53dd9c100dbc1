"""The report of an earlier migration, asked for later, by whomever."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from migration.project_on_disk import SAMPLE, Project

OF_THE_CONTRACT = ("success", "data_preservation_percentage", "reconciliation", "rollback_executed", "errors", "warnings")


def ask(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return project.tool(*arguments, "--report")


def asked(project: Project, *arguments: str) -> dict[str, Any]:
    done = ask(project, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_the_report_says_later_what_the_migration_said(project: Project) -> None:
    first = project.migrate()
    rows = project.rows()
    later = asked(project, str(project.file))
    assert {name: later[name] for name in OF_THE_CONTRACT} == {name: first[name] for name in OF_THE_CONTRACT}
    assert (later["rows_created"], later["backup"]) == (92, ".project_status.md.backup")
    assert (later["file"], later["file_unchanged"]) == (".project_status.md", True)
    assert later["migrated_at"].endswith("Z")
    assert project.rows() == rows


def test_without_a_path_the_last_migration_is_meant(project: Project) -> None:
    project.migrate()
    other = project.folder / "other.md"
    other.write_text("## Vendors\n- somebody: operational\n")
    project.file = other
    project.migrate()
    assert asked(project)["file"] == "other.md"
    assert asked(project, ".project_status.md")["rows_created"] == 92


def test_a_second_run_does_not_take_the_first_ones_place(project: Project) -> None:
    project.migrate()
    project.migrate()
    assert asked(project, str(project.file))["rows_created"] == 92


def test_a_file_that_was_changed_since_is_reported_from_one_that_was_not(project: Project) -> None:
    project.migrate()
    project.write(SAMPLE.read_bytes() + b"\nOne more line.\n")
    assert asked(project, str(project.file))["file_unchanged"] is False
    project.file.unlink()
    assert asked(project, str(project.file))["file_unchanged"] is None


def test_a_person_reads_it_as_a_table(project: Project) -> None:
    project.migrate()
    done = ask(project, str(project.file))
    assert done.returncode == 0
    assert "92 rows were written" in done.stdout
    assert "The file is as it was then." in done.stdout


def test_where_nothing_was_ever_brought_in_that_is_said(project: Project) -> None:
    project.migrate(dry_run=True)
    done = ask(project, str(project.file), "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert not report["success"]
    assert report["errors"][0] == "no_report"
    assert ".project_status.md" in report["errors"][1]


def test_a_path_is_needed_for_everything_else(project: Project) -> None:
    done = project.tool("--json")
    assert done.returncode == 2
    assert "PATH" in done.stderr


ODD = """# Project Status

## Vendors (1 total)
- alder: operational (10/12 tests passed, 2 skipped) [Excel, CSV] v1.2.3
this line is odd
- birch broken somehow

## Shopping
- milk

## Deployments (1 total)
### 2025-10-01 - PR #100
- Weather: fine
"""


def test_the_lines_that_were_not_understood_are_counted_and_named(project: Project) -> None:
    report = project.migrate(ODD)
    assert report["success"]
    named = {ODD.split("\n")[number - 1] for number in report["kept_verbatim"]["lines"]}
    assert named == {"this line is odd", "- birch broken somehow", "## Shopping", "- milk", "- Weather: fine"}
    assert report["kept_verbatim"]["count"] == 5
    assert asked(project)["kept_verbatim"] == report["kept_verbatim"]
    displayed = ask(project).stdout
    assert "5 lines were not understood and are kept word for word: 5–6, 8–9, 13." in displayed
    understood = "\n".join(ODD.split("\n")[:4])
    assert project.migrate(understood)["kept_verbatim"] == {"count": 0, "lines": []}


def test_a_file_that_is_not_there_is_an_error_and_no_table_of_zeros(project: Project) -> None:
    done = project.tool("nowhere.md")
    assert done.returncode == 1
    assert done.stdout == "Nothing was changed.\n"
    assert "nowhere.md cannot be read: it does not exist." in done.stderr


def test_a_file_in_which_nothing_is_recognised_is_kept_and_said(project: Project) -> None:
    project.write(b"Dear diary,\n\n- nothing here that is known\n")
    report = project.migrate()
    assert (report["success"], report["data_preservation_percentage"]) == (True, 100.0)
    assert [warning for warning in report["warnings"] if "Nothing in .project_status.md was recognised" in warning]
    assert "2 lines" in report["warnings"][0]
    project.write(b"Dear diary,\n\n## Vendors\n- somebody: operational\n")
    assert not [warning for warning in project.migrate()["warnings"] if "was recognised" in warning]
