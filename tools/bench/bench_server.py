"""The project's MCP server with one tool more, which does nothing: the floor of every other tool. Started by benchmarks."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import Nothing
from localfirst_schema.results import Result

from localfirst import settings
from localfirst.client.session import Session
from localfirst.mcp_server.process import run
from localfirst.operations.operation import Operation
from localfirst.operations.registry import OPERATIONS


def nothing(session: Session, arguments: Nothing) -> dict[str, Any]:
    """The least that a tool can do."""
    return {"success": True, "warnings": []}


NOOP = Operation("noop", "Nothing", "Does nothing.", Nothing, Result, nothing, "read")

if __name__ == "__main__":
    run(lambda: Session(settings.load()), (*OPERATIONS, NOOP), blocking=frozenset(one.name for one in OPERATIONS if one.blocks))
