"""Vendor query: an agent asks whether a vendor's extractor works, among 45 of them, and reads all that is known of it."""

from __future__ import annotations

from scenarios.conftest import Join, NewLaptop

FORMATS = {"excel": True, "csv": True, "pdf": False, "ocr": False}


def test_vendor_query(new_laptop: NewLaptop, join: Join) -> None:
    agent = join(new_laptop())
    for number in range(1, 46):
        tests = {"passing": number, "total": number + 2, "skipped": 2}
        agent.call(
            "create_vendor", name=f"vendor_{number}", operational=number % 9 != 0,
            metadata={"format_support": FORMATS, "test_results": tests, "extractor_version": f"1.{number}.0"},
        )  # fmt: skip

    vendor = agent.call("query_vendor_status", name="vendor_18")
    assert (vendor["status"], vendor["operational"], vendor["version"]) == ("broken", False, 1)
    assert vendor["metadata"]["test_results"] == {"passing": 18, "total": 20, "skipped": 2}
    assert vendor["metadata"]["format_support"] == FORMATS
    assert vendor["metadata"]["extractor_version"] == "1.18.0"
    assert (vendor["created_by"], vendor["warnings"]) == ("tester", [])

    assert agent.call("list_vendors", limit=100)["total_count"] == 45
    broken = agent.call("list_vendors", status="broken")
    assert {one["name"] for one in broken["items"]} == {f"vendor_{number}" for number in (9, 18, 27, 36, 45)}
    health = agent.call("generate_full_status")["vendor_health"]
    assert (health["operational_count"], health["broken_count"], health["operational_percentage"]) == (40, 5, 88.89)
    refusal = agent.refused("query_vendor_status", name="vendor_46")
    assert (refusal.kind, refusal.details["name"]) == ("NotFoundError", "vendor_46")
