"""Links between work items."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer
from localfirst_schema.entities import WORK_ITEM

from localfirst.cli import item_view, options
from localfirst.cli.command import command, given

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="The id of the item that the link starts from.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="The id of the item that it leads to.")]
LinkType = Annotated[
    str,
    typer.Option(
        "--type",
        "-t",
        metavar="depends_on|blocks",
        help="depends_on: the source waits for the target; blocks: the target waits for the source.",
    ),
]


def link(
    source: Source,
    target: Target,
    dependency_type: LinkType = "depends_on",
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Link two items, so that one waits for the other."""
    with command(as_json=as_json) as this:
        ends = {"source_id": this.resolve(WORK_ITEM, source), "target_id": this.resolve(WORK_ITEM, target)}
        result = this.run("link_work_items", **ends, dependency_type=dependency_type, **given(created_by=by))
        this.answer(result, partial(item_view.link, this.short, "Linked"))


def unlink(
    source: Source,
    target: Target,
    dependency_type: LinkType = "depends_on",
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Take the link of two items away."""
    with command(as_json=as_json) as this:
        ends = {"source_id": this.resolve(WORK_ITEM, source), "target_id": this.resolve(WORK_ITEM, target)}
        result = this.run("unlink_work_items", **ends, dependency_type=dependency_type, **given(created_by=by))
        this.answer(result, partial(item_view.link, this.short, "Unlinked"))


COMMANDS: dict[str, Callable[..., None]] = {"link": link, "unlink": unlink}
