"""What of a pull this program can take, and what it sets aside.

Pure. A server that has no constraints yet, a newer one, or somebody who writes the log's tables may give what the replica's
types cannot hold or what its programs cannot read. One such row, line or conflict must not stop the others: it is kept raw,
with its reason, and everything else goes on. Batches are looked at by columns, since nearly all of them are sound; only a batch
that is not is looked at row by row.

PostgreSQL sends what it cannot write as canonical text with a mark (`UNREADABLE_TIME`, `TOO_LARGE`), so that a large value does
not travel at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter, methodcaller
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
from localfirst_schema import limits
from localfirst_schema.entities import ENTITIES, ENTITY, Column, Kind
from localfirst_schema.wire import Row

from localfirst_sync.conflict import CONFLICT
from localfirst_sync.ports import CONFLICT_COLUMNS, CONFLICT_TABLE, HistoryRow
from localfirst_sync.structure import Key

UNREADABLE_TIME = "unreadable time "
TOO_LARGE = "too large: "
"""How PostgreSQL's side marks a time that RFC 3339 does not have, and a value that is not sent."""

HISTORY = "history"
RAW_CHARS_MAX = 100_000
"""So much of the raw text is kept; it is there to be looked at, and comes whole when it is mended."""

TEXT_CHARS_MAX = 1_000_000
"""No text column holds more: far beyond every rule, and still nothing that fills a memory."""

SetAsideKind: TypeAlias = Literal["row", "line", "conflict", "chunk"]


class Misfit(NamedTuple):
    """What was set aside; `seq` counts for lines of the history alone, `raw` is JSON of what came."""

    kind: SetAsideKind
    table: str
    id: str
    seq: int
    raw: str
    reason: str


_Reason: TypeAlias = Callable[[Any], str | None]
_Quick: TypeAlias = Callable[[Sequence[Any]], bool]


class _Rule(NamedTuple):
    """What one column may hold: looked at for a whole batch, and, if that fails, value by value."""

    name: str
    quick: _Quick
    reason: _Reason


def rows(table: str, batch: Sequence[Sequence[Any]]) -> tuple[Sequence[Sequence[Any]], list[Misfit]]:
    """The rows of one table that can be taken, and those that cannot."""
    return _sifted(_rules(table), batch, lambda row, reason: _misfit_row(table, row, reason))


def history(batch: Sequence[HistoryRow]) -> tuple[Sequence[HistoryRow], list[Misfit]]:
    """The same for lines of the history. What was lost may be about an entity that only its writer knew."""
    lines, aside = _sifted(_HISTORY_RULES, batch, _misfit_line)
    if not aside:
        return lines, aside  # type: ignore[return-value]  # what is taken is what came
    rest = {misfit.seq: misfit for misfit in aside}
    lost = [line for line in batch if line[0] in rest and line[6] == "lost"]
    taken, _ = _sifted(_LOST_RULES, lost, _misfit_line)
    for line in taken:
        del rest[line[0]]
    return [line for line in batch if line[0] not in rest], list(rest.values())


def misfit_keys(found: Mapping[Key, Row]) -> set[Key]:
    """Which of these rows (whole, columns in the order of their entity) cannot be taken."""
    by_entity: dict[str, list[tuple[Any, ...]]] = {}
    for (name, _), row in found.items():
        by_entity.setdefault(name, []).append(tuple(row.values()))
    return {(name, one.id) for name, batch in by_entity.items() for one in rows(ENTITY[name].table, batch)[1]}


def _sifted(
    rules: Sequence[_Rule], batch: Sequence[Sequence[Any]], misfit: Callable[[Any, str], Misfit]
) -> tuple[Sequence[Sequence[Any]], list[Misfit]]:
    if not batch or _all_fit(rules, batch):
        return batch, []
    taken, aside = [], []
    for row in batch:
        if (reason := _reason(rules, row)) is None:
            taken.append(row)
        else:
            aside.append(misfit(row, reason))
    return taken, aside


def fields_fit(text: str) -> bool:
    """Whether the fields of a change are of the form and within the limits that a log takes."""
    return _fields_reason(text) is None


def _all_fit(rules: Sequence[_Rule], batch: Sequence[Sequence[Any]]) -> bool:
    try:
        columns = list(zip(*batch, strict=True))
        return len(columns) == len(rules) and all(rule.quick(column) for rule, column in zip(rules, columns, strict=True))
    except (TypeError, ValueError, LookupError):
        return False  # some value is of a type that nobody expects here


