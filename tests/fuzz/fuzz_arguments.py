"""Calls of every tool with arguments made from the tool's own input schema: right ones, and such as are wrong in one place.

    PYTHONPATH=tests .venv/bin/python -m fuzz.fuzz_arguments --calls 100000 [--seed N]

Ids, versions and names come from earlier answers, so that calls also succeed: of every tool at least one has to. A success
matches the output schema; an error has the contract's form, tells of no library, and is never an internal one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
from contract.agent import ERRORS
from contract.laptop import Laptop
from contract.wire import Wire
from localfirst_schema.refs import short_ref

from fuzz.fuzz_frames import LIBRARY_WORDS, ended_well
from localfirst.operations.registry import BY_NAME

NEEDS_A_SERVER = {"sync_now", "resolve_conflict"}
"""These cannot succeed on a laptop without a server; they are called all the same."""
WRONG: list[Any] = [
    None, True, False, 0, -1, 1.5, 2.0, 2**63, 10**400, "", "null", "5", "true", "{}", "[]", "\ud800", "a\x00b", "x" * 5000,
    [], {}, [None], [[]], {"a": {"b": None}}, {"\udfff": 1}, ["\ud800"], "é\u2028", "-1", "1e400", '{"a": NaN}', "[" * 3000,
]  # fmt: skip
COMMIT, MOMENT = "0123456789abcdef0123456789abcdef01234567", "2025-10-01T12:00:00Z"
TEXTS = {
    "commit_hash": COMMIT,
    "git_head_commit": COMMIT,
    "created_at": MOMENT,
    "deployed_at": MOMENT,
    "since": MOMENT,
    "target_quarter": "Q1 2026",
}
METADATA: list[dict[str, Any]] = [
    {}, {"mine": [1, None, {"deep": "é"}]}, {"priority": "high"}, {"estimated_hours": 2.5}, {"description": "text"},
    {"pr_number": 5, "test_summary": {"passed": 3}}, {"format_support": {"csv": True}}, {"mine": None}, {"token_budget": 5000},
    {"estimated_hours": -1}, {"priority": 5}, {"pr_number": "5"}, {"\x00": 1}, {"n": 10**999}, {"n": 10**1000},
]  # fmt: skip


class Board:
    """What earlier answers have reported: ids and versions by the kind of thing."""

    def __init__(self, dice: random.Random, repository: Path) -> None:
        self.dice = dice
        self.repository = repository
        self.known: dict[str, dict[str, int]] = defaultdict(dict)
        self.links: list[tuple[str, str, str]] = []
        self.jobs: list[str] = []

    def learn(self, tool: str, answer: dict[str, Any]) -> None:
        kind = KINDS.get(tool)
        if kind is not None and "id" in answer:
            name = answer["name"] if kind == "vendor" else answer["id"]
            self.known[kind][name] = answer["version"]
            if tool == "create_work_item" and len(self.known[kind]) > 60:
                self.known[kind].pop(next(iter(self.known[kind])))
        if tool == "link_work_items":
            self.links.append((answer["source_id"], answer["target_id"], answer["dependency_type"]))
        if "job_id" in answer:
            self.jobs.append(answer["job_id"])

    def one(self, kind: str) -> str:
        return self.dice.choice(list(self.known[kind]) or [str(uuid.UUID(int=self.dice.getrandbits(128)))])


KINDS = {
    **dict.fromkeys(
        (
            "create_work_item",
            "update_work_item",
            "query_work_item",
            "claim_work_item",
            "complete_work_item",
            "release_work_item",
            "revert_work_item",
        ),
        "work_item",
    ),
    **dict.fromkeys(("create_vendor", "update_vendor_status", "query_vendor_status"), "vendor"),
    **dict.fromkeys(("record_deployment", "query_deployment"), "deployment"),
    **dict.fromkeys(("create_enhancement", "update_enhancement"), "enhancement"),
    **dict.fromkeys(("get_project_configuration", "update_project_configuration"), "configuration"),
}


def arguments_for(board: Board, tool: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Mostly right: what is optional is there or not, what names something names what exists."""
    dice = board.dice
    given: dict[str, Any] = {}
    required = set(schema.get("required", ()))
    if "work_item_id" in schema["properties"]:
        required |= {dice.choice(["id", "work_item_id"])}
    for name, one in schema["properties"].items():
        if name in required or (dice.random() < 0.3 and name not in ("work_item_id", "clear")):
            given[name] = _value(board, tool, name, one)
    if "clear" in schema["properties"] and dice.random() < 0.2:
        whole = BY_NAME[tool].arguments.model_json_schema()["properties"]["clear"]
        options = set(whole["items"]["enum"]) - set(given)
        given["clear"] = dice.sample(sorted(options), min(len(options), 2))
    _made_to_fit(board, tool, given)
    if dice.random() < 0.4:
        given = _odd(dice, schema, given)
    return given


