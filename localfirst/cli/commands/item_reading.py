"""Reading work items: one, pages of them, those that are ready, search and history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from localfirst_schema.entities import WORK_ITEM

from localfirst.cli import item_view, options
from localfirst.cli.command import command, given
from localfirst.cli.commands import history

TypeFilter = Annotated[str | None, typer.Option("--type", "-t", metavar=options.ITEM_TYPES, help="Only items of this type.")]


def show(
    item: options.ItemId,
    depth: Annotated[int | None, typer.Option("--depth", metavar="N", help="How many levels below it to show.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show an item with its ancestors, the tree below it and its links."""
    with command(as_json=as_json) as this:
        result = this.run("query_work_item", id=this.resolve(WORK_ITEM, item), **given(max_depth=depth))
        this.answer(result, item_view.whole)


def list_(
    item_type: TypeFilter = None,
    status: Annotated[
        str | None, typer.Option("--status", "-s", metavar=options.STATUSES, help="Only items in this state.")
    ] = None,
    parent: Annotated[str | None, typer.Option("--parent", metavar="ID", help="Only the children of this item.")] = None,
    roots: Annotated[bool, typer.Option("--roots", help="Only items without a parent.")] = False,
    labels: options.Labels = None,
    assignee: options.Assignee = None,
    claimed_by: Annotated[str | None, typer.Option("--claimed-by", metavar="NAME", help="Only what this one holds.")] = None,
    priority: options.Priority = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only what reached this machine since.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted items too.")] = False,
    archived: Annotated[bool, typer.Option("--archived", help="Archived items too.")] = False,
    limit: options.Limit = None,
    offset: options.Offset = None,
    as_json: options.AsJson = False,
) -> None:
    """List items, those that were changed last first."""
    with command(as_json=as_json) as this:
        result = this.run(
            "list_work_items",
            root_only=roots,
            include_deleted=deleted,
            include_archived=archived,
            **given(
                item_type=item_type,
                status=status,
                parent_id=this.resolve(WORK_ITEM, parent) if parent is not None else None,
                labels=labels or None,
                assignee=assignee,
                claimed_by=claimed_by,
                priority=priority,
                updated_since=since,
                limit=limit,
                offset=offset,
            ),
        )
        this.answer(result, item_view.page)


def ready(
    item_type: TypeFilter = None,
    labels: options.Labels = None,
    under: Annotated[str | None, typer.Option("--under", metavar="ID", help="Only what is below this item.")] = None,
    claimed: Annotated[bool, typer.Option("--claimed", help="What others hold as well.")] = False,
    limit: options.Limit = None,
    as_json: options.AsJson = False,
) -> None:
    """List what can be worked on now, most urgent first: active items that nothing unfinished blocks."""
    with command(as_json=as_json) as this:
        result = this.run(
            "ready_work_items",
            include_claimed=claimed,
            **given(
                item_type=item_type,
                labels=labels or None,
                under=this.resolve(WORK_ITEM, under) if under is not None else None,
                limit=limit,
            ),
        )
        this.answer(result, item_view.ready)


def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="Words, or a description of what is sought.")],
    limit: options.Limit = None,
    as_json: options.AsJson = False,
) -> None:
    """Find items by words in their titles and metadata, best match first."""
    with command(as_json=as_json) as this:
        result = this.run("search_work_items", query=" ".join(words), **given(limit=limit))
        this.answer(result, item_view.found)


def history_(
    item: options.ItemId,
    limit: Annotated[int | None, typer.Option("--limit", "-n", metavar="N", help="At most so many, 1 to 500.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show who changed what in an item, newest change first."""
    with command(as_json=as_json) as this:
        result = this.run("get_history", entity="work_item", id=this.resolve(WORK_ITEM, item), **given(limit=limit))
        this.answer(result, history.view)


COMMANDS: dict[str, Callable[..., None]] = {"list": list_, "ready": ready, "show": show, "search": search, "history": history_}
