"""Creating work items: what an item is made of, and how much of it is allowed."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID, uuid4

import pytest

from contract.agent import Agent

FIELDS = {
    "id",
    "version",
    "item_type",
    "title",
    "status",
    "parent_id",
    "path",
    "depth",
    "branch_name",
    "commit_hash",
    "pr_number",
    "metadata",
    "created_at",
    "updated_at",
    "created_by",
    "updated_by",
    "deleted_at",
    "archived_at",
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")

# Known metadata, at and beyond its bounds: (type, key, allowed, refused).
METADATA: list[tuple[str, str, list[Any], list[Any]]] = [
    ("project", "description", ["", "x", "x" * 1000, "é" * 1000, "🎉" * 1000], ["x" * 1001, 5, ["x"], True, {}]),
    ("project", "target_quarter", ["Q1 2026"], [5, True, ["Q1 2026"], {}]),
    ("project", "constitutional_principles", [[], ["a", "b"]], ["a", 5, {"a": 1}, True]),
    ("session", "token_budget", [1000, 1001, 1_000_000], [999, 1_000_001, 0, -1, "5000", 5000.5, True, [5000], {}]),
    ("session", "prompts_count", [0, 1, 10_000], [-1, "1", 1.5, True, []]),
    (
        "session",
        "yaml_frontmatter",
        [{}, {"a": [1, {"b": None}]}, {"schema_version": "1.0"}, {"schema_version": ""}],
        ["a: b", 5, [], True, {"schema_version": 1}, {"schema_version": 1.0}, {"schema_version": ["1"]}],
    ),
    ("session", "prompt", ["", "x" * 100_000, "# heading\n---\n| \t\r\n"], [5, ["x"], {}, True]),
    ("task", "estimated_hours", [0, 0.5, 1000, 999.99], [-0.5, 1000.5, -1, 1001, "5", True, []]),
    ("task", "actual_hours", [0, 0.5, 1000], [-0.5, 1000.5, "5", True, {}]),
    ("task", "blocked_reason", ["", "x" * 500, "🎉" * 500], ["x" * 501, 5, [], True]),
    ("task", "priority", ["urgent", "high", "medium", "low"], ["soon", "High", "", 1, True, ["high"]]),
    ("research", "research_questions", [[], ["why?"]], [5, True, {"why": 1}]),
    ("research", "findings_summary", ["", "x" * 2000, "🎉" * 2000], ["x" * 2001, 5, [], True]),
    ("research", "references", [[], ["https://example.org"]], [5, True, {"a": 1}]),
]
CASES = [(item_type, key, allowed, refused) for item_type, key, allowed, refused in METADATA]
NAMES = [f"{item_type}-{key}" for item_type, key, _, _ in METADATA]


def test_a_new_item_has_every_field(agent: Agent, name: str) -> None:
    item = agent.create(name)
    assert set(item) >= FIELDS
    assert item["version"] == 1
    assert item["title"] == name
    assert item["item_type"] == "task"
    assert item["status"] == "active"
    assert item["metadata"] == {}
    assert (item["depth"], item["path"]) == (0, item["id"])
    nothing = ("parent_id", "branch_name", "commit_hash", "pr_number", "deleted_at", "archived_at")
    assert [item[field] for field in nothing] == [None] * 6
    assert str(UUID(item["id"])) == item["id"]
    assert UTC.fullmatch(item["created_at"])
    assert UTC.fullmatch(item["updated_at"])


def test_what_was_created_is_what_is_read(agent: Agent, name: str) -> None:
    given: dict[str, Any] = {
        "id": str(uuid4()),
        "status": "blocked",
        "metadata": {"priority": "high", "estimated_hours": 1.5, "mine": [1, None, {"deep": "é"}]},
        "branch_name": "feature/x",
        "commit_hash": COMMIT,
        "pr_number": 7,
        "created_by": "an agent",
    }
    item = agent.create(name, **given)
    read = agent.read(item)
    assert {key: read[key] for key in given} == given
    assert {key: read[key] for key in FIELDS} == {key: item[key] for key in FIELDS}


@pytest.mark.parametrize("item_type", ["project", "session", "task", "research"])
@pytest.mark.parametrize("status", ["active", "completed", "blocked"])
def test_each_type_may_have_each_status(agent: Agent, name: str, item_type: str, status: str) -> None:
    item = agent.create(name, item_type, status=status)
    assert (item["item_type"], item["status"]) == (item_type, status)


@pytest.mark.parametrize(
    "title", ["x", "x" * 200, "é" * 200, "🎉" * 200, "'; DROP TABLE work_items; --", "a\u2028b\u200dc", "  padded  "]
)
def test_a_title_is_kept_as_it_is_given(agent: Agent, title: str) -> None:
    item = agent.create(title)
    assert agent.read(item)["title"] == title


@pytest.mark.parametrize("title", ["", "x" * 201, "🎉" * 201])
def test_a_title_is_1_to_200_characters(agent: Agent, title: str) -> None:
    refusal = agent.invalid("title", "create_work_item", item_type="task", title=title)
    assert re.search(r"1\D|200", str(refusal.details["constraint"])), refusal


def test_a_branch_name_is_at_most_100_characters(agent: Agent, name: str) -> None:
    assert agent.create(name, branch_name="é" * 100)["branch_name"] == "é" * 100
    agent.invalid("branch_name", "create_work_item", item_type="task", title=name, branch_name="é" * 101)


def test_an_author_is_at_most_100_characters(agent: Agent, name: str) -> None:
    item = agent.create(name, created_by="é" * 100)
    assert item["created_by"] == item["updated_by"] == "é" * 100
    agent.invalid("created_by", "create_work_item", item_type="task", title=name, created_by="é" * 101)


def test_the_client_writes_under_its_own_name_where_the_call_does_not_say(agent: Agent, name: str) -> None:
    item = agent.create(name)
    assert (item["created_by"], item["updated_by"]) == ("tester", "tester")


def test_a_pull_request_is_numbered_from_1_up_to_what_64_bits_hold(agent: Agent, name: str) -> None:
    assert agent.create(name, pr_number=1)["pr_number"] == 1
    assert agent.create(name, pr_number=2**31)["pr_number"] == 2**31


def test_a_commit_is_40_hexadecimal_digits(agent: Agent, name: str) -> None:
    assert agent.create(name, commit_hash=COMMIT)["commit_hash"] == COMMIT
    assert agent.create(name, commit_hash=COMMIT.upper())["commit_hash"].lower() == COMMIT


@pytest.mark.parametrize(("item_type", "key", "allowed", "refused"), CASES, ids=NAMES)
def test_known_metadata_within_its_bounds_is_kept(
    agent: Agent, name: str, item_type: str, key: str, allowed: list[Any], refused: list[Any]
) -> None:
    for value in allowed:
        item = agent.create(name, item_type, metadata={key: value})
        assert agent.read(item)["metadata"] == {key: value}


@pytest.mark.parametrize(("item_type", "key", "allowed", "refused"), CASES, ids=NAMES)
def test_known_metadata_beyond_its_bounds_is_refused_by_its_name(
    agent: Agent, name: str, item_type: str, key: str, allowed: list[Any], refused: list[Any]
) -> None:
    for value in refused:
        agent.invalid(key, "create_work_item", item_type=item_type, title=name, metadata={key: value})


def test_the_known_keys_of_one_type_are_unknown_to_another(agent: Agent, name: str) -> None:
    metadata = {"token_budget": 5, "findings_summary": 7, "prompts_count": "many"}
    assert agent.create(name, metadata=metadata)["metadata"] == metadata


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        2**53 + 1,
        2**63 - 1,
        -(2**63),
        0.1,
        1e15,
        5e-324,
        "",
        "e\u0301 \u202e \ufeff \uffff \U0010ffff",
        [],
        {},
        [[[[]]]],
        {"": {"": ""}},
        {"a.b": 1, "a": {"b": 2}, "$ref": "#", "__proto__": 1, "é": 1, "e\u0301": 2},
        "\x01\x1f\x7f\u2028\r\n",
    ],
    ids=repr,
)
def test_unknown_metadata_is_kept_to_the_letter(agent: Agent, name: str, value: object) -> None:
    item = agent.create(name, metadata={"mine": value})
    kept = agent.read(item)["metadata"]
    assert kept == {"mine": value}
    assert json.dumps(kept) == json.dumps({"mine": value}), "also the kinds of numbers, and the order of keys"


@pytest.mark.parametrize("metadata", [{"a": "x\x00"}, {"a\x00": 1}, {"a": [{"b\x00": 1}]}, {"prompt": "\x00"}])
def test_the_nul_character_is_refused_wherever_it_stands(agent: Agent, name: str, metadata: dict[str, Any]) -> None:
    agent.invalid("metadata", "create_work_item", item_type="session", title=name, metadata=metadata)


@pytest.mark.parametrize("number", [1e16, -1.5e17, 1e22, 1e23, 1.7976931348623157e308])
def test_a_whole_float_that_is_written_with_an_exponent_becomes_the_equal_integer(
    agent: Agent, name: str, number: float
) -> None:
    item = agent.create(name, metadata={"mine": number})
    for displayed in (item, agent.read(item)):
        assert displayed["metadata"] == {"mine": number}
        assert isinstance(displayed["metadata"]["mine"], int), "as PostgreSQL will give it to everybody else"


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**30, -(10**400), 10**1000 - 1])
def test_a_number_beyond_64_bits_is_kept_exactly_in_a_key_that_has_no_type(agent: Agent, name: str, number: int) -> None:
    item = agent.update(agent.create(name, metadata={"n": number}), metadata={"m": [number]})
    assert agent.read(item)["metadata"] == {"n": number, "m": [number]}


def test_a_number_that_readers_could_not_take_is_refused(agent: Agent, name: str) -> None:
    for metadata in ({"n": 10**1000}, {"n": [-(10**1000)]}, {"prompts_count": 2**63}, {"token_budget": 10**400}):
        (key,) = metadata
        agent.invalid(f"metadata.{key}", "create_work_item", item_type="session", title=name, metadata=metadata)


def test_a_repeated_create_with_equal_content_answers_again(agent: Agent, name: str) -> None:
    call: dict[str, Any] = {"id": str(uuid4()), "metadata": {"a": 1, "priority": "high"}, "branch_name": "b"}
    first, second = agent.create(name, **call), agent.create(name, **call)
    assert {key: second[key] for key in FIELDS} == {key: first[key] for key in FIELDS}
    assert len(agent.call("get_history", entity="work_item", id=first["id"])["changes"]) == 1


def test_a_create_under_a_taken_id_with_other_content_is_a_duplicate(agent: Agent, name: str) -> None:
    item = agent.create(name, id=str(uuid4()))
    refusal = agent.refused("create_work_item", id=item["id"], item_type="task", title="another")
    assert refusal.kind == "DuplicateError"
    assert agent.read(item)["title"] == name


def test_an_id_in_capitals_is_the_same_id(agent: Agent, name: str) -> None:
    item = agent.create(name, id=str(uuid4()).upper())
    assert item["id"] == item["id"].lower()
    assert agent.read({"id": item["id"].upper()})["title"] == name
    assert agent.create(name, id=item["id"])["version"] == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05"),
        ("2020-01-02T03:04:05+00:00", "2020-01-02T03:04:05"),
        ("2020-01-02T03:04:05.123456Z", "2020-01-02T03:04:05.123456"),
        ("2020-01-02T01:04:05-02:00", "2020-01-02T03:04:05"),
        ("2020-01-02T08:34:05+05:30", "2020-01-02T03:04:05"),
    ],
)
def test_a_record_of_the_past_keeps_its_time_in_utc(agent: Agent, name: str, given: str, kept: str) -> None:
    item = agent.create(name, created_at=given)
    assert UTC.fullmatch(item["created_at"]), item["created_at"]
    assert item["created_at"].startswith(kept)
    assert item["created_at"].rstrip("Z").removesuffix("+00:00").rstrip("0").rstrip(".") == kept.rstrip(".")


def test_a_hundred_kilobytes_of_metadata_are_kept(agent: Agent, name: str) -> None:
    metadata = {f"key {number}": ["é" * 50, number, None] for number in range(1000)}
    assert agent.read(agent.create(name, metadata=metadata))["metadata"] == metadata


def test_a_repeated_create_answers_again_after_the_item_was_changed(agent: Agent, name: str) -> None:
    parent = agent.create(name)
    given = {
        "id": str(uuid4()),
        "parent_id": parent["id"],
        "metadata": {"priority": "high", "mine": [1]},
        "pr_number": 7,
        "created_at": "2025-01-01T00:00:00Z",
    }
    item = agent.create(name, **given)
    edited = agent.update(item, title="edited", status="completed", metadata={"mine": None, "n": 1}, clear=["parent_id"])
    again = agent.create(name, **given)
    assert (again["id"], again["version"], again["title"], again["metadata"]) == (
        item["id"],
        2,
        "edited",
        {"priority": "high", "n": 1},
    )
    assert agent.read(item) == agent.read(edited)
    deleted = agent.update(edited, deleted=True)
    assert agent.create(name, **given)["deleted_at"] == deleted["deleted_at"]
    others: list[dict[str, Any]] = [
        {"pr_number": 8}, {"metadata": {}}, {"created_at": "2025-01-02T00:00:00Z"}, {"status": "blocked"},
    ]  # fmt: skip
    for other in others:
        refusal = agent.refused("create_work_item", item_type="task", title=name, **{**given, **other})
        assert (refusal.kind, refusal.details["field"]) == ("DuplicateError", next(iter(other)))
    assert agent.refused("create_work_item", item_type="research", title=name, **given).details["field"] == "item_type"
