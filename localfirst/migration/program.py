"""The program `tools/migrate_project_status.py`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
from localfirst_schema.errors import LocalfirstError

from localfirst import settings
from localfirst.log import log_to_file
from localfirst.migration.migrate import migrate
from localfirst.migration.report import Report, print_report


def main(arguments: list[str] | None = None) -> int:
    """Migrates the file that the arguments name, prints the report, and returns the exit status: 0 if all went well."""
    parser = argparse.ArgumentParser(
        prog="migrate_project_status.py",
        description="Brings a .project_status.md into the store of the project of the current directory.",
        epilog="Settings come from LOCALFIRST_… variables, then .localfirst.toml at the project's root.",
    )
    parser.add_argument(
        "path", metavar="PATH", type=Path, help="the status file; it is left as it is, a copy is made beside it"
    )
    parser.add_argument("--dry-run", action="store_true", help="do everything except writing")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    given = parser.parse_args(arguments)
    log_to_file()
    try:
        report = migrate(given.path, settings.load(), dry_run=given.dry_run)
    except LocalfirstError as error:
        report = Report(dry_run=given.dry_run)
        report.fail("invalid_settings", error.message)
    if given.json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report.as_dict()), indent=2) + b"\n")
        sys.stdout.flush()
    else:
        print_report(report)
    return 0 if report.success else 1
