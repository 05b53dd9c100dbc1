"""What a person does every day with work items, in one short command each: `add`, `done`, `start`, `edit`, `tree` …"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated

import typer
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import LocalfirstError
from localfirst_schema.wire import decode_json

from localfirst import terminal
from localfirst.cli import editor, item_view, options
from localfirst.cli.command import Command, Result, command, given
from localfirst.cli.commands import item_reading
from localfirst.operations.changing import require

ROOTS = 100
"""So many trees are printed at most, those that were changed last."""

ItemIds = Annotated[list[str], typer.Argument(metavar="ID...", help="Refs, ids, or six or more of an id's first characters.")]


def add(
    title: Annotated[list[str], typer.Argument(metavar="TITLE...", help="What it is called; no quotes are needed.")],
    item_type: Annotated[str, typer.Option("--type", "-t", metavar=options.ITEM_TYPES, help="What it is.")] = "task",
    parent: Annotated[str | None, typer.Option("--parent", metavar="ID", help="The item above it.")] = None,
    priority: options.Priority = None,
    labels: options.Labels = None,
    waits_for: options.WaitsFor = None,
    description: options.Description = None,
    assignee: options.Assignee = None,
    due: options.Due = None,
    start: options.Start = None,
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Add a work item: a task, unless --type says otherwise."""
    with command(as_json=as_json) as this:
        result = this.run(
            "create_work_item",
            title=" ".join(title),
            item_type=item_type,
            **given(
                parent_id=this.resolve(WORK_ITEM, parent) if parent is not None else None,
                priority=priority,
                labels=labels or None,
                description=description,
                assignee=assignee,
                due_on=due,
                start_on=start,
                depends_on=[this.resolve(WORK_ITEM, one) for one in waits_for] if waits_for else None,
                created_by=by,
            ),
        )
        this.answer(result, partial(item_view.written, "Added"))


def done(
    items: ItemIds,
    comment: Annotated[str | None, typer.Option("--comment", "-c", metavar="TEXT", help="A comment on each of them.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Complete items, and show what becomes ready by it."""
    with command(as_json=as_json) as this:
        completed = _each(this, "complete_work_item", _lowest_first(this, items), **given(comment=comment))
        ended = {one["id"] for one in completed}
        unblocked = {one["id"]: one for each in completed for one in each.pop("unblocked", ()) if one["id"] not in ended}
        this.answer(_several(completed) | {"unblocked": list(unblocked.values())}, _show_done)


def start(items: ItemIds, by: options.By = None, as_json: options.AsJson = False) -> None:
    """Take items on: nobody else is offered them meanwhile."""
    with command(as_json=as_json) as this:
        found = [this.resolve(WORK_ITEM, one) for one in items]
        claimed = _each(this, "claim_work_item", found, **given(claimed_by=by))
        this.answer(_several(claimed), partial(_show_each, "Started"))


def edit(item: options.ItemId, by: options.By = None, as_json: options.AsJson = False) -> None:
    """Change an item's title and description in your editor ($VISUAL or $EDITOR)."""
    with command(as_json=as_json) as this:
        item_id = this.resolve(WORK_ITEM, item)
        this.session.read(item_id)
        row = require(this.session, WORK_ITEM, item_id)
        metadata = decode_json(row["metadata"])
        before = editor.Text(row["title"], str(metadata.get("description") or ""))
        with editor.edited(before) as after:
            if after == before:
                terminal.note("Nothing was changed.")
                return
            changes: dict[str, object] = {} if after.title == before.title else {"title": after.title}
            if after.body != before.body:
                changes["metadata"] = {"description": after.body or None}
            # The version that was read: what somebody else changed meanwhile is not overwritten, and the text is kept.
            result = this.run("update_work_item", id=item_id, version=row["version"], **changes, **given(updated_by=by))
        this.answer(result, partial(item_view.written, "Updated"))


def tree(
    item: Annotated[str | None, typer.Argument(metavar="[ID]", help="Only what is below this item.")] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Completed items too.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show work items as a tree."""
    with command(as_json=as_json) as this:
        if item is not None:
            roots = [this.resolve(WORK_ITEM, item)]
        else:
            roots = [one["id"] for one in this.run("list_work_items", root_only=True, limit=ROOTS)["items"]]
        found = [this.run("query_work_item", id=root, include_dependencies=False) for root in roots]
        source = {name: found[0][name] for name in ("success", "data_source", "warnings")} if found else {"success": True}
        items = found if everything or item is not None else _unfinished(found)
        this.answer({"items": items} | source, item_view.trees)


def _lowest_first(this: Command, items: Iterable[str]) -> list[str]:
    """The items, children before what they are below: of a parent all children have to be finished."""
    found = list(dict.fromkeys(this.resolve(WORK_ITEM, one) for one in items))
    return sorted(found, key=lambda item_id: -int(require(this.session, WORK_ITEM, item_id)["depth"]))


def _unfinished(items: Iterable[Result]) -> list[Result]:
    """Without what is completed together with all that is below it."""
    kept = (one | {"children": _unfinished(one["children"])} for one in items)
    return [one for one in kept if one["children"] or one["status"] != "completed"]


def _each(this: Command, operation: str, items: Iterable[str], **arguments: object) -> list[Result]:
    """The operation on one item after the other. Where one fails, what was done before is said."""
    results: list[Result] = []
    for item_id in items:
        try:
            results.append(this.run(operation, id=item_id, **arguments))
        except LocalfirstError:
            if results:
                terminal.note(f"Done before that: {', '.join(one['ref'] for one in results)}.")
            raise
    return results


def _several(results: list[Result]) -> Result:
    warnings = dict.fromkeys(one for result in results for one in result["warnings"])
    return {"success": True, "items": results, "warnings": list(warnings)}


def _show_each(verb: str, result: Result) -> None:
    for one in result["items"]:
        item_view.written(verb, one)


def _show_done(result: Result) -> None:
    _show_each("Completed", result)
    for one in result["unblocked"]:
        terminal.say(f"Now ready: {one['ref']} “{one['title']}”")


def register(app: typer.Typer) -> None:
    """Adds the commands to the program."""
    for name, function in COMMANDS.items():
        app.command(name)(function)


COMMANDS: dict[str, Callable[..., None]] = {
    "add": add,
    "done": done,
    "start": start,
    "edit": edit,
    "ready": item_reading.ready,
    "show": item_reading.show,
    "tree": tree,
}
