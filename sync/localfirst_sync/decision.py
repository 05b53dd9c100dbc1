"""What becomes of one change: the conflict rules as one pure function.

===========  ===================  ==========================================================  =================
server row   the change           case                                                        outcome
===========  ===================  ==========================================================  =================
absent       creates              nobody else made it                                         accepted
absent       creates              one that was refused has displayed this version                 merged
absent       updates, deletes     the server never had the row, or lost it                    conflict: missing
absent       says nothing         there is nothing to say it of                               lost
deleted      creates              re-creation revives the tombstone                           merged
deleted      deletes              both deleted it, and nothing else: the first one stands     merged
deleted      (un)deletes          base version and base values are the server's               accepted
deleted      says nothing         the version is the server's                                 accepted
deleted      any                  the tombstone says it already, or it says nothing           merged
deleted      updates              update against delete                                       conflict: deleted
alive        any                  base version and base values are the server's               accepted
alive        deletes              it changed since: delete against update                     conflict: changed
alive        claims, taken        the first claim stands                                      lost
any          of a lease           it is won, or lost (`lease`)                                merged, or lost
alive        any                  only fields that the server left alone, or set alike        merged
alive        any                  a field that both sides changed differently                 conflict: fields
===========  ===================  ==========================================================  =================

A change "says nothing" when it has no fields: the act of somebody who settles a conflict with `theirs` has such a one. Equal is
equal: JSON as JSON, and what identifies a row in NFC, however it is spelled. So a conflict is always about something.

An accepted change makes the row's version one higher. A merge, a conflict and a lost claim raise it past both sides, so
that a version which was displayed for one branch is never later the current version of another; where the server's values
stand, also past the version at which the replica has come to show its own (`displayed`). If a rebase has raised that above all
that waits, even a change that is in step is merged past it (`version_floor`): versions never fall where somebody looks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from localfirst_schema.entities import Column, Entity, Kind, Role
from localfirst_schema.json_merge import Clash, apply, merge, merge_patch, patched_places, same, unlike_patch
from localfirst_schema.wire import Fields, Mutation, Row, decode_json, encode_json

from localfirst_sync import lease

Outcome = Literal["accepted", "merged", "lost", "conflict"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, and the row as it is to stand (with its version); `row` is None if there is none and will be none."""

    outcome: Outcome
    row: Row | None
    reason: str | None = None
    clashes: list[Clash] = field(default_factory=list)


def decide(
    entity: Entity,
    mutation: Mutation,
    fields: Fields,
    current: Row | None,
    displayed: int = 0,
    logged: int = 0,
    version_floor: int = 0,
) -> Decision:
    """Decides one mutation against the server's row. Pure: the arguments are not changed.

    Args:
        fields: the decoded `mutation.fields`.
        current: the row that the server has now (all columns), or None.
        displayed: the version at which the writer's replica shows the row by now. There it has the change's values: where the
            server's stand instead, its version must be another one.
        logged: of a row that is not there, the highest version that the history tells (creations that were refused).
        version_floor: a version that the row has to come to stand past in any case (`Push.version_floors`); 0 if there is none.
    """
    creates = mutation.base_version == 0
    if current is None:
        if creates:
            created = _created(entity, mutation, fields)
            floor = max(logged, version_floor)
            return (
                Decision("accepted", created)
                if mutation.version > floor
                else Decision("merged", created | {"version": floor + 1})
            )
        if entity.is_lease or not fields:
            return Decision("lost", None)
        return Decision("conflict", None, "missing", _all_clash(entity, fields, None))

    in_step = mutation.base_version == current["version"] and _base_matches(entity, fields, current)
    deletes = fields.get("deleted_at", {}).get("new") is not None
    undeletes = "deleted_at" in fields and not deletes
    if entity.is_lease and not in_step and not (creates and current["deleted_at"] is not None):
        return _leased(entity, mutation, fields, current, displayed, version_floor)
    if current["deleted_at"] is not None:
        if creates:
            return Decision("merged", _revived(entity, mutation, fields, current, version_floor))
        if deletes and fields.keys() == {"deleted_at"}:
            # Of two deletions the first stands, unless the second knew of it and says when it was.
            knew = fields["deleted_at"]["old"] == current["deleted_at"]
            at = {"deleted_at": fields["deleted_at"]["new"]} if knew else {}
            return Decision("merged", raised(mutation, current, version_floor) | at)
        if not ((undeletes or deletes or not fields) and in_step):
            unlike = _all_clash(entity, fields, current)
            if not unlike:
                return Decision("merged", raised(mutation, current, version_floor))
            return Decision("conflict", raised(mutation, current, displayed), "deleted", unlike)
    if in_step:
        row = _applied(entity, mutation, fields, current, [], overwrite=True)
        if version_floor > mutation.base_version:
            return Decision("merged", row | {"version": version_floor + 1})
        row["version"] = mutation.base_version + 1
        return Decision("accepted", row)
    if deletes:
        # What else it changes stands or falls with the deletion.
        return Decision("conflict", raised(mutation, current, displayed), "changed", _all_clash(entity, fields, current))
    if _claim_is_taken(entity, fields, current):
        return Decision("lost", raised(mutation, current, displayed), "claimed")

    clashes: list[Clash] = []
    row = _applied(entity, mutation, fields, current, clashes, overwrite=False)
    row["version"] = _past_both(mutation, current, displayed if clashes else version_floor)
    if clashes:
        return Decision("conflict", row, "fields", clashes)
    return Decision("merged", row)


