"""What holds for every result, every error and every tool, in both eras of the protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import get_args

import pytest
from localfirst_schema.results import Warning_
from mcp.shared.exceptions import MCPError

from contract.agent import WARNINGS, Agent, text_of
from contract.conftest import Start
from contract.laptop import Laptop

NOBODY = "00000000-0000-4000-8000-000000000000"

READS = {
    "query_work_item",
    "list_work_items",
    "ready_work_items",
    "search_work_items",
    "get_history",
    "query_vendor_status",
    "list_vendors",
    "query_deployment",
    "list_deployments",
    "list_enhancements",
    "get_project_configuration",
    "generate_full_status",
    "list_conflicts",
    "sync_status",
}
WRITES = {
    "create_work_item",
    "create_work_items",
    "complete_work_item",
    "update_work_item",
    "link_work_items",
    "unlink_work_items",
    "create_vendor",
    "update_vendor_status",
    "record_deployment",
    "create_enhancement",
    "update_enhancement",
    "update_project_configuration",
    "trigger_archiving",
    "undo",
    "sync_now",
}
REQUIRED = {
    "create_work_item": {"item_type", "title"},
    "update_work_item": {"id", "version"},
    "query_work_item": {"id"},
    "list_work_items": set(),
    "ready_work_items": set(),
    "search_work_items": {"query"},
    "link_work_items": {"source_id", "target_id", "dependency_type"},
    "unlink_work_items": {"source_id", "target_id", "dependency_type"},
    "get_history": {"entity", "id"},
    "create_vendor": {"name"},
    "query_vendor_status": {"name"},
    "update_vendor_status": {"name", "version"},
    "list_vendors": set(),
    "record_deployment": {"metadata"},
    "query_deployment": {"id"},
    "list_deployments": set(),
    "update_enhancement": {"id", "version"},
    "list_enhancements": set(),
    "get_project_configuration": set(),
    "generate_full_status": set(),
    "trigger_archiving": set(),
    "undo": set(),
    "sync_now": set(),
    "sync_status": set(),
    "list_conflicts": set(),
}
ARGUMENTS = {
    "create_work_item": "id item_type title parent_id status metadata branch_name commit_hash pr_number created_by created_at",
    "update_work_item": (
        "id version title status parent_id metadata branch_name commit_hash pr_number deleted clear updated_by created_by"
    ),
    "query_work_item": "id include_children include_dependencies include_comments max_depth max_children",
    "list_work_items": "item_type status parent_id root_only include_deleted include_archived limit offset",
    "ready_work_items": "limit item_type labels under include_claimed",
    "create_work_items": "items",
    "complete_work_item": "id version comment",
    "search_work_items": "query limit",
    "link_work_items": "source_id target_id dependency_type",
    "unlink_work_items": "source_id target_id dependency_type",
    "get_history": "entity id limit",
    "create_vendor": "name operational metadata created_by",
    "query_vendor_status": "name",
    "update_vendor_status": "name version operational metadata updated_by",
    "list_vendors": "status limit offset",
    "record_deployment": "metadata vendor_ids work_item_ids deployed_at created_by",
    "query_deployment": "id",
    "list_deployments": "limit offset since",
    "create_enhancement": "title description priority status target_quarter requires_constitutional_principles",
    "update_enhancement": ("id version title description priority status target_quarter requires_constitutional_principles"),
    "list_enhancements": "priority status target_quarter",
    "update_project_configuration": (
        "version active_context_type current_session_id git_branch git_head_commit default_token_budget"
    ),
    "generate_full_status": "output_format",
    "trigger_archiving": "older_than_days",
    "undo": "updated_by",
    "add_comment": "id work_item_id body created_by",
    "list_comments": "id work_item_id limit offset",
    "list_conflicts": "entity limit",
}


@pytest.fixture(scope="module", params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_tool_of_the_contract_is_there(agent: Agent) -> None:
    assert set(agent.tools()) >= READS | WRITES


def test_every_tool_has_a_description_and_schemas_of_its_arguments_and_its_result(agent: Agent) -> None:
    for name, tool in agent.tools().items():
        assert tool.description, name
        assert tool.input_schema["type"] == "object", name
        assert tool.output_schema is not None, name
        assert tool.output_schema["type"] == "object", name
        names = tool.output_schema["properties"]
        assert set(names) >= {"success", "warnings"}, name
        assert set(tool.output_schema) == {"type", "properties"}, "the fields' names and no more"
        assert not any(names.values()), name


@pytest.mark.parametrize("tool", sorted(ARGUMENTS))
def test_a_tool_takes_the_arguments_that_the_contract_names(agent: Agent, tool: str) -> None:
    assert set(agent.tools()[tool].input_schema["properties"]) >= set(ARGUMENTS[tool].split())


@pytest.mark.parametrize("tool", sorted(REQUIRED))
def test_a_tool_asks_for_no_more_than_the_contract_does(agent: Agent, tool: str) -> None:
    assert set(agent.tools()[tool].input_schema.get("required", [])) == REQUIRED[tool]


def test_the_defaults_of_the_contract_stand_in_the_schemas(agent: Agent) -> None:
    tools = agent.tools()

    def default(tool: str, argument: str) -> object:
        return tools[tool].input_schema["properties"][argument]["default"]

    assert default("query_work_item", "include_children") is True
    assert default("query_work_item", "include_dependencies") is True
    assert default("query_work_item", "max_depth") == 5
    assert default("query_work_item", "max_children") == 200
    assert default("list_work_items", "limit") == 50
    assert default("list_work_items", "offset") == 0
    assert default("get_history", "limit") == 50
    assert default("trigger_archiving", "older_than_days") == 365
    assert default("generate_full_status", "output_format") == "json"


def test_no_schema_offers_a_null(agent: Agent) -> None:
    def values(schema: object) -> Iterator[object]:
        if isinstance(schema, dict):
            for name, value in schema.items():
                yield from values(value if name != "description" else None)
        elif isinstance(schema, list):
            for value in schema:
                yield from values(value)
        else:
            yield schema

    for name, tool in agent.tools().items():
        for schema in (tool.input_schema, tool.output_schema):
            assert "null" not in values(schema), name
            assert '": null' not in json.dumps(schema), name


def test_reads_say_that_they_are_reads_and_writes_that_they_are_not(agent: Agent) -> None:
    for name, tool in agent.tools().items():
        assert tool.annotations is not None, name
        if name in READS:
            assert tool.annotations.read_only_hint is True, name
        if name in WRITES:
            assert tool.annotations.read_only_hint is False, name


def test_what_can_take_something_away_says_so(agent: Agent) -> None:
    tools = agent.tools()
    for name in ("update_work_item", "unlink_work_items"):
        annotations = tools[name].annotations
        assert annotations is not None
        assert annotations.destructive_hint is True, name


def test_a_read_of_the_replica_says_so_and_warns_of_nothing(agent: Agent, name: str) -> None:
    item = agent.create(name)
    vendor = agent.call("create_vendor", name=name)
    deployment = agent.call("record_deployment", metadata={"pr_title": name})
    for tool, arguments in (
        ("query_work_item", {"id": item["id"]}),
        ("list_work_items", {}),
        ("ready_work_items", {}),
        ("search_work_items", {"query": name}),
        ("get_history", {"entity": "work_item", "id": item["id"]}),
        ("query_vendor_status", {"name": vendor["name"]}),
        ("list_vendors", {}),
        ("query_deployment", {"id": deployment["id"]}),
        ("list_deployments", {}),
        ("list_enhancements", {}),
        ("get_project_configuration", {}),
        ("generate_full_status", {}),
        ("list_conflicts", {}),
    ):
        answer = agent.call(tool, **arguments)
        assert answer["data_source"] == "sqlite_cache", tool
        assert answer["warnings"] == [], tool
        assert answer.get("cache_age_minutes") is None, tool


def test_a_write_warns_of_nothing_where_no_server_is_configured(agent: Agent, name: str) -> None:
    item = agent.create(name)
    assert item["warnings"] == []
    updated = agent.update(item, status="completed")
    assert updated["warnings"] == []
    assert updated["wrote_to_cache"] is True
    assert updated["pending_sync"] is False
    assert updated["wrote_to_markdown"] in (True, False)


def test_both_eras_of_the_protocol_are_spoken(start: Start, era: str, name: str) -> None:
    agent = start(mode=era)
    version = agent.client.protocol_version
    assert (version >= "2026") is (era == "auto")
    item = agent.create(name)
    assert agent.update(item, title="changed")["version"] == 2
    assert agent.read(item)["title"] == "changed"
    refusal = agent.refused("update_work_item", id=item["id"], version=1, title="late")
    assert refusal.kind == "VersionMismatchError"
    assert agent.invalid("title", "create_work_item", item_type="task")


def test_the_text_is_compact(agent: Agent, name: str) -> None:
    result = agent.raw("create_work_item", item_type="task", title=name)
    text = text_of(result)
    assert '": ' not in text
    assert "\n" not in text


def test_text_beyond_ascii_is_itself_in_text_and_structure(agent: Agent) -> None:
    title = "naïve 東京 🎉 e\u0301 \u202eabc\u200d\u2028"
    item = agent.create(title)
    assert item["title"] == title
    assert agent.read(item)["title"] == title


def test_the_warning_codes_of_the_program_are_those_of_the_contract() -> None:
    assert set(get_args(Warning_)) <= WARNINGS


@pytest.mark.parametrize(
    "tool", ["update_work_item", "update_vendor_status", "update_enhancement", "update_project_configuration"]
)
def test_an_update_offers_no_defaults(agent: Agent, tool: str) -> None:
    """Left out, a field stays. A client may send defaults along."""
    for name, schema in agent.tools()[tool].input_schema["properties"].items():
        assert name in ("updated_by", "created_by") or "default" not in schema, name


@pytest.mark.parametrize("length", [201, 10_000])
def test_an_error_does_not_repeat_a_long_name_at_length(agent: Agent, length: int) -> None:
    refusal = agent.refused("query_vendor_status", name="x" * length)
    assert refusal.kind in ("NotFoundError", "ValidationError")
    assert len(refusal.text) <= 1000


def test_an_unknown_tool_is_refused_and_the_server_goes_on(agent: Agent, name: str) -> None:
    with pytest.raises(MCPError, match="drop_everything"):
        agent.raw("drop_everything")
    assert agent.create(name)["version"] == 1


def test_synchronising_without_a_server_says_that_there_is_none(agent: Agent) -> None:
    refusal = agent.refused("sync_now")
    assert refusal.kind == "UnavailableError"
    assert "LOCALFIRST_DATABASE_URL" in refusal.text
    assert refusal.details == {"cause": "settings"}


def test_the_sync_status_without_a_server_is_offline_and_calm(agent: Agent) -> None:
    status = agent.call("sync_status")
    assert status["online"] is False
    assert status["server"] is None
    assert status["last_sync_at"] is None
    assert status["open_conflicts"] == 0
    assert status["last_error"] is None
    assert {"pending_mutations", "cursor", "server_head"} <= set(status)


def test_without_a_server_nothing_conflicts(agent: Agent) -> None:
    answer = agent.call("list_conflicts")
    assert (answer["conflicts"], answer["total_count"]) == ([], 0)
    assert agent.call("list_conflicts", entity="vendor", limit=1)["conflicts"] == []
    agent.invalid("entity", "list_conflicts", entity="laptop")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("query_work_item", {"id": NOBODY}),
        ("update_work_item", {"id": NOBODY, "version": 1, "title": "x"}),
        ("create_work_item", {"item_type": "task", "title": "x", "parent_id": NOBODY}),
        ("link_work_items", {"source_id": NOBODY, "target_id": NOBODY[:-1] + "1", "dependency_type": "blocks"}),
        ("unlink_work_items", {"source_id": NOBODY, "target_id": NOBODY[:-1] + "1", "dependency_type": "blocks"}),
        ("get_history", {"entity": "work_item", "id": NOBODY}),
        ("query_vendor_status", {"name": "nobody"}),
        ("update_vendor_status", {"name": "nobody", "version": 1, "operational": False}),
        ("query_deployment", {"id": NOBODY}),
        ("update_enhancement", {"id": NOBODY, "version": 1, "title": "x"}),
        ("complete_work_item", {"id": NOBODY}),
        ("claim_work_item", {"id": NOBODY}),
        ("release_work_item", {"id": NOBODY}),
        ("revert_work_item", {"id": NOBODY, "version": 1, "to_version": 1}),
        ("add_comment", {"work_item_id": NOBODY, "body": "x"}),
        ("list_comments", {"work_item_id": NOBODY}),
        ("list_comments", {"id": NOBODY}),
    ],
)
def test_what_is_not_there_is_not_found(agent: Agent, tool: str, arguments: dict[str, object]) -> None:
    assert agent.refused(tool, **arguments).kind == "NotFoundError"


def test_two_laptops_share_nothing(start: Start, shared_laptop: Laptop, agent: Agent, name: str) -> None:
    agent.create(name)
    assert start().call("list_work_items")["total_count"] == 0
