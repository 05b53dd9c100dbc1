#!/usr/bin/env python3
"""Fills a project with data of a realistic size: 45 vendors, 1 200 work items in trees of five levels, 50 deployments.

    .venv/bin/python tools/seed.py [--vendors N] [--items N] [--deployments N] [--enhancements N]

Settings as everywhere (LOCALFIRST_REPLICA, LOCALFIRST_PROJECT, …); the same arguments give the same content.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from typing import Any

import localfirst

_SUBJECTS = ("parser", "extractor", "remittance", "portal login", "ledger", "fixtures", "manifest", "retry queue", "report")
_VERBS = ("Fix", "Extend", "Review", "Measure", "Document", "Replace", "Speed up", "Test", "Unify")
_LEVELS = ("project", "session", "task", "task", "research")


def metadata_for(kind: str, rnd: random.Random) -> dict[str, Any]:
    """Metadata of about 300 bytes."""
    words = " ".join(rnd.choice(_SUBJECTS) for _ in range(25))
    if kind == "project":
        return {"description": words, "target_quarter": "Q1 2026"}
    if kind == "session":
        return {"token_budget": 50_000, "prompts_count": rnd.randrange(9), "prompt": words}
    if kind == "task":
        return {"priority": rnd.choice(("high", "medium", "low")), "estimated_hours": rnd.randrange(40), "note": words}
    return {"research_questions": [words[:80]], "findings_summary": words}


def seed(call: Callable[..., dict[str, Any]], *, vendors: int, items: int, deployments: int, enhancements: int) -> None:
    """Creates the rows by `call(tool, **arguments)`."""
    rnd = random.Random(1)
    vendor_ids = []
    for number in range(vendors):
        passing = rnd.randrange(40)
        content = {
            "format_support": {name: rnd.random() < 0.5 for name in ("excel", "csv", "pdf", "ocr")},
            "test_results": {"passing": passing, "total": passing + 2, "skipped": 2},
            "extractor_version": f"{rnd.randrange(5)}.{rnd.randrange(10)}.0",
        }
        made = call("create_vendor", name=f"vendor_{number + 1}", operational=rnd.random() < 0.9, metadata=content)
        vendor_ids.append(made["id"])
    item_ids: list[str] = []
    chain: list[str] = []
    for number in range(items):
        depth = number % len(_LEVELS)
        kind = _LEVELS[depth]
        title = f"{rnd.choice(_VERBS)} the {rnd.choice(_SUBJECTS)} {number + 1}"
        parent = chain[depth - 1] if depth else None
        status = rnd.choice(("active", "active", "completed", "blocked"))
        made = call(
            "create_work_item", item_type=kind, title=title, parent_id=parent, status=status,
            metadata=metadata_for(kind, rnd),
        )  # fmt: skip
        chain[depth:] = [made["id"]]
        item_ids.append(made["id"])
    for number in range(deployments):
        content = {
            "pr_number": number + 1,
            "pr_title": f"{rnd.choice(_VERBS)} the {rnd.choice(_SUBJECTS)}",
            "commit_hash": f"{rnd.getrandbits(160):040x}",
            "test_summary": {"passed": rnd.randrange(400), "failed": 0},
            "constitutional_compliance": True,
        }
        call(
            "record_deployment", metadata=content,
            vendor_ids=rnd.sample(vendor_ids, min(3, len(vendor_ids))),
            work_item_ids=rnd.sample(item_ids, min(3, len(item_ids))),
        )  # fmt: skip
    for number in range(enhancements):
        call(
            "create_enhancement", title=f"Enhancement {number + 1}",
            priority=rnd.choice(("high", "medium", "low")), target_quarter=f"Q{rnd.randrange(1, 5)} 2026",
        )  # fmt: skip


def main() -> None:
    """Reads the arguments and seeds the project of the current directory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("vendors", 45), ("items", 1200), ("deployments", 50), ("enhancements", 12)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    with localfirst.open() as project:
        seed(project.call, **vars(arguments))
    print(f"{arguments.vendors} vendors, {arguments.items} work items, {arguments.deployments} deployments")


if __name__ == "__main__":
    main()
