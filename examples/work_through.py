"""A bot that takes what is ready, one item after another, and completes it.

python examples/work_through.py
"""

from typing import Any

import localfirst

NAME = "bot"


def work_on(item: dict[str, Any]) -> str:
    """Here goes what the bot can do; it says what it did."""
    return f"Read “{item['title']}” and found nothing left to do."


def main() -> None:
    with localfirst.open(client=NAME) as project:
        while ready := project.call("ready_work_items", limit=1)["items"]:
            item = ready[0]
            try:
                project.call("claim_work_item", id=item["ref"], claimed_by=NAME)
            except localfirst.InvalidStateError:
                continue  # somebody else was quicker
            done = project.call("complete_work_item", id=item["ref"], comment=work_on(item))
            freed = ", ".join(row["title"] for row in done["unblocked"])
            print(f"{item['ref']} {item['title']}" + (f" (now ready: {freed})" if freed else ""))


if __name__ == "__main__":
    main()
