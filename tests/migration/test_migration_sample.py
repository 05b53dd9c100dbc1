"""The sample that comes with the project: all of it arrives, and arrives once."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from localfirst_schema.wire import decode_json

from migration.project_on_disk import COUNTS, SAMPLE, Project


def metadata(project: Project, table: str, **where: object) -> dict[str, object]:
    """The metadata of the one row with these values."""
    [row] = [row for row in project.rows()[table] if all(row[name] == value for name, value in where.items())]
    return dict(decode_json(row["metadata"]))


def test_the_sample_arrives_whole(project: Project) -> None:
    report = project.migrate()
    assert report["success"]
    assert report["errors"] == []
    assert report["data_preservation_percentage"] == 100
    assert not report["rollback_executed"]
    reconciliation = report["reconciliation"]
    assert {name: check for name, check in reconciliation.items() if name != "vendor_metadata"} == {
        name: {"source": count, "migrated": count, "match": True} for name, count in COUNTS.items()
    }
    assert reconciliation["vendor_metadata"]["fields_validated"] == [
        "operational_status", "test_results", "format_support", "version",
    ]  # fmt: skip
    assert reconciliation["vendor_metadata"]["completeness_percentage"] == 100
    assert report["duration_ms"] < 1000


def test_the_file_stays_and_its_copy_is_private(project: Project) -> None:
    project.migrate()
    assert project.file.read_bytes() == SAMPLE.read_bytes() == project.backup.read_bytes()
    assert stat.S_IMODE(project.backup.stat().st_mode) == 0o600


def test_the_tools_show_what_the_file_said(project: Project) -> None:
    project.migrate()
    vendor = project.call("query_vendor_status", name="Kestrel of Ohio")
    assert (vendor["status"], vendor["version"]) == ("operational", 1)
    assert vendor["metadata"] == {
        "test_results": {"passing": 30, "total": 30},
        "format_support": {"excel": True, "csv": True, "pdf": False, "ocr": False},
        "extractor_version": "1.4",
    }
    assert project.call("query_vendor_status", name="Fernhill")["metadata"] == {}
    deployments = project.call("list_deployments", limit=20)["items"]
    assert len(deployments) == 12
    [first] = [one for one in deployments if one["pr_number"] == 18]
    assert first["timestamp"] == "2025-01-01T00:00:00.000000Z"
    assert first["commit_hash"] == "668cab3cead7af878419bd910b407faff82aead1"
    assert [vendor["name"] for vendor in first["affected_vendors"]] == ["Alder Payroll", "Amber Life"]
    assert first["metadata"]["test_summary"] == {"passed": 298, "failed": 0, "skipped": 2}
    assert first["metadata"]["constitutional_compliance"] is True
    assert first["metadata"]["work_item_refs"] == ["T001", "T002"]
    enhancements = project.call("list_enhancements", limit=20)["items"]
    assert len(enhancements) == 9
    assert {one["target_quarter"] for one in enhancements if one["title"] == "OCR confidence scores"} == {"Q2 2026"}
    sessions = project.call("list_work_items", item_type="session", limit=50)
    assert sessions["total_count"] == 25
    [sixth] = [one for one in sessions["items"] if one["metadata"].get("session_id") == "sess_006"]
    assert sixth["created_at"] == "2025-06-08T00:00:00.000000Z"
    assert sixth["metadata"]["token_budget"] == 45000
    assert sixth["metadata"]["prompt"].endswith("```python\nprint('--- still the prompt ---')\n```")
    [first_session] = [one for one in sessions["items"] if one["metadata"].get("session_id") == "sess_001"]
    assert first_session["title"] == "Work on Alder Payroll"
    assert first_session["metadata"]["yaml_frontmatter"]["schema_version"] == "1.0"


def test_what_the_types_cannot_hold_is_kept_and_reported(project: Project) -> None:
    report = project.migrate()
    deployment = next(one for one in project.call("list_deployments", limit=20)["items"] if one["pr_number"] == 21)
    assert deployment["commit_hash"] is None
    assert deployment["metadata"]["commit_hash_as_written"] == "2080f2a"
    [malformed] = [
        decode_json(row["metadata"]) for row in project.rows()["work_items"] if "malformed_frontmatter" in row["metadata"]
    ]
    assert malformed["malformed_frontmatter"] == "session_id: [sess_010\ntoken_budget: 50000"
    assert malformed["prompt"].startswith("Bring the Harbor Care extractor")
    for line in (5, 77, 154, 249):
        assert any(warning.startswith(f"line {line}: ") for warning in report["warnings"]), report["warnings"]


def test_what_people_wrote_between_the_lines_is_in_the_store(project: Project) -> None:
    project.migrate()
    notes = metadata(project, "vendor_extractors", name="Silverline Matrix")["notes"]
    assert notes == ["<- waiting for the new remittance layout, see mail of Sept 12"]
    record = metadata(project, "work_items", item_type="research")
    assert [block["text"].split("\n")[0] for block in record["kept"]] == [  # type: ignore[attr-defined]
        "_Maintained by hand. Last touched 2025-10-09 by the commission team._",
        "Reminder: Glasswing switched portals in August; re-record the fixtures.",
        "## Team notes",
    ]
    found = project.call("search_work_items", query="pager rota")
    assert [item["item_type"] for item in found["items"]] == ["research"]


def test_a_second_run_changes_nothing(project: Project) -> None:
    project.migrate()
    rows = project.rows()
    backup = project.backup.stat()
    report = project.migrate()
    assert report["success"]
    assert report["data_preservation_percentage"] == 100
    assert all(check["match"] for check in report["reconciliation"].values())
    assert report["rows_created"] == 0
    assert project.rows() == rows
    assert project.backup.stat().st_ino == backup.st_ino


def test_what_people_changed_since_is_left_alone(project: Project) -> None:
    project.migrate()
    project.call("update_vendor_status", name="Heron", version=1, operational=False, metadata={"extractor_version": "9.9.9"})
    session = project.call("list_work_items", item_type="session", limit=1)["items"][0]
    project.call("update_work_item", id=session["id"], version=1, deleted=True)
    rows = project.rows()
    report = project.migrate()
    assert report["success"]
    assert {name: report["reconciliation"][name]["migrated"] for name in COUNTS} == COUNTS
    assert project.rows() == rows
    assert sum("left as it is" in warning for warning in report["warnings"]) == 2


def test_a_file_that_was_edited_since_brings_its_new_lines(project: Project) -> None:
    project.migrate()
    text = SAMPLE.read_text()
    text = text.replace("- Heron: operational (24/28", "- Newcomer: broken\n- Heron: operational (25/28")
    text = text.replace("Vendor calls are on Thursdays.", "Vendor calls are on Fridays.")
    report = project.migrate(text)
    assert report["success"], report["errors"]
    assert report["data_preservation_percentage"] == 100
    assert project.call("query_vendor_status", name="Newcomer")["status"] == "broken"
    assert project.call("query_vendor_status", name="Heron")["metadata"]["test_results"]["passing"] == 24
    records = [decode_json(row["metadata"]) for row in project.rows()["work_items"] if row["item_type"] == "research"]
    assert len(records) == 2
    new = next(one for one in records if one["migration"]["lines"] == 398)
    assert [block["text"] for block in new["kept"]] == [
        "## Team notes\nPager rota: odd weeks West, even weeks East.\nVendor calls are on Fridays.",
        "- Heron: operational (25/28 tests passed, 4 skipped) [Excel, CSV] v3.0.6",
    ]
    assert (project.folder / ".project_status.md.backup.1").read_bytes() == SAMPLE.read_bytes()
    assert project.migrate()["rows_created"] == 0


def test_two_laptops_that_migrate_the_same_file_mean_the_same_rows(project: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "other")
    other.write(SAMPLE.read_bytes())
    for one in (project, other):
        one.migrate()
    here, there = project.rows(), other.rows()
    assert {table: [row.get("id") for row in rows] for table, rows in here.items()} == {
        table: [row.get("id") for row in rows] for table, rows in there.items()
    }


def test_a_dry_run_reports_the_same_and_leaves_no_trace(project: Project) -> None:
    dry = project.migrate(dry_run=True)
    assert list(project.folder.iterdir()) == [project.file]
    wet = project.migrate()
    for report in (dry, wet):
        del report["duration_ms"], report["dry_run"], report["backup"]
    assert dry == wet
    rows = project.rows()
    project.backup.unlink()
    assert project.migrate(dry_run=True)["success"]
    assert project.rows() == rows
    assert not project.backup.exists()


@pytest.mark.parametrize("options", [["--json"], []])
def test_the_program_prints_and_returns(project: Project, options: list[str]) -> None:
    done = project.tool(str(project.file), *options)
    assert done.returncode == 0, done.stderr
    if options:
        assert json.loads(done.stdout)["success"] is True
    else:
        assert "92 rows written" in done.stdout
        assert "vendors" in done.stdout
