"""What clashes in a comment or a link is reported as a conflict of the thing that it belongs to, and found by its name."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

from localfirst.client.session import Session
from localfirst.settings import load
from reading.world import call

_INSERT = """
    INSERT INTO conflicts (id, entity, entity_id, fields, base, mine, theirs, base_version, my_version, reason, act_id,
        replica_id, created_at)
    VALUES (?, ?, ?, ?, '{}', ?, '{}', 0, 1, 'act', ?, ?, '2026-01-02T03:04:05.000006Z')
"""


def test_conflicts_of_links_and_comments_have_the_names_that_can_be_asked_for(tmp_path: Path) -> None:
    session = Session(load(tmp_path, {"LOCALFIRST_REPLICA": str(tmp_path / "replica.db")}))
    item = call(session, "create_work_item", item_type="task", title="A task")["id"]
    vendor = call(session, "create_vendor", name="Alder")["id"]
    deployment = call(session, "record_deployment", metadata={}, vendor_ids=[vendor])["id"]
    link = str(session.replica.execute("SELECT id FROM vendor_deployment_links").get)
    clashes = {
        "vendor_deployment_link": (link, {}),  # the row itself says of which deployment it is
        "work_item_deployment_link": (str(uuid4()), {"deployment_id": deployment, "work_item_id": item}),
        "work_item_comment": (str(uuid4()), {"work_item_id": item, "body": "Well."}),
        "work_item": (item, {"title": "Another"}),
    }
    for entity, (row_id, mine) in clashes.items():
        values = (str(uuid4()), entity, row_id, json.dumps(list(mine)), json.dumps(mine), str(uuid4()), str(uuid4()))
        session.replica.execute(_INSERT, values)
    found = call(session, "list_conflicts")["conflicts"]
    assert {one["part"] or one["entity"]: (one["entity"], one["id"], one["part_id"]) for one in found} == {
        "vendor_deployment_link": ("deployment", deployment, link),
        "work_item_deployment_link": ("deployment", deployment, clashes["work_item_deployment_link"][0]),
        "work_item_comment": ("work_item", item, clashes["work_item_comment"][0]),
        "work_item": ("work_item", item, None),
    }
    for entity, count in (("deployment", 2), ("work_item", 2), ("vendor", 0)):
        asked = call(session, "list_conflicts", entity=entity)
        assert (len(asked["conflicts"]), asked["total_count"]) == (count, count)
    session.close()
