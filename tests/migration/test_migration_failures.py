"""A migration that fails, whatever the reason, leaves nothing behind and says why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from migration.faults import faulty_stores
from migration.project_on_disk import SAMPLE, Project

FAULTY = Path(__file__).with_name("faults.py")
FAULTS = {
    "vendor_count": "AFTER INSERT ON vendor_extractors WHEN new.name = 'Heron' BEGIN"
    " DELETE FROM vendor_extractors WHERE id = new.id; END",
    "vendor_metadata": "AFTER INSERT ON vendor_extractors WHEN new.name = 'Heron' BEGIN UPDATE vendor_extractors"
    " SET metadata = json_set(metadata, '$.test_results.passing', 1) WHERE id = new.id; END",
    "deployment_history": "AFTER INSERT ON deployment_events WHEN new.deployed_at LIKE '2025-07%' BEGIN UPDATE"
    " deployment_events SET metadata = json_remove(metadata, '$.constitutional_compliance') WHERE id = new.id; END",
    "enhancements": "AFTER INSERT ON future_enhancements WHEN new.title LIKE 'Snow%' BEGIN UPDATE future_enhancements"
    " SET target_quarter = NULL WHERE id = new.id; END",
    "session_prompts": "AFTER INSERT ON work_items WHEN new.metadata LIKE '%sess_006%' BEGIN UPDATE work_items"
    " SET metadata = json_set(metadata, '$.prompt', 'short') WHERE id = new.id; END",
    "data_preservation": "AFTER INSERT ON work_items WHEN new.item_type = 'research' BEGIN UPDATE work_items"
    " SET metadata = json_remove(metadata, '$.kept[2]') WHERE id = new.id; END",
    "deployment_history ": "AFTER INSERT ON vendor_deployment_links BEGIN"
    " DELETE FROM vendor_deployment_links WHERE id = new.id; END",
}


def run(project: Project, *options: str) -> subprocess.CompletedProcess[str]:
    return project.tool(str(project.file), *options)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_check_that_fails_undoes_everything(project: Project, fault: str) -> None:
    project.session().close()
    done = project.tool(FAULTS[fault], str(project.file), "--json", program=FAULTY)
    assert done.returncode != 0
    report = json.loads(done.stdout)
    assert not report["success"]
    assert report["rollback_executed"]
    assert report["errors"][0] == "validation_failed"
    name = fault.strip()
    assert any(error.startswith(f"{name}: ") for error in report["errors"][1:]), report["errors"]
    if name in report["reconciliation"]:
        assert not report["reconciliation"][name]["match"]
    assert report["data_preservation_percentage"] < 100
    assert project.is_empty()
    assert project.file.read_bytes() == SAMPLE.read_bytes() == project.backup.read_bytes()
    assert project.migrate()["success"]


def test_a_failure_is_reported_to_a_person_too(project: Project) -> None:
    project.session().close()
    done = project.tool(FAULTS["enhancements"], str(project.file), program=FAULTY)
    assert done.returncode != 0
    assert "Nothing was changed" in done.stdout
    assert "enhancements: the file has 9, 8 of them are in the store" in done.stderr


def test_a_store_that_refuses_a_row_leaves_nothing(project: Project) -> None:
    project.session().close()
    with faulty_stores("BEFORE INSERT ON future_enhancements BEGIN SELECT raise(ABORT, 'no'); END"):
        report = project.migrate()
    assert not report["success"]
    assert report["rollback_executed"]
    assert report["errors"][0] == "store_failed"
    assert project.is_empty()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (SAMPLE.read_bytes().replace(b"Heron", b"He\0ron"), "line 45"),
        (SAMPLE.read_bytes().replace("Züri".encode(), "Züri".encode("latin-1")), "UTF-8"),
        (SAMPLE.read_text().encode("utf-16"), "NUL"),
    ],
)
def test_a_file_that_is_no_text_is_refused(project: Project, content: bytes, words: str) -> None:
    report = project.migrate(content)
    assert not report["success"]
    assert not report["rollback_executed"]
    assert report["errors"][0] == "invalid_file"
    assert words in report["errors"][1]
    assert project.is_empty()
    assert not project.backup.exists()
    assert project.file.read_bytes() == content


@pytest.mark.parametrize("what", ["missing", "directory", "unreadable", "dangling link"])
def test_a_file_that_cannot_be_read_is_an_error_in_the_same_form(project: Project, what: str) -> None:
    project.file.unlink()
    if what == "directory":
        project.file.mkdir()
    elif what == "unreadable":
        project.file.touch(mode=0o000)
        if os.access(project.file, os.R_OK):
            pytest.skip("this user may read everything")
    elif what == "dangling link":
        project.file.symlink_to("nowhere")
    done = run(project, "--json")
    assert done.returncode != 0
    report = json.loads(done.stdout)
    assert report["errors"][0] == ("file_not_found" if what in ("missing", "dangling link") else "file_unreadable")
    assert set(report["reconciliation"]) == {
        "vendor_count", "deployment_history", "enhancements", "session_prompts", "vendor_metadata",
    }  # fmt: skip
    assert project.is_empty()


def test_without_a_copy_nothing_is_written(project: Project) -> None:
    long_name = project.folder / f"{'x' * 250}.md"
    long_name.write_bytes(SAMPLE.read_bytes())
    project.file = long_name
    report = project.migrate()
    assert report["errors"][0] == "backup_failed"
    assert project.is_empty()


def test_a_setting_that_makes_no_sense_is_an_error_in_the_same_form(project: Project) -> None:
    (project.folder / ".localfirst.toml").write_text("nonsense")
    done = run(project, "--json")
    assert done.returncode != 0
    assert json.loads(done.stdout)["errors"][0] == "invalid_settings"


def test_a_text_that_no_store_can_hold_is_refused_with_its_line(project: Project) -> None:
    report = project.migrate('## Vendors\n- a: operational\n- b: broken <!-- localfirst: {"metadata": {"x": "\\u0000"}} -->\n')
    assert report["errors"][0] == "not_storable"
    assert report["errors"][1].startswith("line 3: ")
    assert project.is_empty()
    assert not project.backup.exists()


def test_killed_at_any_moment_all_of_it_is_there_or_nothing(project: Project, tmp_path: Path) -> None:
    """The process kills itself in the middle of the writing, once at every few statements."""
    script = tmp_path / "killed.py"
    script.write_text(
        "import os, signal, sys\n"
        "from localfirst.replica import act\n"
        "left = int(sys.argv.pop(1))\n"
        "write = act.write_row\n"
        "def write_row(*arguments):\n"
        "    global left\n"
        "    left -= 1\n"
        "    if not left:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return write(*arguments)\n"
        "act.write_row = write_row\n"
        "from localfirst.migration.program import main\n"
        "sys.exit(main())\n"
    )
    for number in (1, 45, 80, 116, 117, 118):
        done = subprocess.run(
            [sys.executable, str(script), str(number), str(project.file), "--json"],
            cwd=project.folder, env=project.environment, capture_output=True, check=False,
        )  # fmt: skip
        if number <= 117:
            assert done.returncode == -9
            assert project.is_empty()
        else:
            assert done.returncode == 0
        assert project.file.read_bytes() == SAMPLE.read_bytes() == project.backup.read_bytes()
        assert len(list(project.folder.glob(".project_status.md*"))) == 2
    connection = apsw.Connection(str(project.replica))
    assert connection.execute("SELECT count(*) FROM vendor_extractors").get == 45
    connection.close()
