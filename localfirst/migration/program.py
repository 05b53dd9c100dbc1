"""The program `tools/migrate_project_status.py`, which is `localfirst migrate` too."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import msgspec
from localfirst_schema.errors import LocalfirstError

from localfirst import settings
from localfirst.log import log_to_file
from localfirst.migration.earlier import earlier_migration
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
        "path", metavar="PATH", type=Path, nargs="?", help="the status file; it is left as it is, a copy is made beside it"
    )
    parser.add_argument(
        "--report", action="store_true", help="show the report of the last migration (of PATH, if given) and change nothing"
    )
    parser.add_argument("--dry-run", action="store_true", help="do everything except writing")
    parser.add_argument(
        "--prompts",
        metavar="DIR",
        type=Path,
        help="the folder of session prompts in files of their own (else looked for)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    given = parser.parse_args(arguments)
    if given.path is None and not given.report:
        parser.error("the following arguments are required: PATH")
    if given.report:
        return show_earlier(given.path, given.prompts, as_json=given.json)
    return bring_in(given.path, given.prompts, dry_run=given.dry_run, as_json=given.json)


def bring_in(path: Path, prompts: Path | None, *, dry_run: bool, as_json: bool, indent: int = 2) -> int:
    """Migrates the file, prints the report, and returns the exit status: 0 if all is in the store."""
    log_to_file()
    try:
        report = migrate(path, settings.load(), dry_run=dry_run, prompts=prompts)
    except LocalfirstError as error:
        report = Report(dry_run=dry_run)
        report.fail("invalid_settings", error.message)
    if as_json:
        _print_json(report.as_dict(), indent)
    else:
        print_report(report)
    return 0 if report.success else 1


def show_earlier(path: Path | None, prompts: Path | None, *, as_json: bool, indent: int = 2) -> int:
    """Prints the report of an earlier migration; 1 if there is none, or the store cannot be read."""
    from localfirst import terminal

    log_to_file()
    failed = Report()
    try:
        earlier = earlier_migration(settings.load(), path, prompts)
    except LocalfirstError as error:
        earlier = None
        failed.fail("store_unavailable", error.message)
    else:
        if earlier is None:
            what = "no file" if path is None else f"no {os.fsencode(path.name).decode('utf-8', 'replace')}"
            failed.fail("no_report", f"{what} was ever brought into this project's store.")
    if as_json:
        _print_json(earlier.as_dict() if earlier else failed.as_dict(), indent)
    elif earlier is None:
        for words in failed.errors:
            terminal.complain(words)
    else:
        terminal.say(f"{earlier.file}, brought in at {earlier.migrated_at} by {earlier.migrated_by or 'nobody named'}", "bold")
        print_report(earlier.report, is_earlier=True)
        if earlier.unchanged is not None:
            terminal.say("The file is as it was then." if earlier.unchanged else "The file has changed since.")
    return 0 if earlier else 1


def _print_json(value: object, indent: int) -> None:
    encoded = msgspec.json.encode(value)
    sys.stdout.buffer.write((msgspec.json.format(encoded, indent=indent) if indent else encoded) + b"\n")
    sys.stdout.flush()
