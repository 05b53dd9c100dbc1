"""The states of a job, and the only ways between them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class JobState(StrEnum):
    """Users see these words."""

    PENDING = "pending"
    RUNNING = "running"
    BLOCKED = "blocked"
    """Waits for the embedding service, or for space on the disk; goes on by itself."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.PENDING: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.FAILED}),
    JobState.RUNNING: frozenset({JobState.BLOCKED, JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}),
    JobState.BLOCKED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.CANCELLED}),
    JobState.COMPLETED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}

FINAL = frozenset(state for state, following in TRANSITIONS.items() if not following)

IS_ACTIVE = "status IN ('pending', 'running', 'blocked')"
"""The jobs that are not final, as the partial index of `index_jobs` has it."""
