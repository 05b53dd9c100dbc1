"""Searching the work items."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import SearchWorkItems
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.results import FoundItems

from localfirst.client.ports import Reader
from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.replica.connection import sqlite_errors


def search(session: Reader, arguments: SearchWorkItems) -> dict[str, Any]:
    """Items by the words of the query and by its meaning, best first."""
    from localfirst.search.item_excerpt import excerpt  # the model's libraries are for those who search
    from localfirst.search.query import terms
    from localfirst.search.work_items import ItemEngine

    source = session.read()
    session.end_snapshot()  # vectors that are missing are written first; the search then takes a snapshot of its own
    with sqlite_errors():
        found = session.services.of(ItemEngine, ItemEngine).find(session.replica, arguments.query, arguments.limit)
    words = terms(arguments.query)
    items = [present(WORK_ITEM, row) | {"score": score} for row, score in found]
    return {"items": [one | {"excerpt": excerpt(one["title"], one["metadata"], words)} for one in items]} | source


OPERATIONS = (
    Operation(
        "search_work_items",
        "Search work items",
        "Finds work items by words or by a description of what is sought, best first.",
        SearchWorkItems,
        FoundItems,
        search,
        "read",
        idempotent=True,
        rows=WORK_ITEM,
        groups=(
            "core",
            "items",
        ),
        lists=(WORK_ITEM,),
    ),
)
