"""Creating, changing, claiming and deleting work items."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer
from localfirst_schema.entities import WORK_ITEM

from localfirst.cli import item_view, metadata, options
from localfirst.cli.command import Command, Result, cleared, command, given
from localfirst.operations.changing import require

Parent = Annotated[str | None, typer.Option("--parent", metavar="ID", help="The item above it.")]
Status = Annotated[str | None, typer.Option("--status", "-s", metavar=options.STATUSES, help="Its state.")]
Branch = Annotated[str | None, typer.Option("--branch", metavar="NAME", help="The git branch.")]
Commit = Annotated[str | None, typer.Option("--commit", metavar="HASH", help="The commit, 40 hexadecimal digits.")]
PullRequest = Annotated[int | None, typer.Option("--pr", metavar="N", help="The number of the pull request.")]


def create(
    title: Annotated[str, typer.Argument(help="What it is called, 1 to 200 characters.")],
    item_type: Annotated[str, typer.Option("--type", "-t", metavar=options.ITEM_TYPES, help="What it is.")] = "task",
    parent: Parent = None,
    status: Status = None,
    document: options.Metadata = None,
    pairs: options.Pairs = None,
    branch: Branch = None,
    commit: Commit = None,
    pull_request: PullRequest = None,
    priority: options.Priority = None,
    labels: options.Labels = None,
    description: options.Description = None,
    assignee: options.Assignee = None,
    due: options.Due = None,
    start: options.Start = None,
    waits_for: options.WaitsFor = None,
    item_id: Annotated[
        str | None, typer.Option("--id", metavar="UUID", help="An id of your own: the same command again changes nothing.")
    ] = None,
    created_at: Annotated[str | None, typer.Option("--created-at", metavar="TIME", help="For records of the past.")] = None,
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Create a work item, on its own or under a parent (at most five levels)."""
    with command(as_json=as_json) as this:
        result = this.run(
            "create_work_item",
            title=title,
            item_type=item_type,
            **given(
                id=item_id,
                parent_id=this.resolve(WORK_ITEM, parent) if parent is not None else None,
                status=status,
                metadata=metadata.whole(document, pairs),
                branch_name=branch,
                commit_hash=commit,
                pr_number=pull_request,
                priority=priority,
                labels=labels or None,
                description=description,
                assignee=assignee,
                due_on=due,
                start_on=start,
                depends_on=[this.resolve(WORK_ITEM, one) for one in waits_for] if waits_for else None,
                created_at=created_at,
                created_by=by,
            ),
        )
        this.answer(result, partial(item_view.written, "Created"))


def update(
    item: options.ItemId,
    title: Annotated[str | None, typer.Option("--title", help="A new title.")] = None,
    status: Status = None,
    parent: Parent = None,
    document: options.Metadata = None,
    pairs: options.Pairs = None,
    branch: Branch = None,
    commit: Commit = None,
    pull_request: PullRequest = None,
    priority: options.Priority = None,
    labels: options.Labels = None,
    add_labels: Annotated[
        list[str] | None, typer.Option("--add-label", metavar="LABEL", help="One more label. Repeatable.")
    ] = None,
    remove_labels: Annotated[
        list[str] | None, typer.Option("--remove-label", metavar="LABEL", help="A label less. Repeatable.")
    ] = None,
    description: options.Description = None,
    assignee: options.Assignee = None,
    due: options.Due = None,
    start: options.Start = None,
    clear: options.Clear = None,
    version: options.Version = None,
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Change an item; metadata is merged key by key."""
    with command(as_json=as_json) as this:
        changes = cleared(clear) | given(
            title=title,
            status=status,
            parent_id=this.resolve(WORK_ITEM, parent) if parent is not None else None,
            metadata=metadata.patch(document, pairs),
            branch_name=branch,
            commit_hash=commit,
            pr_number=pull_request,
            priority=priority,
            labels=labels or None,
            add_labels=add_labels or None,
            remove_labels=remove_labels or None,
            description=description,
            assignee=assignee,
            due_on=due,
            start_on=start,
            updated_by=by,
        )
        result = _change(this, item, version, "update_work_item", **changes)
        this.answer(result, partial(item_view.written, "Updated"))


def delete(
    item: options.ItemId, version: options.Version = None, by: options.By = None, as_json: options.AsJson = False
) -> None:
    """Delete an item that has no children; it stays readable by its id and can be brought back."""
    with command(as_json=as_json) as this:
        result = _change(this, item, version, "update_work_item", deleted=True, **given(updated_by=by))
        this.answer(result, partial(item_view.written, "Deleted"))


def undelete(
    item: options.ItemId, version: options.Version = None, by: options.By = None, as_json: options.AsJson = False
) -> None:
    """Bring a deleted item back."""
    with command(as_json=as_json) as this:
        result = _change(this, item, version, "update_work_item", deleted=False, **given(updated_by=by))
        this.answer(result, partial(item_view.written, "Brought back"))


def revert(
    item: options.ItemId,
    to: Annotated[int, typer.Option("--to", metavar="N", help="The version whose content is wanted; see `item history`.")],
    version: options.Version = None,
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Give an item the content of an earlier version again, as a new version."""
    with command(as_json=as_json) as this:
        result = _change(this, item, version, "revert_work_item", to_version=to, **given(updated_by=by))
        this.answer(result, partial(item_view.written, "Reverted"))


def claim(
    item: options.ItemId,
    minutes: Annotated[float, typer.Option("--for", metavar="MINUTES", help="How long nobody else may take it.")] = 60,
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Mark an item as being worked on by you, so that nobody else starts on it."""
    with command(as_json=as_json) as this:
        item_id = this.resolve(WORK_ITEM, item)
        result = this.run("claim_work_item", id=item_id, lease_minutes=minutes, **given(claimed_by=by))
        this.answer(result, partial(item_view.written, "Claimed"))


def release(
    item: options.ItemId,
    by: options.By = None,
    force: Annotated[bool, typer.Option("--force", help="Also where somebody else holds it.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Give a claimed item back."""
    with command(as_json=as_json) as this:
        result = this.run("release_work_item", id=this.resolve(WORK_ITEM, item), force=force, **given(claimed_by=by))
        this.answer(result, partial(item_view.written, "Released"))


def _change(this: Command, item: str, version: int | None, operation: str, **changes: object) -> Result:
    """Changes one item from `version`, or from the present one."""
    item_id = this.resolve(WORK_ITEM, item)

    def present() -> int:
        this.session.read(item_id)
        return int(require(this.session, WORK_ITEM, item_id)["version"])

    return this.run_on(version, present, operation, id=item_id, **changes)


COMMANDS: dict[str, Callable[..., None]] = {
    "create": create,
    "update": update,
    "delete": delete,
    "undelete": undelete,
    "revert": revert,
    "claim": claim,
    "release": release,
}
