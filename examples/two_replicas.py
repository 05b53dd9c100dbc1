"""Two laptops in one process: both change one item while apart, and meet.

LOCALFIRST_DATABASE_URL=postgresql://… python examples/two_replicas.py
"""

import os
import tempfile
from pathlib import Path

import localfirst


def laptop(folder: Path, name: str) -> localfirst.Project:
    settings = {"LOCALFIRST_REPLICA": str(folder / f"{name}.sqlite3"), "LOCALFIRST_PROJECT": "examples/two-replicas"}
    return localfirst.open(
        folder, client=name, environment=settings | {"LOCALFIRST_DATABASE_URL": os.environ["LOCALFIRST_DATABASE_URL"]}
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as place, laptop(Path(place), "ann") as ann, laptop(Path(place), "bob") as bob:
        made = ann.call("create_work_item", item_type="task", title="Write it down", metadata={"priority": "low"})
        ann.call("sync_now")
        bob.call("sync_now")
        # Both go on from version 1, each with a field of its own: that is a merge, and no conflict.
        ann.call("update_work_item", id=made["ref"], version=1, title="Write it down twice")
        bob.call("update_work_item", id=made["ref"], version=1, metadata={"priority": "high"})
        for project in (ann, bob, ann):
            project.call("sync_now")
        for name, project in (("ann", ann), ("bob", bob)):
            item = project.call("query_work_item", id=made["ref"])
            print(name, item["version"], item["title"], item["metadata"]["priority"])


if __name__ == "__main__":
    main()
