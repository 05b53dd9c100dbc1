"""Metadata are the same on every laptop, and what somebody else has put there is in nobody's way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from contract.agent import working
from localfirst_schema.errors import ValidationError
from reading.world import call

from end_to_end.conftest import NewLaptop
from localfirst.client.session import Session
from localfirst.settings import load

NUMBERS: dict[str, Any] = {
    "whole": 1e22, "lowest": 1e16, "below": 9999999999999998.0, "negative": -1e17, "uneven": 1e23,
    "highest": 1.7976931348623157e308, "float": 1.0, "tiny": 1e-320, "fraction": 123456789.125, "zero": -0.0,
    "integer": 10**30, "list": [1e20, {"deep": 2**64}],
}  # fmt: skip


def test_numbers_are_displayed_alike_by_who_wrote_them_and_by_everybody_else(new_laptop: NewLaptop) -> None:
    a, b = new_laptop("a"), new_laptop("b")
    with working(a) as on_a, working(b) as on_b:
        item = on_a.call("create_work_item", item_type="task", title="x", metadata=NUMBERS)
        on_a.call("sync_now")
        on_b.call("sync_now")
        here, there = (agent.call("query_work_item", id=item["id"])["metadata"] for agent in (on_a, on_b))
        assert here == NUMBERS
        for name in NUMBERS:
            assert json.dumps(item["metadata"][name]) == json.dumps(here[name]) == json.dumps(there[name]), name
        patched = on_b.call("update_work_item", id=item["id"], version=1, metadata={**there, "more": True})
        assert patched["metadata"] == NUMBERS | {"more": True}
        on_b.call("sync_now")
        assert on_a.call("query_work_item", id=item["id"])["metadata"] == NUMBERS | {"more": True}
        assert on_a.call("list_conflicts")["total_count"] == 0


def test_a_number_that_no_tool_takes_is_refused_of_sql_too(new_laptop: NewLaptop, database_url: str) -> None:
    with working(new_laptop("a")) as agent:
        agent.call("create_work_item", item_type="task", title="x")
        agent.call("create_vendor", name="Alder")
        agent.call("sync_now")
    with psycopg.connect(database_url, autocommit=True) as server:
        for table in ("work_items", "vendor_extractors"):
            with pytest.raises(psycopg.errors.CheckViolation):
                # Formatted: a table's name is no parameter.
                server.execute(f"UPDATE localfirst.{table} SET metadata = %s".encode(), (json.dumps({"large": 10**1500}),))


def test_a_value_that_no_tool_takes_and_that_is_there_stays_while_another_key_is_patched(tmp_path: Path) -> None:
    session, large = Session(load(tmp_path, {"LOCALFIRST_REPLICA": str(tmp_path / "replica.db")})), 10**1500
    item = call(session, "create_work_item", item_type="task", title="x")["id"]
    call(session, "create_vendor", name="Alder")
    with session.act() as act:
        for table in ("work_items", "vendor_extractors"):
            metadata = json.dumps({"large": large, "inner": {"large": large}})
            act.connection.execute(f"UPDATE {table} SET metadata = ?", (metadata,))
    for tool, asked in (("update_work_item", {"id": item}), ("update_vendor_status", {"name": "Alder"})):
        for patch in ({"large": large + 1}, {"inner": {"other": large}}):
            with pytest.raises(ValidationError) as refusal:
                call(session, tool, **asked, version=1, metadata=patch)
            assert refusal.value.details["field"] in ("metadata.large", "metadata.inner.other")
        changed = call(session, tool, **asked, version=1, metadata={"inner": {"new": 1}, "kept": 2})
        assert changed["metadata"] == {"large": large, "inner": {"large": large, "new": 1}, "kept": 2}
    session.close()


def test_a_document_grows_to_its_limit_and_not_beyond_it_patch_by_patch(tmp_path: Path) -> None:
    session = Session(load(tmp_path, {"LOCALFIRST_REPLICA": str(tmp_path / "replica.db")}))
    item = call(session, "create_work_item", item_type="task", title="x", metadata={"a": "x" * 600_000})
    with pytest.raises(Exception, match="larger than 1000000 characters in all"):
        call(session, "update_work_item", id=item["id"], version=1, metadata={"b": "x" * 600_000})
    patch = {"a": None, "b": "x" * 600_000}
    assert call(session, "update_work_item", id=item["id"], version=1, metadata=patch)["version"] == 2
    session.close()