def _value(board: Board, tool: str, name: str, schema: dict[str, Any]) -> Any:
    dice = board.dice
    if "enum" in schema:
        return dice.choice(schema["enum"])
    if name in ("repo_path", "repository"):
        return str(board.repository)
    if name in TEXTS:
        return TEXTS[name]
    if name == "job_id" and board.jobs:
        return dice.choice(board.jobs)
    if name == "name" and KINDS.get(tool) == "vendor" and tool != "create_vendor":
        return board.one("vendor")
    if schema.get("description") == "id or ref":
        item = board.one("work_item")
        return item if dice.random() < 0.7 else dice.choice([short_ref(item), item[:23]])
    if schema.get("format") == "uuid":
        return (
            str(uuid.UUID(int=dice.getrandbits(128))) if tool.startswith("create") else board.one(KINDS.get(tool, "work_item"))
        )
    kind = schema.get("type")
    if kind == "string":
        length = dice.choice([1, 5, 40])
        text = "".join(dice.choice("abcé ✓🎉\u2028\"\\'%;-") for _ in range(length)).strip() or "x"
        return text[: schema.get("maxLength", 40)]
    if kind == "integer":
        least, most = schema.get("minimum", 0), schema.get("maximum", 1000)
        return dice.choice([least, min(least + 5, most), most])
    if kind == "number":
        return dice.random() * 10
    if kind == "boolean":
        return dice.random() < 0.5
    if kind == "object" and "properties" in schema:
        required = schema.get("required", ())
        return {
            one: _value(board, tool, one, of)
            for one, of in schema["properties"].items()
            if one in required or dice.random() < 0.3
        }
    if kind == "array":
        return [_value(board, tool, name, schema["items"]) for _ in range(dice.randrange(3))]
    return json.loads(json.dumps(dice.choice(METADATA)))


def _made_to_fit(board: Board, tool: str, given: dict[str, Any]) -> None:
    """What one argument says of another: an id has its version, an entity its id, a parent exists."""
    dice, kind = board.dice, KINDS.get(tool)
    for name, of in (("parent_id", "work_item"), ("source_id", "work_item"), ("target_id", "work_item")):
        if name in given:
            given[name] = board.one(of)
    for name, of in (("vendor_ids", "vendor"), ("work_item_ids", "work_item")):
        if name in given:
            given[name] = [board.one(of) for _ in range(dice.randrange(3))] if of == "work_item" else []
    for number, item in enumerate(given["items"] if tool == "create_work_items" else ()):
        _fit_into_plan(board, given["items"][:number], item)
    if "depends_on" in given:
        given["depends_on"] = [board.one("work_item") for _ in given["depends_on"]] if board.known["work_item"] else []
    if "entity" in given and "id" in given:
        given["id"] = board.one(given["entity"] if given["entity"] in ("deployment", "enhancement") else "work_item")
        given["entity"] = given["entity"] if given["entity"] in ("deployment", "enhancement") else "work_item"
    if "version" in given and kind is not None:
        named = given.get("id") or given.get("name") or next(iter(board.known["configuration"]), None)
        given["version"] = board.known[kind].get(named or "", 1)
    if tool == "revert_work_item":
        given["to_version"] = max(1, given["version"] - 1)
    if "current_session_id" in given and dice.random() < 0.8:
        del given["current_session_id"]
    if tool == "unlink_work_items" and board.links:
        given["source_id"], given["target_id"], given["dependency_type"] = board.links.pop()
    if "deleted" in given and dice.random() < 0.8:
        given["deleted"] = False


