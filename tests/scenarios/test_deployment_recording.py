"""Deployment recording: what was deployed, with the vendors and work items that it touched, is one change or none."""

from __future__ import annotations

from scenarios.conftest import Join, NewLaptop

METADATA = {
    "pr_number": 123,
    "pr_title": "feat: the project's status in PostgreSQL",
    "commit_hash": "84b04732a1f5e9c8d3b2a0e6f7c8d9e0a1b2c3d4",
    "test_summary": {"unit": 150, "integration": 30, "contract": 8},
    "constitutional_compliance": True,
}


def test_deployment_recording(new_laptop: NewLaptop, join: Join, database_url: str) -> None:
    agent, other = join(new_laptop("a", database_url)), join(new_laptop("b", database_url))
    vendors = [agent.call("create_vendor", name=f"vendor_{number}")["id"] for number in (1, 2)]
    items = [agent.create(title)["id"] for title in ("The schema", "The tools")]

    recorded = agent.call(
        "record_deployment", metadata=METADATA, vendor_ids=vendors, work_item_ids=items, deployed_at="2025-10-10T12:00:00Z"
    )
    assert recorded["commit_hash"] == METADATA["commit_hash"]
    assert {vendor["name"] for vendor in recorded["affected_vendors"]} == {"vendor_1", "vendor_2"}

    missing = "00000000-0000-4000-8000-000000000000"
    assert agent.refused("record_deployment", metadata={}, vendor_ids=[vendors[0], missing]).kind == "NotFoundError"
    agent.invalid("commit_hash", "record_deployment", metadata={"commit_hash": "84b0473"})
    assert agent.call("list_deployments")["total_count"] == 1, "nothing of what was refused is there"

    agent.call("sync_now")
    elsewhere = other.call("query_deployment", id=recorded["id"])
    assert (elsewhere["metadata"], elsewhere["timestamp"]) == (METADATA, "2025-10-10T12:00:00.000000Z")
    assert {item["title"] for item in elsewhere["related_work_items"]} == {"The schema", "The tools"}
    [recent] = other.call("generate_full_status")["recent_deployments"]
    assert (recent["pr_number"], recent["pr_title"]) == (123, METADATA["pr_title"])
