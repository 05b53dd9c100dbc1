"""`localfirst deployment`: what went out, with the vendors and work items that it touched."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer
from localfirst_schema.entities import DEPLOYMENT, VENDOR, WORK_ITEM
from localfirst_schema.identifiers import natural_id

from localfirst import terminal
from localfirst.cli import metadata, options, wording
from localfirst.cli.command import Command, Result, command, given
from localfirst.cli.group import add_group
from localfirst.cli.item_view import Shorten
from localfirst.replica.rows import find
from localfirst.terminal import Column

DeploymentId = Annotated[
    str, typer.Argument(metavar="ID", help="The deployment's id, or the first six or more characters of it.")
]


def record(
    pull_request: Annotated[int | None, typer.Option("--pr", metavar="N", help="The number of the pull request.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="The title of the pull request.")] = None,
    commit: Annotated[str | None, typer.Option("--commit", metavar="HASH", help="The commit, 40 hexadecimal digits.")] = None,
    document: options.Metadata = None,
    pairs: options.Pairs = None,
    vendors: Annotated[
        list[str] | None, typer.Option("--vendor", metavar="NAME", help="A vendor that it touched. Repeatable.")
    ] = None,
    items: Annotated[
        list[str] | None, typer.Option("--item", metavar="ID", help="A work item that it contains. Repeatable.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="When, as in 2025-10-01T12:00:00Z. (default: now)")
    ] = None,
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Record a deployment with everything that it touched, all in one."""
    with command(as_json=as_json) as this:
        named = given(pr_number=pull_request, pr_title=title, commit_hash=commit)
        result = this.run(
            "record_deployment",
            metadata=(metadata.whole(document, pairs) or {}) | named,
            vendor_ids=[_vendor(this, name) for name in vendors or ()],
            work_item_ids=[this.resolve(WORK_ITEM, item) for item in items or ()],
            **given(deployed_at=at, created_by=by),
        )
        this.answer(result, partial(_written, this.short))


def _vendor(this: Command, name: str) -> str:
    """The id of a vendor that is called so; what is no vendor's name is taken as an id."""
    vendor_id = natural_id(this.session.project_id, VENDOR.name, name)
    if find(this.session.replica, VENDOR, vendor_id) is None:
        this.session.catch_up()
        if find(this.session.replica, VENDOR, vendor_id) is None:
            return this.resolve(VENDOR, name) if _looks_like_an_id(name) else _missing(this, name)
    return vendor_id


def _looks_like_an_id(name: str) -> bool:
    return len(name) >= 6 and not set(name.lower()) - set("0123456789abcdef-")


def _missing(this: Command, name: str) -> str:
    """Raises the NotFoundError that names the vendor."""
    return str(this.run("query_vendor_status", name=name)["id"])


def show(deployment: DeploymentId, as_json: options.AsJson = False) -> None:
    """Show a deployment with the vendors and work items it touched."""
    with command(as_json=as_json) as this:
        this.answer(this.run("query_deployment", id=this.resolve(DEPLOYMENT, deployment)), partial(_whole, this.short))


def list_(
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only those since then, as in 2025-10-01.")
    ] = None,
    limit: options.Limit = None,
    offset: options.Offset = None,
    as_json: options.AsJson = False,
) -> None:
    """List deployments, newest first."""
    with command(as_json=as_json) as this:
        this.answer(this.run("list_deployments", **given(since=since, limit=limit, offset=offset)), partial(page, this.short))


def _written(short: Shorten, deployment: Result) -> None:
    touched = [
        wording.count(len(deployment["affected_vendors"]), "vendor"),
        wording.count(len(deployment["related_work_items"]), "work item"),
    ]
    number = f" of PR #{deployment['pr_number']}" if deployment["pr_number"] else ""
    terminal.say(f"Recorded deployment {short(DEPLOYMENT, deployment['id'])}{number} ({', '.join(touched)}).")


def _whole(short: Shorten, deployment: Result) -> None:
    terminal.say(deployment["pr_title"] or "Deployment", "bold")
    by = f" by {deployment['created_by']}" if deployment["created_by"] else ""
    terminal.fields((("id", deployment["id"]), ("deployed", f"{wording.local_time(deployment['timestamp'])}{by}")))
    terminal.heading("Metadata")
    terminal.fields((key, terminal.inline(value)) for key, value in deployment.get("metadata", {}).items())
    if deployment["affected_vendors"]:
        terminal.heading("Vendors")
        terminal.say(", ".join(vendor["name"] for vendor in deployment["affected_vendors"]))
    if deployment["related_work_items"]:
        terminal.heading("Work items")
        rows = ((short(WORK_ITEM, item["id"]), item["title"]) for item in deployment["related_work_items"])
        terminal.table((Column("id", "id"), Column("title")), rows)


def page(short: Shorten, result: Result) -> None:
    """Deployments as a table."""
    if not result["items"]:
        terminal.say("No deployments.")
        return
    rows(short, result["items"])
    terminal.count_displayed(len(result["items"]), result["total_count"])


def rows(short: Shorten, deployments: list[Result]) -> None:
    """The table."""
    columns = (
        Column("id", "id"),
        Column("deployed", "faint"),
        Column("PR", "number"),
        Column("title"),
        Column("commit", "faint"),
        Column("vendors", "number"),
        Column("items", "number"),
    )
    terminal.table(
        columns,
        (
            (
                short(DEPLOYMENT, one["id"]),
                wording.local_time(one["timestamp"]),
                f"#{one['pr_number']}" if one["pr_number"] else None,
                one["pr_title"],
                (one["commit_hash"] or "")[:8] or None,
                len(one["affected_vendors"]),
                len(one["related_work_items"]),
            )
            for one in deployments
        ),
    )


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    commands: dict[str, Callable[..., None]] = {"list": list_, "show": show, "record": record}
    add_group(app, "deployment", "Deployments: what went out, and what it touched.", commands)