def _fit_into_plan(board: Board, before: list[dict[str, Any]], item: dict[str, Any]) -> None:
    """One of several new items: its key is its own, and what it names is there."""
    item["key"] = f"k{len(before)}"
    names = [one["key"] for one in before]
    names += [board.one("work_item")] if board.known["work_item"] else []
    for name in ("parent", "parent_id", "depends_on"):
        item.pop(name, None)
    if names and board.dice.random() < 0.5:
        item["parent"] = board.dice.choice(names)
    item["depends_on"] = board.dice.sample(names, min(len(names), board.dice.randrange(3)))


def _odd(dice: random.Random, schema: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The same as text, with nulls, or with one argument that is wrong, missing or unknown."""
    kind, names = dice.randrange(5), sorted(given)
    if kind == 0:
        return dict.fromkeys(schema["properties"]) | given
    if kind == 1:
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    if kind == 2:
        return {**given, dice.choice([*schema["properties"], "unknown", "\ud800", ""]): dice.choice(WRONG)}
    if kind == 3 and names:
        return {name: value for name, value in given.items() if name != dice.choice(names)}
    return {name: dice.choice(WRONG) if dice.random() < 0.3 else value for name, value in given.items()}


def fuzz(wire: Wire, repository: Path, seed: int, count: int) -> Counter[str]:
    """Makes `count` calls; returns how often each tool succeeded. Raises AssertionError with the call that went wrong."""
    dice = random.Random(seed)
    board = Board(dice, repository)
    tools = {tool["name"]: tool for tool in wire.request("tools/list", {})["result"]["tools"]}
    checks = {name: jsonschema.Draft202012Validator(tool["outputSchema"]) for name, tool in tools.items()}
    succeeded: Counter[str] = Counter(dict.fromkeys(tools, 0))
    just_started: str | None = None
    heavy = {"index_repository", "start_indexing_background"}
    for number in range(count):
        tool = dice.choice(sorted(tools.keys() - heavy if number % 50 else heavy))
        given = arguments_for(board, tool, tools[tool]["inputSchema"])
        if just_started is not None:
            tool, given = "cancel_indexing_background", {"job_id": just_started}  # while it runs
        just_started = None
        reply = wire.request_text("tools/call", json.dumps({"name": tool, "arguments": given}))
        assert "result" in reply, (tool, given, reply)
        answer, text = reply["result"]["structuredContent"], reply["result"]["content"][0]["text"]
        if reply["result"]["isError"]:
            assert set(answer) == {"error", "message", "details"}, (tool, given, answer)
            assert answer["error"] in ERRORS, (tool, given, answer)
            assert "internal error" not in text, (tool, given, answer)
            assert not any(word in json.dumps(answer) for word in LIBRARY_WORDS), (tool, given, answer)
        else:
            assert json.loads(text) == answer, (tool, given)
            wrong = next(checks[tool].iter_errors(answer), None)
            assert wrong is None, (tool, given, wrong)
            succeeded[tool] += 1
            if tool == "start_indexing_background":
                just_started = answer["job_id"]
            board.learn(tool, answer)
    return succeeded


@contextmanager
def served(directory: Path) -> Iterator[tuple[Wire, Path]]:
    """A server on a laptop of its own, and a small repository to be indexed."""
    repository = directory / "repository"
    repository.mkdir()
    (repository / "code.py").write_text("def greet(name):\n    return f'hello {name}'\n")
    subprocess.run(["git", "init", "--quiet"], cwd=repository, check=True, env={**os.environ, "HOME": str(directory)})
    with Wire(Laptop(directory)) as wire:
        yield wire, repository


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, served(Path(directory)) as (wire, repository):
        succeeded = fuzz(wire, repository, given.seed, given.calls)
        ended_well(wire)
    print(f"{given.calls} calls of seed {given.seed}, {sum(succeeded.values())} successful: {dict(sorted(succeeded.items()))}")


if __name__ == "__main__":
    main()
