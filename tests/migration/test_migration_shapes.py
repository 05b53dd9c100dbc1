"""The two other shapes of the file: the one of an older generator, and the one that people keep by hand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from localfirst_schema.wire import decode_json

from migration.project_on_disk import SAMPLE, Project

DATA = Path(__file__).parents[1] / "data"


def project_with(tmp_path: Path, shape: str) -> Project:
    """A project whose folder is that of the sample, with the status file under its own name."""
    folder = tmp_path / "project"
    shutil.copytree(DATA / shape, folder)
    (folder / "project_status.md").rename(folder / ".project_status.md")
    return Project(folder)


@pytest.fixture
def generated(tmp_path: Path) -> Project:
    return project_with(tmp_path, "generated")


@pytest.fixture
def hand_kept(tmp_path: Path) -> Project:
    return project_with(tmp_path, "hand_kept")


def assert_whole(report: dict[str, Any], counts: dict[str, int]) -> None:
    assert report["success"], report["errors"]
    assert report["data_preservation_percentage"] == 100
    checks = dict(report["reconciliation"])
    assert checks.pop("vendor_metadata")["completeness_percentage"] == 100
    assert checks == {name: {"source": count, "migrated": count, "match": True} for name, count in counts.items()}
    assert report["duration_ms"] < 1000


def items_of(project: Project) -> dict[str, dict[str, Any]]:
    """The work items by title, each with its metadata read."""
    return {row["title"]: {**row, "metadata": decode_json(row["metadata"])} for row in project.rows()["work_items"]}


def deployment_of(project: Project, pr_number: int) -> dict[str, Any]:
    deployments = project.call("list_deployments", limit=50)["items"]
    return next(one for one in deployments if one["metadata"].get("pr_number") == pr_number)


def enhancements_of(project: Project) -> dict[str, dict[str, Any]]:
    return {one["title"]: one for one in project.call("list_enhancements", limit=50)["items"]}


def record_of(project: Project) -> dict[str, Any]:
    [record] = [item for title, item in items_of(project).items() if title.startswith("Migration of")]
    metadata: dict[str, Any] = record["metadata"]
    return metadata


@pytest.mark.parametrize("shape", ["generated", "hand_kept"])
def test_every_line_arrives_once(tmp_path: Path, shape: str) -> None:
    project = project_with(tmp_path, shape)
    text = project.file.read_bytes()
    first = project.migrate()
    assert first["success"]
    assert first["data_preservation_percentage"] == 100
    rows = project.rows()
    again = project.migrate()
    assert again["success"]
    assert again["rows_created"] == 0
    assert again["reconciliation"] == first["reconciliation"]
    assert project.rows() == rows
    assert project.file.read_bytes() == text


def test_the_generated_shape_arrives(generated: Project) -> None:
    report = generated.migrate()
    assert_whole(report, {"vendor_count": 8, "deployment_history": 5, "enhancements": 5, "session_prompts": 0})


def test_vendors_of_the_generator_are_read_from_one_line_or_three(generated: Project) -> None:
    generated.migrate()
    three = generated.call("query_vendor_status", name="Brightwater Health")
    assert three["status"] == "operational"
    assert three["metadata"] == {
        "test_results": {"passing": 48, "total": 50},
        "format_support": {"excel": True, "csv": True, "pdf": True, "ocr": False},
    }
    assert not any(generated.call("query_vendor_status", name="Fernhill")["metadata"]["format_support"].values())
    old = generated.call("query_vendor_status", name="Glasswing")
    assert (old["status"], old["metadata"]["status_as_written"]) == ("broken", "deprecated")


def test_work_items_of_the_generator_find_their_parents_by_title(generated: Project) -> None:
    generated.migrate()
    items = items_of(generated)
    fixtures = items["Task: fixtures (again)"]
    chain = generated.call("query_work_item", id=fixtures["id"])["parent_chain"]
    assert [each["title"] for each in chain] == ["Remittance rebuild", "Session 001", "Task: split the shared parser"]
    assert fixtures["created_at"] == "2025-10-06T08:15:00.000000Z"
    assert items["Remittance rebuild"]["branch_name"] == "014-remittance-rebuild"
    assert items["Session 002"]["metadata"]["status_as_written"] == "planned"
    orphan = items["Task: nobody's"]
    assert (orphan["parent_id"], orphan["metadata"]) == (None, {"parent_title_as_written": "A session that was deleted"})


def test_deployments_of_the_generator_keep_time_tests_and_short_commits(generated: Project) -> None:
    generated.migrate()
    newest = deployment_of(generated, 100)
    assert newest["timestamp"] == "2025-10-09T16:00:00.000000Z"
    assert newest["metadata"]["test_summary"] == {"unit": 150, "integration": 30}
    assert newest["metadata"]["pr_title"] == "Track extractor versions"
    assert newest["metadata"]["commit_hash_as_written"] == "10ded65"
    assert newest["commit_hash"] is None
    assert {vendor["name"] for vendor in newest["affected_vendors"]} == {"Alder Payroll", "Brightwater Health"}
    assert deployment_of(generated, 99)["commit_hash"] == "668cab3cead7af878419bd910b407faff82aead1"
    assert deployment_of(generated, 98)["metadata"]["notes"] == ["- **Commit**: `ghi1234567890abcdef1234567890abcdef1234`"]
    assert deployment_of(generated, 97)["affected_vendors"] == []


def test_priorities_of_the_generator_are_numbers(generated: Project) -> None:
    generated.migrate()
    found = enhancements_of(generated)
    assert {title: one["priority"] for title, one in found.items()} == {
        "Multi-client synchronisation": "high",
        "Faster queries": "high",
        "Fallback to git history": "medium",
        "Import of old prompts": "low",
        "Scorecards": "low",
    }
    assert found["Faster queries"]["target_quarter"] == "Q1 2026"
    assert found["Faster queries"]["description"] == "<1ms for all vendor and work item look-ups"
    assert found["Scorecards"]["status"] == "approved"
    record = record_of(generated)
    assert {one["as_written"] for one in record["mapped"] if one["field"] == "priority"} == {"1", "2", "3", "4", "5"}
    texts = [one["text"] for one in record["kept"]]
    assert "# Project Status - 2025-10-10T14:30:00.412907+00:00" in texts
    assert "- **Target**: someday" in texts


def test_the_hand_kept_shape_arrives_with_its_prompts(hand_kept: Project) -> None:
    report = hand_kept.migrate()
    assert_whole(report, {"vendor_count": 8, "deployment_history": 4, "enhancements": 8, "session_prompts": 4})
    assert any(warning.startswith("docs/session-prompts/2025-09-20_VALE.md, line 2: ") for warning in report["warnings"])
    assert any(warning.startswith("docs/session-prompts/README.md: ") for warning in report["warnings"])


@pytest.mark.parametrize(
    ("name", "status", "metadata"),
    [
        (
            "Amber Life",
            "operational",
            {"test_results": {"passing": 42, "total": 45, "skipped": 3}, "extractor_version": "1.2.0"},
        ),
        ("Eastgate Financial", "operational", {"test_results": {"passing": 97, "total": 97}, "extractor_version": "2.0.1"}),
        ("Oakshield CA", "operational", {"test_results": {"passing": 19, "total": 22, "skipped": 3}}),
        ("Vale", "operational", {"extractor_version": "0.1.2"}),
        ("Terra Nova Life", "broken", {"notes": ["<- new portal since 2025-09-01"]}),
        ("Tern Benefits", "broken", {"status_as_written": "planned", "notes": ["owner: Ines"]}),
        ("Sable", "broken", {"status_as_written": "deprecated", "test_results": {"passing": 15, "total": 18, "skipped": 3}}),
        ("Heron", "broken", {"status_as_written": "in development"}),
    ],
)
def test_vendors_are_read_from_blocks_lines_and_tables(
    hand_kept: Project, name: str, status: str, metadata: dict[str, Any]
) -> None:
    hand_kept.migrate()
    vendor = hand_kept.call("query_vendor_status", name=name)
    assert vendor["status"] == status
    assert {key: vendor["metadata"][key] for key in metadata} == metadata


def test_what_a_block_says_beyond_the_format_is_its_vendors_note(hand_kept: Project) -> None:
    hand_kept.migrate()
    notes = hand_kept.call("query_vendor_status", name="Amber Life")["metadata"]["notes"]
    assert "- **Output**: dual (policy + rider)" in notes[0]
    notes = hand_kept.call("query_vendor_status", name="Eastgate Financial")["metadata"]["notes"]
    assert notes[0] == "(scans since May)"
    assert notes[1].startswith("Dates come as 31.12.2025")


def test_the_latest_deployment_is_titled_by_its_section(hand_kept: Project) -> None:
    hand_kept.migrate()
    latest = deployment_of(hand_kept, 47)
    assert latest["timestamp"] == "2025-10-04T00:00:00.000000Z"
    assert latest["metadata"]["pr_title"] == "Eastgate production validation"
    assert latest["metadata"]["commit_hash_as_written"] == "2080f2a"
    assert latest["metadata"]["constitutional_compliance"] is True
    assert "What went well:" in latest["metadata"]["notes"][-1]
    older = deployment_of(hand_kept, 42)
    assert (older["timestamp"][:10], older["metadata"]["pr_title"]) == ("2025-09-12", "Amber rollout")
    assert older["commit_hash"] == "10ded65a2ab184eeb0e4823617dd66217db4d3b5"
    assert older["metadata"]["vendor_names"] == ["Gone Vendor"]
    listed = deployment_of(hand_kept, 35)
    assert {vendor["name"] for vendor in listed["affected_vendors"]} == {"Vale", "Oakshield CA"}


def test_priorities_stand_before_behind_or_above(hand_kept: Project) -> None:
    hand_kept.migrate()
    found = enhancements_of(hand_kept)
    assert {title: (one["priority"], one["target_quarter"], one["status"]) for title, one in found.items()} == {
        "Retire the legacy importer": ("high", "Q1 2026", "planned"),
        "Portal credential rotation": ("high", None, "planned"),
        "OCR confidence scores": ("high", "Q2 2026", "planned"),
        "Vendor manifest v2": ("high", None, "completed"),
        "Broker-level splits": ("low", "Q3 2026", "planned"),
        "Snowflake export": ("medium", "Q4 2026", "planned"),
        "Extractor sandboxing": ("medium", None, "planned"),
        "Idea without a date: vendor scorecards": ("medium", None, "planned"),
    }
    assert found["Retire the legacy importer"]["description"] == "nobody knows the cron job"
    assert "Only worth it when three brokers ask." in found["Broker-level splits"]["description"]


def test_what_no_section_holds_is_in_the_record(hand_kept: Project) -> None:
    hand_kept.migrate()
    record = record_of(hand_kept)
    kept = "\n".join(one["text"] for one in record["kept"])
    for line in (
        "# COMMISSION EXTRACTORS - PROJECT STATUS",
        "## 🏭 PRODUCTION CAPABILITIES (4 live, 3 to come)",
        "## 🚀 LATEST DEPLOYMENT: Eastgate production validation (2025-10-04)",
        "VENDOR_PROCESSING (set by hand; next: FRONTEND_DEV)",
        "- Vendors: call them on Thursdays only",
        "2025-07  ## LATEST DEPLOYMENT was a wiki page then",
    ):
        assert line in kept
    assert len(record["migration"]["prompts"]) == 4


def test_a_prompt_in_a_file_becomes_a_session(hand_kept: Project) -> None:
    hand_kept.migrate()
    items = items_of(hand_kept)
    file = hand_kept.folder / "docs/session-prompts/vendors/2025-10-03_EASTGATE_MIGRATION.md"
    item = items["Eastgate manifest migration"]
    assert item["created_at"] == "2025-10-04T00:00:00.000000Z"
    assert item["metadata"]["prompt"] == file.read_text().split("---\n", 2)[2].strip()
    front_matter = item["metadata"]["yaml_frontmatter"]
    assert front_matter["schema_version"] == "1.0"
    assert front_matter["migration_order"][0]["prerequisites"] == ["Amber implementation complete"]
    assert item["metadata"]["prompt_file"] == "docs/session-prompts/vendors/2025-10-03_EASTGATE_MIGRATION.md"
    assert items["Amber, first half"]["metadata"]["token_budget_as_written"] == 900
    vale = items["Look at the skipped tests of Vale."]
    assert vale["metadata"]["malformed_frontmatter"] == "session_id: [broken\ntitle: Vale again"
    assert vale["created_at"][:10] == "2025-09-20"
    assert items["How we rotate credentials"]["metadata"]["prompt"].endswith("- [ ] ask Jo")


def test_a_prompt_file_that_comes_later_is_brought_in_later(hand_kept: Project) -> None:
    hand_kept.migrate()
    new = hand_kept.folder / "docs/session-prompts/2025-11-01_NEW.md"
    new.write_text("---\nsession_id: new-1\n---\nOne more.\n")
    report = hand_kept.migrate()
    assert report["success"]
    assert report["reconciliation"]["session_prompts"] == {"source": 5, "migrated": 5, "match": True}
    assert items_of(hand_kept)["One more."]["metadata"]["session_id"] == "new-1"


@pytest.mark.parametrize("content", [b"---\na: 1\n---\n\0", b"---\na: 1\n---\n\xff\xfe"])
def test_a_prompt_file_that_is_no_text_refuses_the_whole(hand_kept: Project, content: bytes) -> None:
    (hand_kept.folder / "docs/session-prompts/x.md").write_bytes(content)
    report = hand_kept.migrate()
    assert report["errors"][0] == "invalid_file"
    assert "docs/session-prompts/x.md" in report["errors"][1]
    assert hand_kept.is_empty()
    assert not hand_kept.backup.exists()


FILE = "# Project Status\n\n## Vendors (1 total)\n- a: operational\n"
PROMPT = "---\nsession_id: s\n---\nDo it.\n"


@pytest.mark.parametrize("folder", ["prompts", ".claude/sessions", "session_prompts", "docs/session-prompts"])
def test_usual_folders_are_found_and_only_prompts_are_taken_from_them(tmp_path: Path, folder: str) -> None:
    project = Project(tmp_path / "project")
    place = project.folder / folder
    place.mkdir(parents=True)
    (place / "one.md").write_text(PROMPT)
    (place / "system_prompt.md").write_text("You are a helpful service.\n")
    report = project.migrate(FILE)
    assert report["reconciliation"]["session_prompts"]["migrated"] == 1
    assert any("system_prompt.md" in warning for warning in report["warnings"])


def test_a_file_with_prompts_of_its_own_takes_none_from_a_usual_folder(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    (project.folder / "prompts").mkdir()
    (project.folder / "prompts" / "one.md").write_text(PROMPT)
    assert project.migrate(SAMPLE.read_bytes())["reconciliation"]["session_prompts"]["migrated"] == 25


def test_a_folder_that_a_prompt_speaks_of_is_not_meant(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    (project.folder / "session-notes").mkdir()
    (project.folder / "session-notes" / "monday.md").write_text("We talked.\n")
    prompt = "## Session Prompts (1 total)\n### Session 2025-10-01\n---\na: 1\n---\nRead `session-notes/` first.\n"
    assert project.migrate(prompt)["reconciliation"]["session_prompts"]["source"] == 1


def test_a_folder_that_is_named_wins(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    for folder in ("prompts", "elsewhere"):
        (project.folder / folder).mkdir()
        (project.folder / folder / f"{folder}.md").write_text(PROMPT)
    report = project.migrate(FILE, prompts=project.folder / "elsewhere")
    assert report["reconciliation"]["session_prompts"]["migrated"] == 1
    assert items_of(project)["Do it."]["metadata"]["prompt_file"] == "elsewhere/elsewhere.md"
    assert project.migrate(FILE, prompts=project.folder / "nowhere")["errors"][0] == "invalid_file"


@pytest.mark.parametrize("reference", ["../prompts/", "/etc/prompts/", "prompts/../../prompts/", "link-to-prompts/"])
def test_no_reference_leads_out_of_the_files_folder(tmp_path: Path, reference: str) -> None:
    outside = tmp_path / "prompts"
    outside.mkdir()
    (outside / "secret.md").write_text(PROMPT)
    project = Project(tmp_path / "project")
    (project.folder / "prompts").mkdir()
    (project.folder / "link-to-prompts").symlink_to(outside)
    (project.folder / "prompts" / "link.md").symlink_to(outside / "secret.md")
    report = project.migrate(f"{FILE}\nSession prompts: `{reference}`\n")
    assert report["success"]
    assert report["reconciliation"]["session_prompts"]["source"] == 0


BARE = """\
PROJECT STATUS
==============

PRODUCTION CAPABILITIES
-----------------------
- AMINA: operational (42/45 tests passed, 3 skipped)

LATEST DEPLOYMENT

EPSON validation (2025-10-04)
PR: #47
Commit: 2080f2a

FUTURE ENHANCEMENTS:

P1: Multi-sheet support
- P0: Retire the importer - Q1 2026

OPERATIONAL PROCEDURES

- Restart the worker
"""


def test_headings_may_be_capitals_alone(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    report = project.migrate(BARE)
    assert_whole(report, {"vendor_count": 1, "deployment_history": 1, "enhancements": 1, "session_prompts": 0})
    assert deployment_of(project, 47)["metadata"]["pr_title"] == "EPSON validation"
    assert enhancements_of(project)["Retire the importer"]["target_quarter"] == "Q1 2026"
    assert "- Restart the worker" in "\n".join(one["text"] for one in record_of(project)["kept"])
