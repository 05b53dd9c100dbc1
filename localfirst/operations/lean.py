"""Lean rows: what rows of lists and answers of writes show unless every field is asked for, and the ref of each work item.

A column that is null or empty is left out, and so are those that hardly anybody reads (`_SELDOM`). In the rows of a list long
texts of the metadata are left out too, and named. One row that was asked for by its id is displayed whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from localfirst_schema.entities import DEPLOYMENT, ENHANCEMENT, VENDOR, WORK_ITEM, Entity

from localfirst.replica import leases
from localfirst.replica.leases import Claim
from localfirst.replica.refs import displayed_refs

if TYPE_CHECKING:
    from localfirst.client.ports import Reader

Displayed: TypeAlias = dict[str, Any]

TEXT_MAX = 200
"""Characters of a text in the metadata of a list's row; a longer one is read with its item."""

LEAN = (WORK_ITEM, VENDOR, DEPLOYMENT, ENHANCEMENT)
"""Whose rows are lean."""

_SELDOM = frozenset({"path", "depth", "created_at", "created_by"})
_LISTS = ("items", "parent_chain", "unblocked")


def shaped(session: Reader, entity: Entity, answer: Displayed, *, is_read: bool, is_full: bool) -> Displayed:
    """An answer with rows of `entity`: refs in all of them, and lean unless `is_full`.

    Args:
        is_read: whether a row at the top was asked for by its id; it is displayed whole then, but for what is not known of it.
    """
    ids = list(dict.fromkeys(_ids(entity, answer)))
    refs = dict(zip(ids, displayed_refs(session.replica, ids), strict=True)) if ids else {}
    claims = leases.held(session.replica, ids, session.server_now()) if ids and entity is WORK_ITEM else {}
    shape = _Shape(entity, refs, claims, is_full=is_full)
    if "id" in answer:
        is_whole = is_full or (is_read and not answer.get("partial"))
        answer = shape.row(answer, is_whole=is_whole)
    for name in _LISTS:
        if name in answer:
            answer[name] = [shape.listed(row) for row in answer[name]]
    if "children" in answer:
        answer["children"] = shape.children(answer["children"])
    for link in answer.get("dependencies", ()):
        link["related_item"] = shape.row(link["related_item"], is_whole=is_full)
    if isinstance(item := answer.get("item"), dict):
        for link in item["dependencies"]:
            link["related_item"] = shape.row(link["related_item"], is_whole=is_full)
        answer["item"] = shape.row(item, is_whole=is_full)
    return answer


def _ids(entity: Entity, answer: Displayed) -> Iterator[str]:
    """The work items in an answer."""
    if entity is DEPLOYMENT:
        for deployment in (answer, *answer.get("items", ())):
            yield from (item["id"] for item in deployment.get("related_work_items", ()))
    elif entity is WORK_ITEM:
        if "id" in answer:
            yield answer["id"]
        for name in _LISTS:
            yield from (row["id"] for row in answer.get(name, ()))
        yield from (link["related_item"]["id"] for link in answer.get("dependencies", ()))
        if isinstance(item := answer.get("item"), dict):
            yield from _ids(entity, item)
        yield from _below(answer.get("children", ()))


def _below(children: list[Displayed]) -> Iterator[str]:
    for child in children:
        yield child["id"]
        yield from _below(child["children"])


@cache
def _columns(entity: Entity) -> frozenset[str]:
    return frozenset(entity.column_names)


class _Shape:
    """How the rows of one answer are displayed."""

    def __init__(self, entity: Entity, refs: dict[str, str], claims: dict[str, Claim], *, is_full: bool) -> None:
        self._entity = entity
        self._refs = refs
        self._claims = claims
        self._columns = _columns(entity)
        self._is_full = is_full

    def row(self, row: Displayed, *, is_whole: bool) -> Displayed:
        """One row; its own lists are left as they are."""
        columns = self._columns
        if not is_whole:
            row = {
                name: value
                for name, value in row.items()
                if name not in columns or ((value or value == 0) and name not in _SELDOM)
            }
        if self._entity is WORK_ITEM:
            displayed = {"id": row["id"]} | row | {"ref": self._refs[row["id"]]}
            return displayed | self._claim(row, is_whole=is_whole)
        if self._entity is DEPLOYMENT and row.get("related_work_items"):
            related = [{"id": item["id"], "ref": self._refs[item["id"]]} | item for item in row["related_work_items"]]
            return row | {"related_work_items": related}
        return row

    def _claim(self, row: Displayed, *, is_whole: bool) -> Displayed:
        """Who holds it, of a row of an item (the other end of a link is less than that)."""
        claim = self._claims.get(row["id"])
        if claim is not None and row.get("status") != "completed" and row.get("deleted_at") is None:
            return {"claimed_by": claim.by, "claimed_until": claim.until}
        return {"claimed_by": None, "claimed_until": None} if is_whole and "metadata" in row else {}

    def listed(self, row: Displayed) -> Displayed:
        """A row of a list."""
        displayed = self.row(row, is_whole=self._is_full)
        if not self._is_full and (content := displayed.get("metadata")):
            omitted = [name for name, value in content.items() if isinstance(value, str) and len(value) > TEXT_MAX]
            if omitted:
                left = {name: value for name, value in content.items() if name not in omitted}
                displayed = {name: value for name, value in displayed.items() if name != "metadata" or left}
                displayed |= ({"metadata": left} if left else {}) | {"omitted": omitted}
        return displayed

    def children(self, children: list[Displayed]) -> list[Displayed]:
        """Rows with those below them."""
        return [self.listed(child) | {"children": self.children(child["children"])} for child in children]
