"""`localfirst status`: the whole project on one screen."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from localfirst_schema.entities import DEPLOYMENT, ENHANCEMENT

from localfirst import terminal
from localfirst.cli import options, wording
from localfirst.cli.command import Command, Result, command
from localfirst.cli.commands import deployment, enhancement, sync

BAR_WIDTH = 24
DISPLAYED = 5


def status(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the text of the status file.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show the state of the project: vendors, work items, deployments, enhancements and synchronisation."""
    with command(as_json=as_json) as this:
        result = this.run("generate_full_status", output_format="markdown" if markdown else "json")
        this.answer(result, _text if markdown else lambda displayed: _overview(this, displayed))


def _text(result: Result) -> None:
    sys.stdout.write(result["markdown"])


def _overview(this: Command, result: Result) -> None:
    terminal.say(this.session.settings.project or f"{this.session.settings.root.name} (local)", "bold")
    _sync_line(this)
    _work(result["active_work_items"])
    _vendors(result["vendor_health"])
    if result["recent_deployments"]:
        terminal.heading("Last deployments")
        deployment.rows(lambda _, row_id: this.short(DEPLOYMENT, row_id), result["recent_deployments"][:DISPLAYED])
    if result["pending_enhancements"]:
        terminal.heading(f"Enhancements planned ({len(result['pending_enhancements'])})")
        enhancement.rows(lambda _, row_id: this.short(ENHANCEMENT, row_id), result["pending_enhancements"][:DISPLAYED])


def _sync_line(this: Command) -> None:
    state = this.run("sync_status")
    if state["server"] is None:
        terminal.say("No server: this project stays on this machine.", "dim")
        return
    parts = [f"{state['server']} {wording.server_state(is_online=state['online'], cause=sync.cause_of(this))}"]
    last = wording.ago(state["last_sync_at"])
    parts.append(f"in step {last}" if last else "never in step yet")
    if state["pending_mutations"]:
        parts.append(f"{wording.count(state['pending_mutations'], 'change')} unsent")
    if state["open_conflicts"]:
        parts.append(f"{wording.count(state['open_conflicts'], 'conflict')} open")
    terminal.say(" · ".join(parts), "dim" if state["online"] and not state["open_conflicts"] else "yellow")


def _work(counts: Result) -> None:
    terminal.heading(f"Work items ({counts['total_count']})")
    if not counts["total_count"]:
        terminal.say("None yet; `localfirst add …` makes one.", "dim")
        return
    done = counts["by_status"]["completed"]
    terminal.bar(done, counts["total_count"], BAR_WIDTH, f"{done} of {counts['total_count']} completed")
    terminal.fields(
        (
            ("by status", _counts(counts["by_status"])),
            ("by type", _counts(counts["by_type"])),
            ("by priority", _counts(counts["by_priority"])),
            ("archived", counts["archived_count"] or None),
        )
    )


def _vendors(health: Result) -> None:
    if not health["total_vendors"]:
        return
    terminal.heading(f"Vendors ({health['total_vendors']})")
    words = f"{health['operational_count']} operational, {health['broken_count']} broken"
    terminal.bar(health["operational_count"], health["total_vendors"], BAR_WIDTH, words)


def _counts(numbers: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items() if number)


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("status")(status)