def _reason(rules: Sequence[_Rule], row: Sequence[Any]) -> str | None:
    if len(row) != len(rules):
        return "it has other columns than this program knows"
    for rule, value in zip(rules, row, strict=True):
        try:
            reason = rule.reason(value)
        except (TypeError, ValueError, RecursionError):
            reason = "is of an unexpected type"
        if reason is not None:
            return f"{rule.name} {reason}"
    return None


def _misfit_row(table: str, row: Sequence[Any], reason: str) -> Misfit:
    return Misfit("conflict" if table == CONFLICT_TABLE else "row", table, str(row[0]), 0, _raw(row), reason)


def _misfit_line(line: HistoryRow, reason: str) -> Misfit:
    return Misfit("line", HISTORY, str(line[2]), int(line[0]), _raw(line), reason)


def _raw(values: Iterable[Any]) -> str:
    kept = [value[:RAW_CHARS_MAX] if isinstance(value, str) else value for value in values]
    return msgspec.json.encode(kept, enc_hook=str).decode(errors="replace")


# Columns ---------------------------------------------------------------------------------------------------------------


@cache
def _rules(table: str) -> tuple[_Rule, ...]:
    if table == CONFLICT_TABLE:
        return tuple(_conflict_rule(name) for name in CONFLICT_COLUMNS)
    (entity,) = (one for one in ENTITIES if one.table == table)
    return tuple(_entity_rule(table, column) for column in entity.columns)


def _entity_rule(table: str, column: Column) -> _Rule:
    name = column.name
    may_be_null = name in limits.NULLABLE_ANYWHERE or name in limits.NULLABLE.get(table, ())
    if (choices := limits.CHOICES.get((table, name))) is not None:
        return _rule(name, _choice_fits(choices), _choice_reason(choices), may_be_null)
    match column.kind:
        case Kind.UUID:
            return _rule(name, _uuids_fit, _uuid_reason, may_be_null)
        case Kind.TIMESTAMP:
            return _rule(name, _times_fit, _time_reason, may_be_null)
        case Kind.JSON:
            opening = "[" if name == "requires_constitutional_principles" else "{"
            return _rule(name, _documents_fit(opening), _document_reason(opening, limits.DOCUMENT_BYTES_MAX), may_be_null)
        case Kind.INTEGER | Kind.BOOLEAN:
            low, high = (1, limits.VERSION_MAX) if name == "version" else (-(2**63), 2**63 - 1)
            return _rule(name, _numbers_fit(low, high), _number_reason(low, high), may_be_null)
        case _:
            return _rule(name, _texts_fit(TEXT_CHARS_MAX), _text_reason(TEXT_CHARS_MAX), may_be_null)


def _conflict_rule(name: str) -> _Rule:
    may_be_null = name in ("their_version", "my_by", "their_by", "resolved_at", "resolved_by", "resolution")
    if name in ("id", "entity_id", "act_id", "replica_id"):
        return _rule(name, _uuids_fit, _uuid_reason, may_be_null)
    if name in ("created_at", "resolved_at"):
        return _rule(name, _times_fit, _time_reason, may_be_null)
    if name in ("base_version", "my_version", "their_version"):
        return _rule(name, _numbers_fit(0, limits.VERSION_MAX), _number_reason(0, limits.VERSION_MAX), may_be_null)
    if name in ("fields", "base", "mine", "theirs"):
        opening = "[" if name == "fields" else "{"
        reason = _names_reason if name == "fields" else _document_reason(opening, limits.FIELDS_BYTES_MAX)
        return _rule(name, lambda column: all(reason(text) is None for text in column), reason, may_be_null)
    if name == "resolution":
        return _rule(name, _choice_fits(limits.RESOLUTIONS), _choice_reason(limits.RESOLUTIONS), may_be_null)
    return _rule(name, _texts_fit(TEXT_CHARS_MAX), _text_reason(TEXT_CHARS_MAX), may_be_null)


def _rule(name: str, quick: _Quick, reason: _Reason, may_be_null: bool) -> _Rule:
    if not may_be_null:
        return _Rule(name, quick, reason)

    def quick_or_null(column: Sequence[Any]) -> bool:
        there = [value for value in column if value is not None]
        return not there or quick(there)

    return _Rule(name, quick_or_null, lambda value: None if value is None else reason(value))


# Values ----------------------------------------------------------------------------------------------------------------

