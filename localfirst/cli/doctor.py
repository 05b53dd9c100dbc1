"""`localfirst doctor`: what is well, and what is not."""

from __future__ import annotations

import typer

from localfirst.cli import checkup, options, terminal
from localfirst.cli.command import print_json
from localfirst.cli.finding import Finding
from localfirst.log import log_to_file

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "broken": ("✗", "bold red")}


def doctor(as_json: options.AsJson = False) -> None:
    """Check settings, replica, server and synchronisation; exit with status 1 if something is broken."""
    log_to_file()
    findings = []
    for finding in checkup.findings():
        findings.append(finding)
        if not as_json:
            _show(finding)
    healthy = all(finding.level != "broken" for finding in findings)
    if as_json:
        print_json({"success": True, "warnings": [], "healthy": healthy, "checks": [one._asdict() for one in findings]})
    if not healthy:
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    from rich.text import Text

    mark, style = _MARKS[finding.level]
    line = Text.assemble((mark, style), " ", (f"{finding.subject:<10}", "dim"), " ", terminal.text(finding.words))
    terminal.out().print(line, soft_wrap=True)  # paths stay whole, so that they can be copied


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("doctor")(doctor)
