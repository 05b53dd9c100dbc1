"""The parts of a job's work in their order, and how far a job is."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Users see these words. A job is in the earliest one that is not finished."""

    SCANNING = "Scanning"
    CHUNKING = "Chunking"
    EMBEDDING = "Embedding"
    WRITING = "Writing"
    COMPLETE = "Complete"


BEGINS_AT = {
    Phase.SCANNING: 0.0,
    Phase.CHUNKING: 2.0,
    Phase.EMBEDDING: 50.0,
    Phase.WRITING: 97.0,
    Phase.COMPLETE: 100.0,
}
"""Per cent of the work that lies before each phase, by the time that they take for a large repository."""

_PHASES = tuple(Phase)


def percentage(phase: Phase, done: int, total: int | None) -> float:
    """Per cent of the whole work when so much of a phase is done; a phase of unknown size counts when it is over."""
    begin = BEGINS_AT[phase]
    if phase is Phase.COMPLETE:
        return begin
    end = BEGINS_AT[_PHASES[_PHASES.index(phase) + 1]]
    share = min(1.0, done / total) if total else 0.0
    return round(begin + share * (end - begin), 2)
