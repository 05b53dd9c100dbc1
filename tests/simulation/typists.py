"""People with psql: what they type into a server, chosen by the dice."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from random import Random
from typing import Any

from localfirst_schema.entities import ENTITIES, ENTITY, VENDOR, WORK_ITEM, WORK_ITEM_CLAIM
from localfirst_schema.identifiers import natural_id, project_id

from simulation import settlers, workload
from simulation.direct_sql import Psql
from simulation.machine import PROJECT
from simulation.tables import Tables


def direct_writes(dice: Random, tables: Tables, number: int) -> Callable[[Psql], None]:
    """A transaction of one to three statements, of every kind."""

    def some(name: str) -> str | None:
        return dice.choice(sorted(tables.rows[name])) if tables.rows[name] else None

    def write(sql: Psql) -> None:
        for _ in range(dice.choice((1, 1, 2, 3))):
            what, item = dice.randrange(10), some(WORK_ITEM.name)
            if what == 0:
                given: dict[str, Any] = {"parent_id": item if dice.random() < 0.5 else None}
                known = dice.choice((*settlers.NOWHERE, *workload.POOL))
                if dice.random() < 0.1 and known not in sql.rows(WORK_ITEM.name):
                    given["id"] = known
                sql.insert(WORK_ITEM, item_type="task", title=f"psql {number}", status="active", metadata={}, **given)
            elif what == 1:
                name = unicodedata.normalize(dice.choice(("NFC", "NFD")), dice.choice(workload.NAMES))
                if natural_id(project_id(PROJECT), VENDOR.name, name) not in sql.rows(VENDOR.name):
                    sql.insert(VENDOR, name=name, operational=True, metadata={})
            elif what == 2 and (vendor := some(VENDOR.name)):
                row = sql.rows(VENDOR.name)[vendor]
                if row["deleted_at"] is None and dice.random() < 0.5:
                    sql.delete(VENDOR, vendor)
                else:
                    sql.update(VENDOR, vendor, operational=not row["operational"], deleted_at=None)
            elif what == 3 and item:
                sql.delete(WORK_ITEM, item)
            elif what == 4 and item:
                sql.update(WORK_ITEM, item, parent_id=dice.choice((None, some(WORK_ITEM.name))))
            elif what == 5 and item:
                sql.update(WORK_ITEM, item, metadata={"note": f"psql {number}", "plan": {"who": "psql"}})
            elif what == 6:
                configuration = some("configuration")
                assert configuration is not None
                sql.update(ENTITY["configuration"], configuration, git_branch=f"psql-{number}")
            elif what == 7:
                entity = dice.choice(ENTITIES[1:9])
                if row_id := some(entity.name):
                    sql.delete(entity, row_id)
            elif item:
                values = {"title": f"psql {number}", "status": dice.choice(workload.STATUSES)}
                name = dice.choice((*sorted(values), "claim"))
                claim = some(WORK_ITEM_CLAIM.name)
                if name != "claim":
                    sql.update(WORK_ITEM, item, **{name: values[name]})
                elif claim is not None:
                    by, until = dice.choice(((None, None), ("psql", "2099-01-01T00:00:00.000000Z")))
                    sql.update(WORK_ITEM_CLAIM, claim, claimed_by=by, claimed_until=until)

    return write


TIMES = ("2020-01-02T03:04:05.000000Z", "2026-05-28T20:26:40.120000Z", "2031-01-01T00:00:00.000001Z")
"""Long ago, at about the beginning of a run, and not yet."""


def corrected_times(dice: Random) -> Callable[[Psql], None]:
    """A transaction that says of one or two work items that they were deleted, or archived, at another moment."""

    def write(sql: Psql) -> None:
        for _ in range(dice.choice((1, 1, 2))):
            rows = sql.rows(WORK_ITEM.name)
            deleted = sorted(row_id for row_id, row in rows.items() if row["deleted_at"] is not None)
            if deleted and dice.random() < 0.6:
                sql.update(WORK_ITEM, dice.choice(deleted), deleted_at=dice.choice(TIMES))
            elif rows:
                sql.update(WORK_ITEM, dice.choice(sorted(rows)), archived_at=dice.choice((*TIMES, None)))

    return write
