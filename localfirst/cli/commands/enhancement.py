"""`localfirst enhancement`: what is planned, how urgent it is and for when."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated

import typer
from localfirst_schema.entities import ENHANCEMENT

from localfirst import terminal
from localfirst.cli import options
from localfirst.cli.command import Result, cleared, command, given
from localfirst.cli.group import add_group
from localfirst.cli.item_view import Shorten
from localfirst.operations.changing import require
from localfirst.terminal import Column

EnhancementId = Annotated[
    str, typer.Argument(metavar="ID", help="The enhancement's id, or the first six or more characters of it.")
]
Description = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="What it is about.")]
Priority = Annotated[str | None, typer.Option("--priority", "-p", metavar=options.PRIORITIES, help="How urgent it is.")]
Status = Annotated[str | None, typer.Option("--status", "-s", metavar=options.ENHANCEMENT_STATUSES, help="Its state.")]
Quarter = Annotated[str | None, typer.Option("--quarter", "-q", metavar="QUARTER", help="For when, as in 'Q1 2026'.")]
Principles = Annotated[
    list[str] | None, typer.Option("--principle", metavar="TEXT", help="A constitutional principle that it needs. Repeatable.")
]


def create(
    title: Annotated[str, typer.Argument(help="What it is called, 1 to 200 characters.")],
    description: Description = None,
    priority: Priority = None,
    status: Status = None,
    quarter: Quarter = None,
    principles: Principles = None,
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Plan an enhancement."""
    with command(as_json=as_json) as this:
        fields = _fields(description, priority, status, quarter, principles)
        result = this.run("create_enhancement", title=title, **fields, **given(created_by=by))
        this.answer(result, partial(_written, this.short, "Planned"))


def update(
    enhancement: EnhancementId,
    title: Annotated[str | None, typer.Option("--title", help="A new title.")] = None,
    description: Description = None,
    priority: Priority = None,
    status: Status = None,
    quarter: Quarter = None,
    principles: Principles = None,
    deleted: Annotated[
        bool | None, typer.Option("--delete/--undelete", help="Delete it, or bring it back.", show_default=False)
    ] = None,
    clear: options.Clear = None,
    version: options.Version = None,
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Change an enhancement, or delete it."""
    with command(as_json=as_json) as this:
        fields = cleared(clear) | _fields(description, priority, status, quarter, principles)
        fields |= given(title=title, deleted=deleted, updated_by=by)
        enhancement_id = this.resolve(ENHANCEMENT, enhancement)

        def present() -> int:
            this.session.read(enhancement_id)
            return int(require(this.session, ENHANCEMENT, enhancement_id)["version"])

        result = this.run_on(version, present, "update_enhancement", id=enhancement_id, **fields)
        this.answer(result, partial(_written, this.short, "Deleted" if deleted else "Updated"))


def list_(
    priority: Priority = None,
    status: Status = None,
    quarter: Quarter = None,
    limit: options.Limit = None,
    offset: options.Offset = None,
    as_json: options.AsJson = False,
) -> None:
    """List enhancements, most urgent first."""
    with command(as_json=as_json) as this:
        filters = given(priority=priority, status=status, target_quarter=quarter, limit=limit, offset=offset)
        this.answer(this.run("list_enhancements", **filters), partial(_page, this.short))


def _fields(
    description: str | None, priority: str | None, status: str | None, quarter: str | None, principles: list[str] | None
) -> dict[str, object]:
    return given(
        description=description,
        priority=priority,
        status=status,
        target_quarter=quarter,
        requires_constitutional_principles=principles or None,
    )


def _written(short: Shorten, verb: str, enhancement: Result) -> None:
    quarter = f", {enhancement['target_quarter']}" if enhancement.get("target_quarter") else ""
    terminal.say(
        f"{verb} enhancement {short(ENHANCEMENT, enhancement['id'])} “{enhancement['title']}” ({enhancement['priority']}"
        f" priority, {enhancement['status']}{quarter}, version {enhancement['version']})."
    )


def _page(short: Shorten, result: Result) -> None:
    if not result["items"]:
        terminal.say("No enhancements.")
        return
    rows(short, result["items"])
    terminal.count_displayed(len(result["items"]), result["total_count"])


def rows(short: Shorten, enhancements: Iterable[Result]) -> None:
    """The table."""
    columns = (
        Column("id", "id"),
        Column("priority", "word"),
        Column("status", "word"),
        Column("quarter", "faint"),
        Column("title"),
    )
    drawn = (
        (short(ENHANCEMENT, one["id"]), one["priority"], one["status"], one.get("target_quarter"), one["title"])
        for one in enhancements
    )
    terminal.table(columns, drawn)


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    commands: dict[str, Callable[..., None]] = {"list": list_, "create": create, "update": update}
    add_group(app, "enhancement", "Future enhancements: what is planned, how urgent and for when.", commands)
