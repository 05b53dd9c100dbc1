"""Files a work item for each TODO of a source tree; run again it files only what is new.

python examples/file_todos.py src/
"""

import re
import sys
import uuid
from pathlib import Path

import localfirst

TODO = re.compile(r"\bTODO:?\s+(.{1,200})")
SPACE = uuid.UUID("5b0b6f0e-6f5c-4f35-8a52-6d1f0f6f2d11")


def main(folder: Path) -> None:
    with localfirst.open() as project:
        for path in sorted(folder.rglob("*.py")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                if (found := TODO.search(line)) is None:
                    continue
                title = found[1].strip()
                made = project.call(
                    "create_work_item",
                    id=str(uuid.uuid5(SPACE, f"{path}:{title}")),  # the same TODO is the same item
                    item_type="task",
                    title=title,
                    metadata={"file": str(path)},
                )
                print(made["ref"], title)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
