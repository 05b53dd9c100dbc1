"""Metadata are the same on every laptop, and what somebody else has put there is in nobody's way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from contract.agent import working
from reading.world import call

from end_to_end.conftest import NewLaptop
from localfirst.session import Session
from localfirst.settings import load

NUMBERS: dict[str, Any] = {
    "whole": 1e22, "lowest": 1e16, "below": 9999999999999998.0, "negative": -1e17, "uneven": 1e23,
    "highest": 1.7976931348623157e308, "float": 1.0, "tiny": 1e-320, "fraction": 123456789.125, "zero": -0.0,
    "integer": 10**30, "list": [1e20, {"deep": 2**64}],
}  # fmt: skip


def test_numbers_are_shown_alike_by_who_wrote_them_and_by_everybody_else(new_laptop: NewLaptop) -> None:
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


def test_a_value_that_only_sql_could_write_stays_while_another_key_is_patched(new_laptop: NewLaptop, database_url: str) -> None:
    laptop, large = new_laptop("a"), 10**1500
    with working(laptop) as agent:
        item = agent.call("create_work_item", item_type="task", title="x")["id"]
        agent.call("create_vendor", name="Alder")
        agent.call("sync_now")
        with psycopg.connect(database_url) as server:
            for table in ("work_items", "vendor_extractors"):
                # Formatted: a table's name is no parameter, and both are written out here.
                metadata = json.dumps({"large": large, "inner": {"large": large}})
                server.execute(f"UPDATE localfirst.{table} SET metadata = %s".encode(), (metadata,))
        agent.call("sync_now")
        for tool, asked in (
            ("update_work_item", {"id": item}),
            ("update_vendor_status", {"name": "Alder"}),
        ):
            read = {"update_work_item": "query_work_item", "update_vendor_status": "query_vendor_status"}[tool]
            version = agent.call(read, **asked)["version"]
            for patch in ({"large": large + 1}, {"inner": {"other": large}}):
                refusal = agent.refused(tool, **asked, version=version, metadata=patch)
                assert refusal.details["field"] in ("metadata.large", "metadata.inner.other")
            changed = agent.call(tool, **asked, version=version, metadata={"inner": {"new": 1}, "kept": 2})
            assert changed["metadata"] == {"large": large, "inner": {"large": large, "new": 1}, "kept": 2}
        agent.call("sync_now")
        assert agent.call("list_conflicts")["total_count"] == 0


def test_a_document_grows_to_its_limit_and_not_beyond_it_patch_by_patch(tmp_path: Path) -> None:
    session = Session(load(tmp_path, {"LOCALFIRST_REPLICA": str(tmp_path / "replica.db")}))
    item = call(session, "create_work_item", item_type="task", title="x", metadata={"a": "x" * 600_000})
    with pytest.raises(Exception, match="larger than 1000000 characters in all"):
        call(session, "update_work_item", id=item["id"], version=1, metadata={"b": "x" * 600_000})
    patch = {"a": None, "b": "x" * 600_000}
    assert call(session, "update_work_item", id=item["id"], version=1, metadata=patch)["version"] == 2
    session.close()
