"""`localfirst conflicts`: fields that were changed on two machines at once and differently."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from localfirst_schema.entities import ENTITY
from localfirst_schema.errors import NotFoundError, ValidationError
from localfirst_schema.refs import DIGITS_MIN

from localfirst import terminal
from localfirst.cli import ids, metadata, options, wording
from localfirst.cli.command import Command, Result, command, given
from localfirst.cli.group import add_group
from localfirst.replica.rows import find
from localfirst.terminal import Column


def list_(
    entity: Annotated[
        str | None, typer.Option("--entity", metavar="work_item|vendor|…", help="Only conflicts of such things.")
    ] = None,
    limit: options.Limit = None,
    as_json: options.AsJson = False,
) -> None:
    """List open conflicts, newest first."""
    with command(as_json=as_json) as this:
        this.answer(this.run("list_conflicts", **given(entity=entity, limit=limit)), lambda result: _page(this, result))


def show(
    conflict: Annotated[
        str, typer.Argument(metavar="ID", help="The conflict's id, or the first six or more characters of it.")
    ],
    as_json: options.AsJson = False,
) -> None:
    """Show the two sides of a conflict beside what both began with."""
    with command(as_json=as_json) as this:
        beginning = _beginning(conflict)
        result = this.run("list_conflicts", conflict_id=beginning)
        found = _one(result.pop("conflicts"), beginning)
        result.pop("total_count")
        this.answer(found | result, lambda displayed: _sides(this, displayed))


def resolve(
    conflict: Annotated[
        str, typer.Argument(metavar="ID", help="The conflict's id, or the first six or more characters of it.")
    ],
    resolution: Annotated[
        str, typer.Argument(metavar="mine|theirs|merge", help="Whose values of the clashing fields to take.")
    ],
    fields: Annotated[
        str | None,
        typer.Option("--fields", metavar="JSON", help='With merge: every clashing field → value, \'{"title":"Agreed"}\'.'),
    ] = None,
    by: options.By = None,
    as_json: options.AsJson = False,
) -> None:
    """Settle a conflict for everyone: take mine, leave theirs, or merge with the values in --fields."""
    with command(as_json=as_json) as this:
        beginning = _beginning(conflict)
        found = _one(this.run("list_conflicts", conflict_id=beginning)["conflicts"], beginning)
        settled = this.run(
            "resolve_conflict",
            conflict_id=found["conflict_id"],
            resolution=resolution,
            **given(fields=metadata.patch(fields, None, field="fields", example='{"title": "Agreed"}'), resolved_by=by),
        )
        this.answer(settled, lambda _: terminal.say(f"Settled with {resolution}: {_name(this, found)}."))


def _beginning(conflict: str) -> str:
    beginning = conflict.strip().lower()
    if len(beginning) < DIGITS_MIN:
        raise ValidationError("id", f"must be the first {DIGITS_MIN} or more characters of a conflict's id")
    return beginning


def _one(found: list[Result], beginning: str) -> Result:
    if not found:
        raise NotFoundError(
            f"no open conflict has an id that begins with {beginning}; `localfirst conflicts list` shows them.", id=beginning
        )
    if len(found) > 1:
        candidates = [conflict["conflict_id"] for conflict in found]
        message = f"{beginning} is the beginning of several ids: {', '.join(candidates)}; give more of the one you mean."
        raise ValidationError("id", "must be the beginning of one id only", message, candidates=candidates)
    return found[0]


def _page(this: Command, result: Result) -> None:
    if not result["conflicts"]:
        terminal.say("No conflicts are open.")
        return
    columns = (
        Column("conflict", "id"),
        Column("of", "faint"),
        Column("what"),
        Column("fields"),
        Column("mine by", "faint"),
        Column("theirs by", "faint"),
        Column("when", "faint"),
    )
    rows = (
        (
            _short(one["conflict_id"], result["conflicts"]),
            _kind(one),
            _name(this, one),
            ", ".join(one["fields"]),
            one["my_by"],
            one["their_by"],
            wording.ago(one["created_at"]),
        )
        for one in result["conflicts"]
    )
    terminal.table(columns, rows)
    if len(result["conflicts"]) < result["total_count"]:
        terminal.note(f"{len(result['conflicts'])} of {result['total_count']}.")


def _short(conflict_id: str, conflicts: list[Result]) -> str:
    """As much of a conflict's id as tells it from the others of the page."""
    others = [other["conflict_id"] for other in conflicts if other["conflict_id"] != conflict_id]
    length = ids.SHORTEST_DISPLAYED
    while length < len(conflict_id) and any(other.startswith(conflict_id[:length]) for other in others):
        length += 1
    return conflict_id[:length]


_PARTS = {
    "work_item_comment": "comment of a work item",
    "vendor_deployment_link": "vendor of a deployment",
    "work_item_deployment_link": "work item of a deployment",
}


def _kind(conflict: Result) -> str:
    """What clashes, in words."""
    if (part := conflict["part"]) is not None:
        return _PARTS[part]
    return str(conflict["entity"]).replace("_", " ")


def _name(this: Command, conflict: Result) -> str:
    """What a person knows the row by."""
    entity = ENTITY.get(conflict["entity"])
    row = find(this.session.replica, entity, conflict["id"]) if entity is not None else None
    known = (row or {}).get("title") or (row or {}).get("name")
    return str(known or conflict["id"])


def _sides(this: Command, conflict: Result) -> None:
    terminal.say(f"{_kind(conflict)}: {_name(this, conflict)}", "bold")
    terminal.fields(
        (
            ("conflict", conflict["conflict_id"]),
            ("id", conflict["id"]),
            ("why", conflict["reason"]),
            ("since", wording.local_time(conflict["created_at"])),
        )
    )
    terminal.heading("The two sides (the server's stands until somebody settles it)")
    sides = [conflict["base"], conflict["mine"], conflict["theirs"]]
    columns = (
        Column("field", "id"),
        Column(_side("base", None, conflict["base_version"])),
        Column(_side("mine", conflict["my_by"], conflict["my_version"])),
        Column(_side("theirs", conflict["their_by"], conflict["their_version"])),
    )
    terminal.table(columns, ([name, *(_value(side, name) for side in sides)] for name in conflict["fields"]))


def _side(name: str, by: str | None, version: int | None) -> str:
    return name + (f" ({by})" if by else "") + (f", v{version}" if version is not None else "")


def _value(side: dict[str, Any], field: str) -> str | None:
    """The value of a field, which may be a path into the metadata (`metadata.priority`)."""
    value: Any = side
    if field in side:
        value = side[field]
    else:
        for part in field.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    return None if value is None else terminal.inline(value)


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    add_group(
        app,
        "conflicts",
        "Fields that were changed on two machines at once and differently.",
        {"list": list_, "show": show, "resolve": resolve},
        alone=list_,
    )
