"""Searching the work items."""

from __future__ import annotations

import re
from typing import Any

from localfirst_schema.arguments import SearchWorkItems
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.results import FoundItems

from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.replica.rows import as_row
from localfirst.session import Session

TITLE_WEIGHT, BODY_WEIGHT = 4.0, 1.0
MAX_TERMS = 64

_SEARCH = f"""
    SELECT {", ".join(f"w.{name}" for name in WORK_ITEM.column_names)}, f.rank
    FROM (
        SELECT rowid, bm25(work_items_text, {TITLE_WEIGHT}, {BODY_WEIGHT}) AS rank FROM work_items_text
        WHERE work_items_text MATCH ?1
    ) AS f JOIN work_items AS w ON w.local_id = f.rowid
    WHERE w.deleted_at IS NULL AND w.archived_at IS NULL
    ORDER BY f.rank, w.local_id LIMIT ?2
"""


def match_expression(query: str) -> str:
    """The words of a query as an FTS5 expression: any of them may match; nothing in the query is FTS5 syntax."""
    terms = dict.fromkeys(re.findall(r"\w+", query.casefold()))
    return " OR ".join(f'"{term}"' for term in list(terms)[:MAX_TERMS])


def search(session: Session, arguments: SearchWorkItems) -> dict[str, Any]:
    """Items by the words of the query, best first."""
    source = session.read()
    expression = match_expression(arguments.query)
    items = []
    if expression:
        for *values, rank in session.replica.execute(_SEARCH, (expression, arguments.limit)):
            items.append(present(WORK_ITEM, as_row(WORK_ITEM, values)) | {"score": round(-rank, 6)})
    return {"items": items} | source


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
    ),
)
