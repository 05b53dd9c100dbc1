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
