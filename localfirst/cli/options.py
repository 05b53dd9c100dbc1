"""Options that several commands share, each described once."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, on one line.")]
By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who does it. (default: LOCALFIRST_CLIENT, else your user name)")
]
Version = Annotated[
    int | None,
    typer.Option("--version", metavar="N", help="Refuse unless this is the present version. (default: the present one)"),
]
Limit = Annotated[int | None, typer.Option("--limit", "-n", metavar="N", help="At most so many, 1 to 100.")]
Offset = Annotated[int | None, typer.Option("--offset", metavar="N", help="Leave out so many at the beginning.")]
Metadata = Annotated[
    str | None, typer.Option("--metadata", metavar="JSON", help='Metadata as an object, \'{"priority":"high"}\'.')
]
Pairs = Annotated[
    list[str] | None,
    typer.Option("-m", metavar="KEY=VALUE", help="One key of the metadata: JSON, else text; null removes it. Repeatable."),
]
Clear = Annotated[
    list[str] | None, typer.Option("--clear", metavar="FIELD", help="Empty this field, for example branch_name. Repeatable.")
]

ItemId = Annotated[str, typer.Argument(metavar="ID", help="The item's ref, its id, or six or more of its first characters.")]

ITEM_TYPES = "project|session|task|research"
STATUSES = "active|completed|blocked"
PRIORITIES = "high|medium|low"
ENHANCEMENT_STATUSES = "planned|approved|implementing|completed"
URGENCIES = "urgent|high|medium|low"

Priority = Annotated[str | None, typer.Option("--priority", "-p", metavar=URGENCIES, help="How urgent it is.")]
Labels = Annotated[list[str] | None, typer.Option("--label", "-l", metavar="LABEL", help="A label. Repeatable.")]
Assignee = Annotated[str | None, typer.Option("--assignee", metavar="NAME", help="Who is to do it.")]
Due = Annotated[str | None, typer.Option("--due", metavar="DATE", help="When it is due, as 2026-12-24.")]
Start = Annotated[str | None, typer.Option("--start", metavar="DATE", help="Before this day it is not ready.")]
Description = Annotated[str | None, typer.Option("--description", "-d", metavar="TEXT", help="More about it, in Markdown.")]
WaitsFor = Annotated[list[str] | None, typer.Option("--dep", metavar="ID", help="An item that it waits for. Repeatable.")]
