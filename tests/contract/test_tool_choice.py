"""Which tools are offered, and what they cost a model that reads their schemas."""

from __future__ import annotations

import json

import pytest

from contract.conftest import Start
from localfirst.mcp_server.tools import tool_list
from localfirst.operations.registry import OPERATIONS

TOKEN_CHARACTERS = 4
CORE = {
    "create_work_items", "update_work_item", "complete_work_item", "query_work_item", "list_work_items", "ready_work_items",
    "claim_next", "prime", "search_work_items", "search_code", "list_conflicts", "resolve_conflict",
}  # fmt: skip


def of_group(name: str) -> set[str]:
    return {operation.name for operation in OPERATIONS if name in operation.groups}


def tokens(names: set[str], *parts: str) -> float:
    """What these parts of the tools take, at four characters a token."""
    reported = [{part: tool[part] for part in parts} for tool in tool_list(OPERATIONS) if tool["name"] in names]
    return sum(len(json.dumps(one, separators=(",", ":"))) for one in reported) / TOKEN_CHARACTERS


def test_each_tool_is_in_a_group_and_each_group_names_tools() -> None:
    assert all(operation.groups for operation in OPERATIONS)
    assert of_group("core") == CORE
    assert of_group("vendors") == {"create_vendor", "query_vendor_status", "update_vendor_status", "list_vendors"}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("all", {operation.name for operation in OPERATIONS}),
        ("core", CORE),
        ("core,vendors", {*CORE, *of_group("vendors")}),
        (" undo , index", {"undo", *of_group("index")}),
    ],
)
def test_the_chosen_tools_are_offered(start: Start, choice: str, expected: set[str]) -> None:
    assert set(start(LOCALFIRST_TOOLS=choice).tools()) == expected


def test_a_name_that_is_no_tool_is_reported_by_each_call(start: Start) -> None:
    agent = start(LOCALFIRST_TOOLS="core,gadgets")
    refusal = agent.invalid("LOCALFIRST_TOOLS", "list_work_items")
    assert "gadgets" in refusal.text
    assert "vendors" in refusal.text


def test_what_the_tools_cost_a_model() -> None:
    everything = {operation.name for operation in OPERATIONS}
    assert tokens(everything, "name", "description", "inputSchema") <= 5250
    assert tokens(everything, "name", "description", "inputSchema", "outputSchema") <= 8550
    assert tokens(CORE, "name", "description", "inputSchema") <= 2000
    assert tokens(CORE, "name", "description", "inputSchema", "outputSchema") <= 2800