def _leased(entity: Entity, mutation: Mutation, fields: Fields, current: Row, displayed: int, version_floor: int) -> Decision:
    won = lease.outcome(fields, current)
    # Who did not know that SQL has deleted it has nothing to bring back.
    if won is None or (current["deleted_at"] is not None and "deleted_at" not in fields):
        return Decision("lost", raised(mutation, current, displayed), "claimed")
    row = {**current, "updated_at": mutation.at, "updated_by": mutation.by, **dict(zip(lease.COLUMNS, won, strict=True))}
    if "deleted_at" in fields:
        row["deleted_at"] = fields["deleted_at"]["new"]
    return Decision("merged", row | {"version": _past_both(mutation, current, version_floor)})


def refused(
    entity: Entity, mutation: Mutation, fields: Fields, current: Row | None, reason: str, displayed: int = 0
) -> Decision:
    """The decision for a change that some rule of the whole (a cycle, the depth, a missing parent) does not allow."""
    row = None if current is None else raised(mutation, current, displayed)
    return Decision("conflict", row, reason, _all_clash(entity, fields, current))


def rebase(entity: Entity, pending: Sequence[tuple[Mutation, Fields]], server_row: Row) -> Row:
    """The row as a replica shows it while its own changes wait: the server's row with all of them carried out.

    Its version is the one that the server would give if nothing else happened; a field that clashes shows mine, until the
    server has decided. Where two times meet and the server's stands, it is displayed: it will be the row's at this version.
    """
    foreseen: Row | None = server_row
    displayed = server_row
    for mutation, given in pending:
        # What this program does not know the server makes a conflict of; it must not stop the replica meanwhile.
        fields = {name: sides for name, sides in given.items() if name in entity.by_name}
        base, ahead, outcome = foreseen, displayed, "accepted"
        if foreseen is not None and mutation.base_version > foreseen["version"]:
            # Made by somebody who knows more of the row than this replica (a blind change): the server will be in step.
            foreseen = _applied(entity, mutation, fields, foreseen, [], overwrite=True) | {"version": mutation.version}
        else:
            decided = decide(entity, mutation, fields, foreseen)
            foreseen, outcome = decided.row, decided.outcome
        if entity.is_lease:
            displayed = foreseen or displayed  # what will be lost is not displayed as held
        elif mutation.base_version == 0 and displayed["deleted_at"] is not None:
            displayed = _revived(entity, mutation, fields, displayed)
        else:
            displayed = _applied(entity, mutation, fields, displayed, [], overwrite=True)
        if outcome == "merged" and base is not None and foreseen is not None:
            displayed = displayed | {name: foreseen[name] for name in fields if ahead[name] == base[name]}
    version = mutation.version if foreseen is None else max(int(foreseen["version"]), mutation.version)
    return displayed | {"version": version}


def _past_both(mutation: Mutation, current: Row, displayed: int = 0) -> int:
    return max(int(current["version"]), mutation.version, displayed) + 1


def raised(mutation: Mutation, current: Row, displayed: int = 0) -> Row:
    """The row as it is, at a version past both sides."""
    return {**current, "version": _past_both(mutation, current, displayed)}


def _created(entity: Entity, mutation: Mutation, fields: Fields) -> Row:
    row: Row = dict.fromkeys(entity.column_names)
    row |= {"id": mutation.id, "version": mutation.version, "created_at": mutation.at, "created_by": mutation.by}
    for name, change in fields.items():
        row[name] = encode_json(change["new"]) if name in entity.json_columns else change["new"]
    row |= {"updated_at": mutation.at, "updated_by": mutation.by}
    return row


