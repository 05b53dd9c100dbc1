"""`localfirst vendor`: vendors, and whether their extractors work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from localfirst_schema.entities import VENDOR
from localfirst_schema.errors import NotFoundError
from localfirst_schema.identifiers import natural_id

from localfirst import terminal
from localfirst.cli import metadata, options, wording
from localfirst.cli.command import Result, command, given
from localfirst.cli.commands import history
from localfirst.cli.group import add_group
from localfirst.terminal import Column

Name = Annotated[str, typer.Argument(help="The vendor's name.")]
Works = Annotated[bool | None, typer.Option("--operational/--broken", help="Whether its extractor works.", show_default=False)]


def create(
    name: Annotated[str, typer.Argument(help="A name that is unique in the project and never changes.")],
    operational: Works = None,
    document: options.Metadata = None,
    pairs: options.Pairs = None,
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Create a vendor, operational unless said otherwise."""
    with command(as_json=as_json) as this:
        content = metadata.whole(document, pairs)
        result = this.run("create_vendor", name=name, **given(operational=operational, metadata=content, created_by=by))
        this.answer(result, lambda vendor: _written("Created", vendor))


def show(name: Name, as_json: options.AsJson = False) -> None:
    """Show whether a vendor works, with its test results, formats and version."""
    with command(as_json=as_json) as this:
        this.answer(this.run("query_vendor_status", name=name), _whole)


def update(
    name: Name,
    operational: Works = None,
    document: options.Metadata = None,
    pairs: options.Pairs = None,
    version: options.Version = None,
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Change a vendor; metadata is merged key by key."""
    with command(as_json=as_json) as this:
        changes = given(operational=operational, metadata=metadata.patch(document, pairs), updated_by=by)

        def present() -> int:
            return int(this.run("query_vendor_status", name=name)["version"])

        result = this.run_on(version, present, "update_vendor_status", name=name, **changes)
        this.answer(result, lambda vendor: _written("Updated", vendor))


def list_(
    status: Annotated[
        str | None, typer.Option("--status", "-s", metavar="operational|broken", help="Only vendors in this state.")
    ] = None,
    limit: options.Limit = None,
    offset: options.Offset = None,
    as_json: options.AsJson = False,
) -> None:
    """List vendors by name."""
    with command(as_json=as_json) as this:
        this.answer(this.run("list_vendors", **given(status=status, limit=limit, offset=offset)), _page)


def history_(name: Name, limit: options.Limit = None, as_json: options.AsJson = False) -> None:
    """Show who changed what in a vendor, newest change first."""
    with command(as_json=as_json) as this:
        vendor_id = natural_id(this.session.project_id, VENDOR.name, name)
        try:
            changes = this.run("get_history", entity="vendor", id=vendor_id, **given(limit=limit))
        except NotFoundError:
            this.run("query_vendor_status", name=name)  # says it by the name that was given
            raise
        this.answer(changes, history.view)


def _written(verb: str, vendor: Result) -> None:
    terminal.say(f"{verb} vendor “{vendor['name']}” ({vendor['status']}, version {vendor['version']}).")


def _whole(vendor: Result) -> None:
    terminal.say(vendor["name"], "bold")
    at = wording.local_time(vendor["updated_at"])
    by = f" by {vendor['updated_by']}" if vendor["updated_by"] else ""
    facts = (("status", vendor["status"]), ("version", vendor["version"]), ("updated", f"{at}{by}"), ("id", vendor["id"]))
    terminal.fields(facts)
    if vendor["metadata"]:
        terminal.heading("Metadata")
        terminal.fields((key, terminal.inline(value)) for key, value in vendor.get("metadata", {}).items())


def _page(result: Result) -> None:
    columns = (
        Column("name"),
        Column("status", "word"),
        Column("tests"),
        Column("formats"),
        Column("extractor", "faint"),
        Column("v", "number"),
        Column("changed", "faint"),
    )
    if not result["items"]:
        terminal.say("No vendors.")
        return
    terminal.table(columns, (_row(vendor) for vendor in result["items"]))
    terminal.count_displayed(len(result["items"]), result["total_count"])


def _row(vendor: Result) -> tuple[object, ...]:
    content = vendor.get("metadata", {})
    tests = content.get("test_results") or {}
    formats = content.get("format_support") or {}
    return (
        vendor["name"],
        vendor["status"],
        f"{tests.get('passing', '?')}/{tests.get('total', '?')}" if tests else None,
        ", ".join(name for name, supported in formats.items() if supported) or None,
        content.get("extractor_version"),
        vendor["version"],
        wording.ago(vendor["updated_at"]),
    )


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    commands: dict[str, Callable[..., None]] = {
        "list": list_,
        "show": show,
        "create": create,
        "update": update,
        "history": history_,
    }
    add_group(app, "vendor", "Vendors, and whether their extractors work.", commands)