_TIME_CHARS = 27
_UUID_CHARS = 36


def _times_fit(column: Sequence[Any]) -> bool:
    return set(map(len, column)) == {_TIME_CHARS}


def _time_reason(value: Any) -> str | None:
    if isinstance(value, str) and len(value) == _TIME_CHARS and value[10] == "T" and value[-1] == "Z":
        return None
    if isinstance(value, str) and value.startswith(UNREADABLE_TIME):
        return f"is {value.removeprefix(UNREADABLE_TIME)[:60]}, which is no time of the years 1 to 9999"
    return "is no time"


def _uuids_fit(column: Sequence[Any]) -> bool:
    return set(map(len, column)) == {_UUID_CHARS}


def _uuid_reason(value: Any) -> str | None:
    return None if isinstance(value, str) and len(value) == _UUID_CHARS else "is no UUID"


def _numbers_fit(low: int, high: int) -> _Quick:
    return lambda column: set(map(type, column)) <= {int, bool} and low <= min(column) and max(column) <= high


def _number_reason(low: int, high: int) -> _Reason:
    return lambda value: None if isinstance(value, int) and low <= value <= high else f"is no integer from {low} to {high}"


def _choice_fits(choices: frozenset[str]) -> _Quick:
    return lambda column: choices.issuperset(column)


def _choice_reason(choices: frozenset[str]) -> _Reason:
    words = ", ".join(sorted(choices))
    return lambda value: None if value in choices else f"is none of {words}"


def _texts_fit(longest: int) -> _Quick:
    return lambda column: set(map(type, column)) == {str} and max(map(len, column)) <= longest


def _text_reason(longest: int) -> _Reason:
    def reason(value: Any) -> str | None:
        if not isinstance(value, str):
            return "is no text"
        if value.startswith(TOO_LARGE):
            return f"is {value}"
        return None if len(value) <= longest else f"is longer than {longest} characters"

    return reason


_LONG_NUMBER = re.compile(rf"[0-9]{{{limits.FLOAT_DIGITS_MAX + 1}}}")
# A text is passed over in large steps: one alternative for each character took a second for some megabytes.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]|-?[0-9][0-9.eE+-]*')


_DIGITS = frozenset("0123456789")
_braces = methodcaller("count", "{")
_brackets = methodcaller("count", "[")
_first = itemgetter(0)
_OPENINGS = frozenset("{[")


def _documents_fit(opening: str) -> _Quick:
    reason = _document_reason(opening, limits.DOCUMENT_BYTES_MAX)

    def fit(column: Sequence[Any]) -> bool:
        if set(map(_first, column)) == {opening} and _shapes_fit(column, limits.DOCUMENT_BYTES_MAX):
            return True
        return all(reason(text) is None for text in column)

    return fit


def _shapes_fit(texts: Sequence[str], longest: int) -> bool:
    """Whether size and shape are plainly in order, for all texts at once; if not, each has to be looked at."""
    longest_here = max(map(len, texts))
    if longest_here <= limits.FLOAT_DIGITS_MAX:
        return _are_shallow(texts, "".join(texts))
    return (
        longest_here <= longest
        and max(map(_braces, texts)) <= limits.DOCUMENT_DEPTH_MAX // 2
        and max(map(_brackets, texts)) <= limits.DOCUMENT_DEPTH_MAX // 2
        and _are_short_numbers(texts)
    )


def _are_shallow(texts: Sequence[str], together: str) -> bool:
    """The same for short texts, which are nearly all: only how deep they are is open."""
    braces, brackets = together.count("{"), together.count("[")
    if braces + brackets == len(texts) and set(map(_first, texts)) <= _OPENINGS:
        return True  # one in each
    few = limits.DOCUMENT_DEPTH_MAX // 2
    return (braces <= few or max(map(_braces, texts)) <= few) and (brackets <= few or max(map(_brackets, texts)) <= few)


def _are_short_numbers(texts: Sequence[str]) -> bool:
    """So many digits in a row cover one of the places that are so far apart, which are much fewer than all."""
    return not any(
        _LONG_NUMBER.search(text)
        for text in texts
        if not _DIGITS.isdisjoint(text[limits.FLOAT_DIGITS_MAX :: limits.FLOAT_DIGITS_MAX + 1])
    )