def _revived(entity: Entity, mutation: Mutation, fields: Fields, tombstone: Row, version_floor: int = 0) -> Row:
    row = _created(entity, mutation, fields)  # (deleted, if it was created so: a settled conflict may be that)
    kept = [column.name for column in entity.columns if column.role is Role.DERIVED]
    kept += [name for name in entity.natural_key if name in entity.by_name]
    derived = {name: tombstone[name] for name in kept}
    return row | derived | {"version": _past_both(mutation, tombstone, version_floor), "created_at": tombstone["created_at"]}


def _applied(entity: Entity, mutation: Mutation, fields: Fields, current: Row, clashes: list[Clash], *, overwrite: bool) -> Row:
    row = {**current, "updated_at": mutation.at, "updated_by": mutation.by}
    for name, change in fields.items():
        column = entity.by_name[name]
        old, new, theirs = change["old"], change["new"], current[name]
        if column.role is Role.AUDIT:
            continue  # audit fields never conflict: the server's stand
        if change.get("blind"):
            _apply_blind(row, column, new, theirs, clashes, overwrite=overwrite)
        elif column.kind is Kind.JSON:
            before = decode_json(theirs) if theirs is not None else None
            merged = merge(old, new, before, clashes, (name,), overwrite=overwrite)
            row[name] = None if merged is None else encode_json(merged)
        elif column.role is Role.EARLIEST and not overwrite and theirs != old:
            row[name] = min((at for at in (theirs, new) if at is not None), default=None)
        elif _is_spelled_otherwise(entity, name, new, theirs):
            continue  # one name in two normal forms: the server's stands
        elif overwrite or theirs == old or theirs == new:
            row[name] = new
        else:
            clashes.append(Clash((name,), old, new, theirs))
    return row


def _apply_blind(row: Row, column: Column, new: Any, theirs: Any, clashes: list[Clash], *, overwrite: bool) -> None:
    """A change by somebody who knew the row's version but not its values; of JSON it gives a merge patch."""
    name = column.name
    if overwrite:
        row[name] = encode_json(merge_patch(decode_json(theirs or "{}"), new)) if column.kind is Kind.JSON else new
    elif column.kind is Kind.JSON:
        clashes += unlike_patch(new, decode_json(theirs or "{}"), (name,))
    elif theirs != new:
        clashes.append(Clash((name,), None, new, theirs))


def _base_matches(entity: Entity, fields: Fields, current: Row) -> bool:
    """Whether the server's row has, where the change touches it, the values that the change was made from."""
    for name, change in fields.items():
        old, theirs = change["old"], current[name]
        if change.get("blind"):
            continue  # who did not know the values named the version: that is all there is to compare
        if name in entity.json_columns:
            found: list[Clash] = []
            merge(old, change["new"], decode_json(theirs) if theirs else None, found)
            if found:
                return False
        elif name != "created_at" and old != theirs:
            return False
    return True


def _claim_is_taken(entity: Entity, fields: Fields, current: Row) -> bool:
    for name, change in fields.items():
        if entity.by_name[name].role is Role.CLAIM:
            return current[name] not in (change["old"], change["new"])
    return False


def _all_clash(entity: Entity, fields: Fields, current: Row | None) -> list[Clash]:
    """Everything in a change that the row does not say already."""
    found: list[Clash] = []
    for name, change in fields.items():
        new, theirs = change["new"], None if current is None else _value(entity, current, name)
        if change.get("blind") and name in entity.json_columns:
            found += patched_places(new, (name,)) if current is None else unlike_patch(new, theirs or {}, (name,))
        elif current is None or not _says(entity, name, change, theirs):
            found.append(Clash((name,), change["old"], new, theirs))
    return found


def _says(entity: Entity, name: str, change: dict[str, Any], theirs: Any) -> bool:
    """Whether a value of the row is as if the change had been carried out."""
    new = change["new"]
    if name in entity.json_columns:
        return same(apply(change["old"], new, theirs), theirs)
    return bool(theirs == new) or entity.by_name[name].role is Role.AUDIT or _is_spelled_otherwise(entity, name, new, theirs)


def _is_spelled_otherwise(entity: Entity, name: str, new: Any, theirs: Any) -> bool:
    """Whether two different texts are one and the same identifying value: the row's id is made of its normal form."""
    if name not in entity.natural_key or new == theirs or not (isinstance(new, str) and isinstance(theirs, str)):
        return False
    return unicodedata.normalize("NFC", new) == unicodedata.normalize("NFC", theirs)


def _value(entity: Entity, row: Row, name: str) -> Any:
    value = row[name]
    return decode_json(value) if value is not None and name in entity.json_columns else value
