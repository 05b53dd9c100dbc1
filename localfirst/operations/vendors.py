"""Vendors: whether each one's extractor works."""

from __future__ import annotations

from typing import Any

from localfirst_schema import metadata
from localfirst_schema.arguments import CreateVendor, ListVendors, QueryVendorStatus, UpdateVendorStatus
from localfirst_schema.entities import VENDOR
from localfirst_schema.errors import DuplicateError, NotFoundError
from localfirst_schema.identifiers import natural_id
from localfirst_schema.json_merge import merge_patch
from localfirst_schema.metadata import VendorMetadata
from localfirst_schema.results import VendorPage, VendorRead, VendorWritten
from localfirst_schema.wire import Row, decode_json

from localfirst.client.ports import Reader, Writer
from localfirst.operations.changing import check_not_deleted, check_version, refuse_null, require_some, require_still, written
from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.replica.rows import find, select


def _id(session: Reader, name: str) -> str:
    return natural_id(session.project_id, VENDOR.name, name)


def create(session: Writer, arguments: CreateVendor) -> dict[str, Any]:
    """Creates a vendor; one that was deleted comes back with the new content."""
    content = metadata.check(VendorMetadata, arguments.metadata)
    vendor_id = _id(session, arguments.name)
    with session.act(arguments.created_by) as act:
        found = find(act.connection, VENDOR, vendor_id)
        if found is None:
            values = {
                "id": vendor_id,
                "name": arguments.name,
                "operational": arguments.operational,
                "metadata": content,
            }
            row = act.change(VENDOR, None, values, status=vendor_status(arguments.operational))
        elif found["deleted_at"] is not None:
            values = {"operational": arguments.operational, "metadata": content, "deleted_at": None}
            row = act.change(VENDOR, found, values, status=vendor_status(arguments.operational))
        else:
            raise DuplicateError(
                f"there is a vendor named {arguments.name!r} already; change it with update_vendor_status.",
                entity="vendor",
                id=found["id"],
                name=arguments.name,
                field="name",
            )
    return written(session, VENDOR, row)


def vendor_status(operational: bool) -> str:
    """The word that both stores derive from it."""
    return "operational" if operational else "broken"


def _require(session: Reader, name: str, vendor_id: str) -> Row:
    row = find(session.replica, VENDOR, vendor_id)
    if row is None and session.catch_up():
        row = find(session.replica, VENDOR, vendor_id)
    if row is None or row["deleted_at"] is not None:
        raise NotFoundError(
            f"there is no vendor named {name!r} in this project; list_vendors shows all names.", entity="vendor", name=name
        )
    return row


def query(session: Reader, arguments: QueryVendorStatus) -> dict[str, Any]:
    """One vendor by name."""
    vendor_id = _id(session, arguments.name)
    source = session.read(vendor_id)
    return present(VENDOR, _require(session, arguments.name, vendor_id)) | source


def update(session: Writer, arguments: UpdateVendorStatus) -> dict[str, Any]:
    """Changes a vendor from the version that the caller read."""
    changes = arguments.given("operational", "metadata")
    require_some(changes, "operational", "metadata")
    refuse_null(changes, "operational", "metadata")
    vendor_id = _id(session, arguments.name)
    if _require(session, arguments.name, vendor_id)["version"] < arguments.version:
        session.catch_up()
    with session.act(arguments.updated_by) as act:
        row = require_still(act, VENDOR, vendor_id)
        check_not_deleted(VENDOR, row, {})
        check_version(VENDOR, row, arguments.version)
        operational = changes.get("operational", bool(row["operational"]))
        if "metadata" in changes:
            before = decode_json(row["metadata"])
            patched = merge_patch(before, changes["metadata"])
            changes["metadata"] = metadata.check_change(VendorMetadata, before, patched)
        row = act.change(VENDOR, row, changes, status=vendor_status(operational))
    return written(session, VENDOR, row)


def list_vendors(session: Reader, arguments: ListVendors) -> dict[str, Any]:
    """A page of vendors, by name."""
    source = session.read()
    where, bindings = "deleted_at IS NULL", []
    if arguments.status is not None:
        where, bindings = f"{where} AND operational = ?", [arguments.status == "operational"]
    total = session.replica.execute(f"SELECT count(*) FROM vendor_extractors WHERE {where}", bindings).get
    page = f"{where} ORDER BY name LIMIT ? OFFSET ?"
    rows = select(session.replica, VENDOR, page, (*bindings, arguments.limit, arguments.offset))
    return {"items": [present(VENDOR, row) for row in rows], "total_count": total} | source


OPERATIONS = (
    Operation(
        "create_vendor",
        "Create a vendor",
        "Adds a vendor under a name that is unique in the project and never changes.",
        CreateVendor,
        VendorWritten,
        create,
        "create",
        rows=VENDOR,
        groups=("vendors",),
        command="vendor create",
    ),
    Operation(
        "query_vendor_status",
        "Status of a vendor",
        "Whether a vendor's extractor works, with its test results, formats and version.",
        QueryVendorStatus,
        VendorRead,
        query,
        "read",
        idempotent=True,
        rows=VENDOR,
        groups=("vendors",),
    ),
    Operation(
        "update_vendor_status",
        "Update a vendor",
        "Sets whether a vendor works, or changes its metadata (JSON merge patch). Send the `version` that you read.",
        UpdateVendorStatus,
        VendorWritten,
        update,
        "update",
        rows=VENDOR,
        groups=("vendors",),
        command="vendor update",
    ),
    Operation(
        "list_vendors",
        "List vendors",
        "A page of vendors by name, all or those operational or broken.",
        ListVendors,
        VendorPage,
        list_vendors,
        "read",
        idempotent=True,
        rows=VENDOR,
        groups=("vendors",),
        command="vendor list",
        lists=(VENDOR,),
    ),
)
