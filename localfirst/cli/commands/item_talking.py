"""Comments on work items."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from localfirst_schema.entities import WORK_ITEM

from localfirst.cli import item_view, options
from localfirst.cli.command import command, given


def comment(
    item: options.ItemId,
    text: Annotated[str, typer.Argument(help="What is to be said; `-` reads it from standard input.")],
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Add a comment to an item."""
    body = sys.stdin.read().rstrip("\n") if text == "-" else text
    with command(as_json=as_json) as this:
        result = this.run("add_comment", id=this.resolve(WORK_ITEM, item), body=body, **given(created_by=by))
        this.answer(result, item_view.commented)


def comments(
    item: options.ItemId, limit: options.Limit = None, offset: options.Offset = None, as_json: options.AsJson = False
) -> None:
    """Show the comments on an item, oldest first."""
    with command(as_json=as_json) as this:
        result = this.run("list_comments", id=this.resolve(WORK_ITEM, item), **given(limit=limit, offset=offset))
        this.answer(result, item_view.comments)


COMMANDS: dict[str, Callable[..., None]] = {"comment": comment, "comments": comments}
