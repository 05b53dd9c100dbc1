"""The record of a migration: a completed research item with everything of the file that has no row of its own.

It makes a migration repeatable: the same file, known by its hash, is recognised however people have changed the rows since.
Its metadata: `migration` (the file's name, hash and number of lines), `kept` (texts with their line and place), `mapped`
(values that the store holds in another form). A text that an earlier record holds already is not kept again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import apsw
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.identifiers import natural_id
from localfirst_schema.metadata import ResearchMetadata, check
from localfirst_schema.wire import decode_json

from localfirst.markdown.document import Kept
from localfirst.markdown.stored.as_written import cut
from localfirst.status_rows.plan import MIGRATION, span_of
from localfirst.status_rows.planned import PlannedRow
from localfirst.status_rows.sources import Sources

_EARLIER = """
    SELECT metadata FROM work_items WHERE item_type = 'research' AND json_extract(metadata, '$.migration.sha256') IS NOT NULL
"""


class SourceFile(NamedTuple):
    """A file as a record knows it. `sha256` is that of its text and, where there are any, of the prompt files'."""

    name: str
    sha256: str
    line_count: int
    sources: Sources | None = None

    def where(self, line: int) -> str:
        """The place of a line, for people."""
        return f"line {line}" if self.sources is None else self.sources.where(line)

    def place(self, line: int) -> dict[str, Any]:
        """The place of a line, for the record."""
        name, number = (None, line) if self.sources is None else self.sources.in_file(line)
        return {"line": number} if name is None else {"in": name, "line": number}


def source_file(name: str, text: str, sources: Sources | None = None) -> SourceFile:
    """What a record says of a file, and of the prompt files that were read with it."""
    if sources is not None and sources.names:
        return SourceFile(name, sources.digest(text), len(text.splitlines()), sources)
    return SourceFile(name, hashlib.sha256(text.encode()).hexdigest(), len(text.splitlines()))


class Earlier(NamedTuple):
    """What earlier records say: the files that were brought in, and the texts that were kept."""

    files: frozenset[str]
    texts: frozenset[str]


def earlier_records(connection: apsw.Connection) -> Earlier:
    """All records in the store, deleted ones too: what was kept once is not kept again."""
    files: set[str] = set()
    texts: set[str] = set()
    rows: Iterable[Any] = connection.execute(_EARLIER)
    for (text,) in rows:
        metadata = decode_json(text)
        files.add(metadata["migration"]["sha256"])
        kept = metadata.get("kept")
        texts.update(one["text"] for one in (kept if isinstance(kept, list) else []) if isinstance(one, dict) and "text" in one)
    return Earlier(frozenset(files), frozenset(texts))


def record_row(
    project_id: str, source: SourceFile, kept: Iterable[tuple[Kept, str | None]], created: Iterable[PlannedRow]
) -> PlannedRow:
    """The record as a row.

    Args:
        kept: texts, each with the reason why it is here where that is not that it belongs to no entry.
        created: the rows that this migration writes, whose mapped values are reported.
    """
    blocks = list(kept)
    mapped = [
        source.place(row.line)
        | {"entity": row.entity.name, "id": row.id, "field": one.field}
        | {"as_written": one.as_written, "stored": one.stored}
        for row in created
        for one in row.mapped
    ]
    metadata = {
        "migration": {"file": source.name, "sha256": source.sha256, "lines": source.line_count}
        | ({"prompts": list(source.sources.names)} if source.sources is not None else {}),
        "kept": [_block(block, reason, source) for block, reason in blocks],
        "mapped": mapped,
    }
    row_id = natural_id(project_id, MIGRATION, "record", source.sha256)
    values = {
        "id": row_id,
        "item_type": "research",
        "title": cut(f"Migration of {source.name}: notes kept and values mapped", 200),
        "status": "completed",
        "parent_id": None,
        "metadata": check(ResearchMetadata, metadata),
    }
    spans = tuple(span_of(block) for block, _ in blocks)
    return PlannedRow(entity=WORK_ITEM, id=row_id, values=values, lines=spans)


def _block(kept: Kept, reason: str | None, source: SourceFile) -> dict[str, Any]:
    said = {"section": kept.section, "after": kept.after, "reason": reason}
    return {**source.place(kept.line), **{key: value for key, value in said.items() if value is not None}, "text": kept.text}
