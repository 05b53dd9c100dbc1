"""Migration: the legacy status file comes into the store whole, checked in five ways, and twice is as good as once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from contract.laptop import Laptop

from scenarios.conftest import Join, NewLaptop

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "data" / "project_status.md"


def migrate(laptop: Laptop, file: Path) -> dict[str, Any]:
    """The report of the migration program."""
    program = ROOT / "tools" / "migrate_project_status.py"
    run = subprocess.run(
        [sys.executable, program, file, "--json"],
        env=laptop.environment, cwd=laptop.project, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    report: dict[str, Any] = json.loads(run.stdout)
    assert (run.returncode == 0) == report["success"], run.stderr
    return report


def test_migration(new_laptop: NewLaptop, join: Join, database_url: str) -> None:
    laptop = new_laptop("a", database_url)
    file = laptop.project / ".project_status.md"
    file.write_bytes(SAMPLE.read_bytes())
    report = migrate(laptop, file)
    assert report["success"]
    assert (report["data_preservation_percentage"], report["rollback_executed"], report["errors"]) == (100, False, [])
    checks = report["reconciliation"]
    for name in ("vendor_count", "deployment_history", "enhancements", "session_prompts"):
        assert checks[name]["match"], name
        assert checks[name]["source"] == checks[name]["migrated"] > 0
    assert checks["vendor_metadata"]["completeness_percentage"] == 100
    assert file.read_bytes() == SAMPLE.read_bytes()
    assert file.with_name(".project_status.md.backup").read_bytes() == SAMPLE.read_bytes()

    agent = join(laptop)
    agent.call("sync_now")
    elsewhere = join(new_laptop("b", database_url))
    assert elsewhere.call("list_vendors", limit=100)["total_count"] == checks["vendor_count"]["source"]
    sessions = elsewhere.call("list_work_items", item_type="session", limit=100)
    assert sessions["total_count"] == checks["session_prompts"]["source"]
    assert elsewhere.call("list_deployments")["total_count"] == checks["deployment_history"]["source"]
    assert elsewhere.call("list_enhancements")["total_count"] == checks["enhancements"]["source"]

    again = migrate(laptop, file)
    assert (again["success"], again["rows_created"]) == (True, 0)


def test_a_file_that_is_no_text_changes_nothing(new_laptop: NewLaptop, join: Join) -> None:
    laptop = new_laptop()
    file = laptop.project / ".project_status.md"
    file.write_bytes(b"## Vendors\n- Alder: operational\n\0")
    report = migrate(laptop, file)
    assert not report["success"]
    assert file.read_bytes() == b"## Vendors\n- Alder: operational\n\0"
    assert join(laptop).call("list_vendors")["total_count"] == 0
