"""Phase Writing: what makes searches faster and the file smaller, a few milliseconds at a time, and the end of the run."""

from __future__ import annotations

import apsw

from localfirst.code_index.pipeline.plan import Plan
from localfirst.code_index.pipeline.report import Report
from localfirst.code_index.store import full_text, models, repositories, vectors
from localfirst.code_index.store.model import Model
from localfirst.code_index.store.transaction import prepare, writing

MOVED_AT_ONCE = 64
DROPPED_AT_ONCE = 1000


def finish(connection: apsw.Connection, plan: Plan, report: Report) -> bool:
    """Merges full text, packs vectors, lets a complete new model take over, and notes the end; False if it was stopped."""
    prepare(connection)
    steps = (_merge, _swap, _drop, _pack)
    for step in steps:
        while not report.should_stop():
            with writing(connection):
                has_more = step(connection)
            if not has_more:
                break
        else:
            return False
    with writing(connection):
        repositories.note_indexed(connection, plan.repository_id)
    return True


def _merge(connection: apsw.Connection) -> bool:
    return full_text.merge(connection)


def _swap(connection: apsw.Connection) -> bool:
    coming = [model for model in models.kept(connection) if model.active == models.COMING]
    for model in coming:
        if models.is_complete(connection, model):
            models.activate(connection, model)
    return False


def _drop(connection: apsw.Connection) -> bool:
    model = models.retired(connection)
    return model is not None and (models.drop(connection, model, DROPPED_AT_ONCE) or models.retired(connection) is not None)


def _pack(connection: apsw.Connection) -> bool:
    return any(_pack_one(connection, model) for model in models.kept(connection))


def _pack_one(connection: apsw.Connection, model: Model) -> bool:
    return vectors.pack(connection, model, MOVED_AT_ONCE)
