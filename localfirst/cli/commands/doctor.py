"""`localfirst doctor`: what is well, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from localfirst_schema.errors import ValidationError

from localfirst import settings, terminal
from localfirst.cli import checkup, options, verification
from localfirst.cli.command import print_json
from localfirst.cli.finding import Finding
from localfirst.log import log_to_file

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "broken": ("✗", "bold red")}

_NEEDED = ("settings", "project", "replica", "server")
"""What must not be broken for a comparison; the others are what it may find the cause of."""


def doctor(
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Also compare every row: with its history, with its parents, the replica with the server."
        ),
    ] = False,
    fix: Annotated[bool, typer.Option("--fix", help="With --verify: mend what differs, by changes like any other.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Check settings, replica, server and synchronisation; exit with status 1 if something is broken."""
    if fix and not verify:
        raise ValidationError("--fix", "needs --verify")
    log_to_file()
    findings = []
    for finding in _findings(verify=verify, fix=fix):
        findings.append(finding)
        if not as_json:
            _show(finding)
    healthy = all(finding.level != "broken" for finding in findings)
    if as_json:
        print_json({"success": True, "warnings": [], "healthy": healthy, "checks": [one._asdict() for one in findings]})
    if not healthy:
        raise typer.Exit(1)


def _findings(*, verify: bool, fix: bool) -> Iterator[Finding]:
    """The usual round, and after it, where nothing that it needs is broken, the long one."""
    broken = set()
    for finding in checkup.findings():
        if finding.level == "broken":
            broken.add(finding.subject)
        yield finding
    if not verify:
        return
    if not broken.intersection(_NEEDED):
        yield from verification.findings(settings.load(), fix=fix)
    else:
        if broken.intersection(_NEEDED) == {"server"}:
            yield from verification.findings_of_numbers(settings.load(), fix=fix)
        yield Finding("verify", "warning", "nothing was compared: what is broken above comes first")


def _show(finding: Finding) -> None:
    from rich.text import Text

    mark, style = _MARKS[finding.level]
    line = Text.assemble((mark, style), " ", (f"{finding.subject:<10}", "dim"), " ", terminal.text(finding.words))
    terminal.out().print(line, soft_wrap=True)  # paths stay whole, so that they can be copied


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("doctor")(doctor)
