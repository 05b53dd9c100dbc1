"""A session prompt and its work item.

The item's metadata has `prompt`, `yaml_frontmatter` (the mapping), `session_id` and `token_budget` (copied out of it),
`frontmatter_text` where the text holds more than the mapping (remarks, an order of its own), or `malformed_frontmatter`,
verbatim, where the front matter is no YAML.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

from localfirst_schema import timestamps, values
from localfirst_schema.metadata import SessionMetadata
from localfirst_schema.wire import Row, decode_json

from localfirst.markdown.comment import same
from localfirst.markdown.document import Session
from localfirst.markdown.front_matter import write_front_matter
from localfirst.markdown.stored.as_written import SUFFIX, Mapped, Stored, cut, day_of, fit, fitting_title, keeps_rule, put_notes
from localfirst.markdown.stored.work_item import PLAIN_COLUMNS, STATUSES, TITLE_LIMIT, plain_columns, put_created_at

SHORT_TITLE_LIMIT = 120
_MIDNIGHT = "T00:00:00.000000Z"
_DAY = f"date{SUFFIX}"
_SCHEMA_VERSION = re.compile(r"^schema_version[ \t]*:[ \t]*([^\s#'\"]+)[ \t]*(?:#.*)?$", re.MULTILINE)


def session_of(row: Row) -> Session:
    """The prompt's content of a row; the record has what differs from what the text alone would give."""
    rest: dict[str, Any] = decode_json(row["metadata"])
    whole = dict(rest)
    front_matter = rest.pop("yaml_frontmatter", None)
    text = _pop_text(rest, "frontmatter_text") if front_matter is not None else None
    malformed = _pop_text(rest, "malformed_frontmatter")
    prompt = _pop_text(rest, "prompt")
    day: date | None = None
    date_text: str | None = None
    if _DAY in rest and isinstance(rest[_DAY], str | None):
        date_text = rest.pop(_DAY)
    else:
        day = day_of(row["created_at"])
    derived = _derived(front_matter, text, malformed, prompt)
    record: dict[str, Any] = {"id": row["id"], "version": row["version"]}
    if row["title"] != derived_title(front_matter, prompt, day):
        record["title"] = row["title"]
    if row["status"] != "active":
        record["status"] = row["status"]
    for name in ("parent_id", *PLAIN_COLUMNS):
        if row[name] is not None:
            record[name] = row[name]
    if day is None or not row["created_at"].endswith(_MIDNIGHT):
        record["created_at"] = row["created_at"]
    own = {key: value for key, value in rest.items() if key not in derived or not same(value, derived[key])}
    if own:
        record["metadata"] = own
    if missing := sorted(derived.keys() - whole.keys()):
        record["without"] = missing
    return Session(
        date=day,
        date_text=date_text,
        front_matter=front_matter,
        front_matter_text=text,
        malformed_text=malformed,
        prompt=prompt,
        record=record,
    )


def _pop_text(metadata: dict[str, Any], key: str) -> str | None:
    return metadata.pop(key) if isinstance(metadata.get(key), str) else None


def session_columns(session: Session, notes: list[str]) -> Stored:
    """The columns that a prompt stands for; `created_at` is missing where it has no date."""
    record = dict(session.record)
    mapped: list[Mapped] = []
    front_matter = _with_text_version(session, mapped)
    metadata = _derived(front_matter, session.front_matter_text, session.malformed_text, session.prompt)
    if session.date is None:
        metadata[_DAY] = session.date_text
        if "created_at" not in record:
            mapped.append(Mapped("created_at", session.date_text, None))
    elif session.date_text is not None:
        metadata["date_text"] = session.date_text
    without = record.pop("without", [])
    for key in without if isinstance(without, list) else []:
        if isinstance(key, str):
            metadata.pop(key, None)
    own = record.pop("metadata", {})
    metadata |= own if isinstance(own, dict) else {"metadata": own}
    title = record.pop("title", None)
    if not (isinstance(title, str) and title):
        title = derived_title(session.front_matter, session.prompt, session.date)
    status = record.pop("status", "active")
    columns: dict[str, Any] = {"item_type": "session", "title": fitting_title(title, TITLE_LIMIT)}
    if columns["title"] != title:
        metadata[f"title{SUFFIX}"] = title
    columns["status"] = status if status in STATUSES else "active"
    if columns["status"] != status:
        metadata[f"status{SUFFIX}"] = status
        mapped.append(Mapped("status", status, "active"))
    columns |= plain_columns({name: record.pop(name, None) for name in PLAIN_COLUMNS}, metadata, mapped)
    if session.date is not None:
        columns["created_at"] = timestamps.from_datetime(datetime.combine(session.date, datetime.min.time(), UTC))
    put_created_at(columns, record.pop("created_at", None), record)
    for known in ("id", "version", "parent_id"):
        record.pop(known, None)
    if record:
        metadata["record"] = record
    put_notes(metadata, notes)
    fitted, moved = fit(SessionMetadata, metadata)
    return Stored({**columns, "metadata": fitted}, (*mapped, *moved))


def _derived(front_matter: Any, text: str | None, malformed: str | None, prompt: str | None) -> dict[str, Any]:
    """The metadata that the text of a session gives by itself."""
    derived: dict[str, Any] = {}
    if prompt is not None:
        derived["prompt"] = prompt
    if isinstance(front_matter, dict):
        derived["yaml_frontmatter"] = front_matter
        if text is not None and text != "\n".join(write_front_matter(front_matter) or ()):
            derived["frontmatter_text"] = text
        session_id, budget = front_matter.get("session_id"), front_matter.get("token_budget")
        if isinstance(session_id, str) and session_id:
            derived["session_id"] = session_id
        if budget is not None:
            fits = keeps_rule(SessionMetadata, "token_budget", budget)
            derived["token_budget" if fits else f"token_budget{SUFFIX}"] = budget
    if malformed is not None:
        derived["malformed_frontmatter"] = malformed
    return derived


def _with_text_version(session: Session, mapped: list[Mapped]) -> dict[str, Any] | None:
    """The front matter with its `schema_version` as the text that was written, `1.10` and not the number 1.1."""
    front_matter = session.front_matter
    version = (front_matter or {}).get("schema_version", "")
    if front_matter is None or isinstance(version, str):
        return front_matter
    found = _SCHEMA_VERSION.findall(session.front_matter_text or "")
    if len(found) == 1 and isinstance(version, int | float):
        mapped.append(Mapped("schema_version", version, found[0]))
        return {**front_matter, "schema_version": found[0]}
    rest = {key: value for key, value in front_matter.items() if key != "schema_version"}
    mapped.append(Mapped("schema_version", version, None))
    return {**rest, f"schema_version{SUFFIX}": version}


def derived_title(front_matter: Any, prompt: str | None, day: date | None) -> str:
    """A title for a session that was given none: the front matter's, else the prompt's first line, else its date."""
    title = front_matter.get("title") if isinstance(front_matter, dict) else None
    if isinstance(title, str) and len(title) <= TITLE_LIMIT and (line := values.fitting_line(title, "")):
        return line
    for line in (prompt or "").split("\n"):
        if words := values.fitting_line(line, "").strip(" #*->`").strip():
            return cut(words, SHORT_TITLE_LIMIT)
    return f"Session {day.isoformat()}" if day else "Session"
