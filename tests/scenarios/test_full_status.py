"""Full status: the whole project in one answer, as data and as the text of the status file, which says the same."""

from __future__ import annotations

from localfirst.markdown.parse import parse
from scenarios.conftest import Join, NewLaptop


def test_full_status(new_laptop: NewLaptop, join: Join) -> None:
    agent = join(new_laptop())
    vendors = [
        agent.call("create_vendor", name=f"vendor_{n}", operational=n != 3, metadata={"extractor_version": "1.0.0"})["id"]
        for n in range(1, 5)
    ]
    project = agent.create("The portal", "project")
    for number, (state, priority) in enumerate((("active", "high"), ("blocked", "low"), ("completed", "high"))):
        agent.create(f"Task {number}", parent_id=project["id"], status=state, metadata={"priority": priority})
    agent.create("A morning", "session", metadata={"prompt": "Begin.\n\n## Not a heading of the file\n---\n"})
    agent.create("Of long ago", created_at="2020-01-01T00:00:00Z", status="completed")
    agent.call("trigger_archiving")
    for number in range(12):
        agent.call(
            "record_deployment", vendor_ids=vendors[:1], deployed_at=f"2025-10-{number + 1:02d}",
            metadata={"pr_number": number + 1, "pr_title": f"Change {number + 1}", "commit_hash": f"{number:040x}"},
        )  # fmt: skip
    agent.call("create_enhancement", title="Faster", priority="high", target_quarter="Q1 2026")
    agent.call("create_enhancement", title="Done", status="completed")

    status = agent.call("generate_full_status", output_format="markdown")
    health = status["vendor_health"]
    assert (health["total_vendors"], health["operational_count"], health["operational_percentage"]) == (4, 3, 75.0)
    items = status["active_work_items"]
    assert (items["total_count"], items["archived_count"]) == (5, 1)
    assert (items["by_type"]["task"], items["by_status"]["blocked"], items["by_priority"]["high"]) == (3, 1, 2)
    assert [one["pr_number"] for one in status["recent_deployments"]] == list(range(12, 2, -1)), "the last ten, newest first"
    assert [one["title"] for one in status["pending_enhancements"]] == ["Faster"]

    read = parse(status["markdown"])
    assert {(vendor.name, vendor.operational) for vendor in read.vendors} == {(f"vendor_{n}", n != 3) for n in range(1, 5)}
    assert [deployment.pr_number for deployment in read.deployments] == list(range(1, 13))
    assert {enhancement.title for enhancement in read.enhancements} == {"Faster", "Done"}
    [session] = read.sessions
    assert session.prompt is not None
    assert "## Not a heading of the file" in session.prompt
    assert {item.title for item in read.work_items} == {"The portal", "Task 0", "Task 1", "Task 2"}
