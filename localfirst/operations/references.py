"""What a row that comes to life refers to has to be there and alive."""

from __future__ import annotations

from localfirst_schema.entities import ENTITY, WORK_ITEM_DEPENDENCY, Entity
from localfirst_schema.wire import Row
from localfirst_sync.structure import OF_THE_PAST

from localfirst.replica.act import Act
from localfirst.replica.rows import find
from localfirst.replica.structure import require_alive, require_no_circle


def require_references(act: Act, entity: Entity, row: Row) -> None:
    """Raises NotFoundError, InvalidStateError or CycleError. A deployment's links may be about what is deleted by now."""
    for column, name in entity.references.items():
        found, what = find(act.connection, ENTITY[name], row[column]), name.replace("_", " ")
        if found is None or entity not in OF_THE_PAST:
            require_alive(found, what, row[column])
    if entity is WORK_ITEM_DEPENDENCY:
        require_no_circle(act.connection, row["work_item_id"], row["depends_on_id"], row["dependency_type"])
