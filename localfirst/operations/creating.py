"""Creating work items, one or several at once, with what they wait for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from localfirst_schema import metadata
from localfirst_schema.arguments import CreateWorkItem, CreateWorkItems, NewWorkItem, PlannedWorkItem
from localfirst_schema.entities import WORK_ITEM, WORK_ITEM_DEPENDENCY
from localfirst_schema.errors import CycleError, NotFoundError, ValidationError
from localfirst_schema.identifiers import UUID_LENGTH, natural_id, new_id
from localfirst_schema.results import WorkItemsCreated, WorkItemWritten
from localfirst_schema.types import as_item_name
from localfirst_schema.wire import Row

from localfirst.client.ports import Reader, Writer
from localfirst.operations.changing import written
from localfirst.operations.item_fields import with_given
from localfirst.operations.naming import item_id
from localfirst.operations.operation import Operation
from localfirst.operations.repeated_creation import check_repeated
from localfirst.replica.act import Act
from localfirst.replica.refs import displayed_refs
from localfirst.replica.rows import find
from localfirst.replica.structure import place_under, require_alive, require_no_circle

_PLAIN = ("title", "status", "branch_name", "commit_hash", "pr_number")
TOGETHER_BYTES_MAX = 8 * 1024 * 1024


def create(session: Writer, arguments: CreateWorkItem) -> dict[str, Any]:
    """Creates one item; the same call again (with its `id`) answers with the item as it is."""
    values = _values(arguments, arguments.id or new_id(), arguments.parent_id)
    _pull_unknown(session, [arguments.parent_id, *arguments.depends_on])
    with session.act(arguments.created_by) as act:
        row = _create(act, values)
        _wait_for(act, session.project_id, row["id"], arguments.depends_on)
    return written(session, WORK_ITEM, row)


def create_several(session: Writer, arguments: CreateWorkItems) -> dict[str, Any]:
    """Creates items that name each other by keys, all of them or none."""
    items = arguments.items
    _refuse_too_much(arguments)
    made = iter(sorted(new_id() for _ in items))  # of one moment, and in the order of the plan wherever ids decide
    ids = [item.id or next(made) for item in items]
    keys = _keys(items, ids)
    parents = [_parent(session, keys, place, item) for place, item in enumerate(items)]
    waits = [
        [_named(session, keys, f"items[{place}].depends_on", name) for name in item.depends_on]
        for place, item in enumerate(items)
    ]
    values = [_checked_values(place, item, ids[place], parents[place]) for place, item in enumerate(items)]
    _pull_unknown(session, {*parents, *(other for wait in waits for other in wait)} - {*ids})
    order = _parents_first(ids, parents)
    with session.act() as act:
        rows: dict[str, Row] = {}
        author = act.by
        for place in order:
            act.by = session.who(items[place].created_by)
            rows[ids[place]] = _create(act, values[place])
        act.by = author
        for row_id, wait in zip(ids, waits, strict=True):
            _wait_for(act, session.project_id, row_id, wait)
        refs = displayed_refs(act.connection, ids)
        created = [
            ({"key": item.key} if item.key is not None else {}) | {"id": row_id, "ref": ref, "version": rows[row_id]["version"]}
            for item, row_id, ref in zip(items, ids, refs, strict=True)
        ]
        act.answer = answer = {"items": created}
    return answer | session.written()


def _values(item: NewWorkItem, row_id: str, parent_id: str | None) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": row_id,
        "item_type": item.item_type,
        "parent_id": parent_id,
        "metadata": metadata.check(metadata.OF_ITEM_TYPE[item.item_type], with_given(item.metadata, _fields(item)) or {}),
        **{name: getattr(item, name) for name in _PLAIN},
    }
    if item.created_at is not None:
        values["created_at"] = item.created_at
    return values


def _fields(item: NewWorkItem) -> dict[str, Any]:
    given = item.model_dump(include={*metadata.ITEM_FIELDS}, exclude_none=True)
    return {name: given[name] for name in metadata.ITEM_FIELDS if name in given}


def _create(act: Act, values: dict[str, Any]) -> Row:
    found = find(act.connection, WORK_ITEM, values["id"])
    if found is not None:
        check_repeated(act.connection, found, values)
        return found
    parent = None
    if (parent_id := values["parent_id"]) is not None:
        parent = require_alive(find(act.connection, WORK_ITEM, parent_id), "work item", parent_id)
    return act.change(WORK_ITEM, None, values, **place_under(act.connection, values["id"], parent))


def _wait_for(act: Act, project_id: str, row_id: str, others: Iterable[str]) -> None:
    """Links an item to what it waits for; a link that there is, or was, stays as it is."""
    for other in dict.fromkeys(others):
        link_id = natural_id(project_id, WORK_ITEM_DEPENDENCY.name, row_id, other, "depends_on")
        if find(act.connection, WORK_ITEM_DEPENDENCY, link_id) is not None:
            continue
        if other == row_id:
            raise CycleError("a work item cannot depend on itself; name another one.", id=row_id)
        require_alive(find(act.connection, WORK_ITEM, other), "work item", other)
        require_no_circle(act.connection, row_id, other, "depends_on")
        values = {"id": link_id, "work_item_id": row_id, "depends_on_id": other, "dependency_type": "depends_on"}
        act.change(WORK_ITEM_DEPENDENCY, None, values)


def _pull_unknown(session: Reader, names: Iterable[str | None]) -> None:
    if any(name is not None and find(session.replica, WORK_ITEM, name) is None for name in names):
        session.catch_up()


def _refuse_too_much(arguments: CreateWorkItems) -> None:
    size = sum(len(item.model_dump_json()) for item in arguments.items)
    if size > TOGETHER_BYTES_MAX:
        raise ValidationError(
            "items",
            f"must be at most {TOGETHER_BYTES_MAX >> 20} MB together",
            f"items: these are {size / 2**20:.1f} MB, at most {TOGETHER_BYTES_MAX >> 20} MB go into one call; divide them.",
        )


def _keys(items: list[PlannedWorkItem], ids: list[str]) -> dict[str, str]:
    """Key → id. Raises ValidationError for a key, or an id, that two items have."""
    keys: dict[str, str] = {}
    for place, item in enumerate(items):
        if item.key is not None and item.key in keys:
            raise ValidationError(f"items[{place}].key", f"must be of one item alone, and {item.key!r} is of two")
        if item.key is not None:
            keys[item.key] = ids[place]
        if ids[place] in ids[:place]:
            raise ValidationError(f"items[{place}].id", "must be of one item alone, and this one is of two")
    return keys


def _parent(session: Reader, keys: dict[str, str], place: int, item: PlannedWorkItem) -> str | None:
    if item.parent is None:
        return None if item.parent_id is None else item_id(session, f"items[{place}].parent_id", item.parent_id)
    if item.parent_id is not None:
        raise ValidationError(f"items[{place}].parent", "must not stand beside parent_id; give one of the two")
    return _named(session, keys, f"items[{place}].parent", item.parent)


def _named(session: Reader, keys: dict[str, str], field: str, name: str) -> str:
    """The id of an item that is named by a key of this call, by a ref or by an id."""
    if name in keys:
        return keys[name]
    known = as_item_name(name)
    try:
        if known is not None:
            return item_id(session, field, known)
    except NotFoundError:
        pass
    if known is not None and len(known) == UUID_LENGTH:
        return known
    raise ValidationError(
        field,
        "must be a key of this call, or the ref or id of a work item",
        f"{field}: {name!r} is no key of this call ({', '.join(sorted(keys)) or 'it has none'}), and no work item has such a"
        " ref or id.",
    )


def _checked_values(place: int, item: PlannedWorkItem, row_id: str, parent_id: str | None) -> dict[str, Any]:
    try:
        return _values(item, row_id, parent_id)
    except ValidationError as error:
        field = f"items[{place}].{error.details.pop('field')}"
        raise ValidationError(
            field, error.details.pop("constraint"), f"items[{place}].{error.message}", **error.details
        ) from None


def _parents_first(ids: list[str], parents: list[str | None]) -> list[int]:
    """The places in an order in which each item comes after its parent. Raises CycleError."""
    places = {row_id: place for place, row_id in enumerate(ids)}
    order: list[int] = []
    done: set[int] = set()
    for start in range(len(ids)):
        chain: list[int] = []
        place: int | None = start
        while place is not None and place not in done:
            if place in chain:
                raise CycleError(
                    f"items[{place}] would be below itself; give one of these another parent.",
                    id=ids[place],
                    field=f"items[{place}].parent",
                )
            chain.append(place)
            place = places.get(parents[place] or "")
        done.update(chain)
        order.extend(reversed(chain))
    return order


OPERATIONS = (
    Operation(
        "create_work_item",
        "Create a work item",
        "Creates a project, session, task or research item, on its own or under a parent (at most five levels). Give your own"
        " `id` (a UUID) to make a repeated call harmless.",
        CreateWorkItem,
        WorkItemWritten,
        create,
        "create",
        rows=WORK_ITEM,
        groups=("items",),
        command="item create",
    ),
    Operation(
        "create_work_items",
        "Create several work items",
        "Creates a whole plan, all or nothing: `parent` and `depends_on` name keys of this call, or refs or ids of others.",
        CreateWorkItems,
        WorkItemsCreated,
        create_several,
        "create",
        groups=(
            "core",
            "items",
        ),
    ),
)