def _document_reason(opening: str, longest: int) -> _Reason:
    """Of JSON as PostgreSQL writes it: well formed, so that only its size and shape are in question."""

    def reason(value: Any) -> str | None:
        if not isinstance(value, str):
            return "is no JSON"
        if value.startswith(TOO_LARGE):
            return f"is {value}"
        if not value.startswith(opening):
            return f"is no JSON {'list' if opening == '[' else 'object'}"
        return _shape_reason(value, longest)

    return reason


def _shape_reason(text: str, longest: int) -> str | None:
    if len(text) > longest:
        return f"{TOO_LARGE}{len(text)} characters"
    openings = text.count("{") + text.count("[")
    if openings <= limits.FIELDS_DEPTH_MAX and (len(text) <= limits.FLOAT_DIGITS_MAX or not _LONG_NUMBER.search(text)):
        return None
    return _shape_reason_by_token(text)


def _shape_reason_by_token(text: str) -> str | None:
    depth = 0
    for token in _TOKEN.findall(text):
        if token in ("{", "["):
            depth += 1
            if depth > limits.FIELDS_DEPTH_MAX + 1:
                return f"is nested deeper than {limits.DOCUMENT_DEPTH_MAX} levels"
        elif token in ("}", "]"):
            depth -= 1
        elif token[0] != '"' and len(token) > limits.FLOAT_DIGITS_MAX:
            whole, point, _ = token.lstrip("-").partition(".")
            if len(whole) > (limits.FLOAT_DIGITS_MAX if point else limits.DIGITS_MAX):
                return "has a number of too many digits"
    return None


_decode_names = msgspec.json.Decoder(list[str]).decode


class _Sides(msgspec.Struct):
    """An object of whatever; it is looked through, and nothing is kept of it."""


_decode_fields = msgspec.json.Decoder(dict[str, _Sides]).decode
_decode_all_fields = msgspec.json.Decoder(list[dict[str, _Sides]]).decode


def _names_reason(value: Any) -> str | None:
    if (reason := _document_reason("[", limits.FIELDS_BYTES_MAX)(value)) is not None:
        return reason
    try:
        _decode_names(value)
    except msgspec.DecodeError:
        return "is no list of names"
    return None


def _fields_reason(value: Any) -> str | None:
    if (reason := _document_reason("{", limits.FIELDS_BYTES_MAX)(value)) is not None:
        return reason
    try:
        _decode_fields(value)
    except (msgspec.DecodeError, RecursionError):
        return "is no object of columns with what was and what is"
    return None


def _fields_fit(column: Sequence[Any]) -> bool:
    if not _shapes_fit(column, limits.FIELDS_BYTES_MAX):
        return all(_fields_reason(text) is None for text in column)
    try:
        if max(map(len, column)) <= limits.FLOAT_DIGITS_MAX:
            return len(_decode_all_fields(f"[{','.join(column)}]")) == len(column)
        for text in column:
            _decode_fields(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


_LINE_ENTITIES = frozenset((*ENTITY, CONFLICT))

_LINE_VERSION = (1, limits.VERSION_MAX)

_HISTORY_RULES = (
    _Rule("seq", _numbers_fit(1, 2**63 - 1), _number_reason(1, 2**63 - 1)),
    _Rule(
        "entity",
        _LINE_ENTITIES.issuperset,
        lambda value: None if value in _LINE_ENTITIES else f"is {str(value)[:60]!r}, which this program does not know",
    ),
    _Rule("entity_id", _uuids_fit, _uuid_reason),
    _Rule("version", _numbers_fit(*_LINE_VERSION), _number_reason(*_LINE_VERSION)),
    _rule("by", _texts_fit(TEXT_CHARS_MAX), _text_reason(TEXT_CHARS_MAX), True),
    _Rule("at", _times_fit, _time_reason),
    _Rule("outcome", _choice_fits(limits.OUTCOMES), _choice_reason(limits.OUTCOMES)),
    _Rule("fields", _fields_fit, _fields_reason),
    _rule("replica_id", _uuids_fit, _uuid_reason, True),
    _rule("number", _numbers_fit(-(2**63), 2**63 - 1), _number_reason(-(2**63), 2**63 - 1), True),
    _rule("via", _texts_fit(TEXT_CHARS_MAX), _text_reason(TEXT_CHARS_MAX), True),
)

_LOST_RULES = tuple(
    _Rule("entity", _texts_fit(TEXT_CHARS_MAX), _text_reason(TEXT_CHARS_MAX)) if rule.name == "entity" else rule
    for rule in _HISTORY_RULES
)
