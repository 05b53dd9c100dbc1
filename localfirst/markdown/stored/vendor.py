"""A vendor's line and its row."""

from __future__ import annotations

from typing import Any

from localfirst_schema.errors import ValidationError
from localfirst_schema.metadata import VendorMetadata
from localfirst_schema.wire import Row, decode_json

from localfirst.markdown.document import Vendor
from localfirst.markdown.stored.as_written import SUFFIX, Mapped, Stored, checked, fit, put_notes, take

NAME_LIMIT = 200
_STATUS = f"status{SUFFIX}"


def vendor_of(row: Row) -> Vendor:
    """The line's content of a row."""
    metadata: dict[str, Any] = decode_json(row["metadata"])
    operational: bool | None = bool(row["operational"])
    status_text = None
    if not operational and _STATUS in metadata and isinstance(metadata[_STATUS], str | None):
        operational, status_text = None, metadata.pop(_STATUS)
    return Vendor(
        name=row["name"],
        operational=operational,
        status_text=status_text,
        test_results=take(metadata, "test_results", dict[str, int], VendorMetadata),
        format_support=take(metadata, "format_support", dict[str, bool], VendorMetadata),
        extractor_version=take(metadata, "extractor_version", str, VendorMetadata),
        metadata=metadata,
    )


def vendor_columns(vendor: Vendor, notes: list[str]) -> Stored:
    """The columns that a line stands for. A status that is neither of the two counts as not operational."""
    name = checked("name", vendor.name)
    if not 1 <= len(name) <= NAME_LIMIT or name != name.strip():
        raise ValidationError("name", f"must have 1 to {NAME_LIMIT} characters, without white space around them")
    metadata = dict(vendor.metadata)
    if vendor.record:
        metadata["record"] = vendor.record
    for key in ("test_results", "format_support", "extractor_version"):
        if (value := getattr(vendor, key)) is not None:
            metadata[key] = value
    mapped = []
    if vendor.operational is None:
        metadata[_STATUS] = vendor.status_text
        mapped.append(Mapped("operational", vendor.status_text, False))
    elif vendor.status_text is not None:
        metadata["status_text"] = vendor.status_text
    put_notes(metadata, notes)
    fitted, moved = fit(VendorMetadata, metadata)
    columns = {"name": name, "operational": bool(vendor.operational), "metadata": fitted}
    return Stored(columns, (*mapped, *moved))
