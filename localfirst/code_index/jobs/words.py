"""What people read of a job: its phase in a sentence, its files that could not be read, how long it will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from localfirst_schema import timestamps

from localfirst.code_index.file_name import displayed
from localfirst.code_index.jobs.job import Job
from localfirst.code_index.jobs.phase import Phase
from localfirst.code_index.jobs.states import FINAL, JobState
from localfirst.code_index.skipped import TROUBLES, Skipped

FILES_NAMED = 5


def progress(job: Job) -> str:
    """Where the job stands, with its phase first."""
    match job.status:
        case JobState.COMPLETED:
            return f"{Phase.COMPLETE}: {done(job)}"
        case JobState.PENDING:
            return f"{job.phase}: waits for its turn"
        case JobState.BLOCKED:
            return f"{job.phase}: waits, since {job.blocked_reason}"
        case JobState.FAILED:
            return f"{job.phase}: failed; {done(job)}"
        case JobState.CANCELLED:
            return f"{job.phase}: cancelled; {done(job)}"
    return f"{job.phase}: {_count(job)}"


def _count(job: Job) -> str:
    match job.phase:
        case Phase.CHUNKING:
            return f"{job.files_done} of {job.files_total or 0} files"
        case Phase.EMBEDDING:
            return f"{job.chunks_embedded} of {job.chunks_to_embed or 0} pieces of code"
        case Phase.WRITING:
            return "puts the index in order"
    return "looks for what has changed"


def done(job: Job) -> str:
    """What the job has done, in numbers."""
    parts = [f"{job.files_indexed} {'file' if job.files_indexed == 1 else 'files'} indexed"]
    for number, what in (
        (job.files_unchanged, "unchanged"),
        (job.files_deleted, "removed"),
        (job.files_skipped, "skipped"),
    ):
        if number:
            parts.append(f"{number} {what}")
    return ", ".join(parts)


def problems(troubled: Sequence[Skipped], by_rule: Mapping[str, int]) -> list[str]:
    """The first files that could not be read, and how many there are besides."""
    reported = [
        f"skipped {displayed(one.path)}: {one.rule.value}{f' ({one.detail})' if one.detail else ''}" for one in troubled
    ]
    rest = sum(by_rule.get(rule, 0) for rule in TROUBLES) - len(troubled)
    return [*reported, f"{rest} more files were skipped because they could not be read"] if rest > 0 else reported


def seconds_left(job: Job) -> float | None:
    """Seconds to the end as far as that can be known; None for a job that waits for something, 0 for one that is over."""
    if job.status in FINAL:
        return 0.0
    if job.status is JobState.BLOCKED:
        return None
    if job.seconds_left is None or job.renewed_at is None:
        return job.estimated_seconds
    passed = (datetime.now(UTC) - timestamps.parse(job.renewed_at)).total_seconds()
    return round(max(0.0, job.seconds_left - max(0.0, passed)), 1)
