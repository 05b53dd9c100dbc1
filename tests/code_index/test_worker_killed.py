"""A small share of `kill_worker.py`: everything is killed a few times, and nothing of the index is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from code_index import kill_worker
from code_index.workers import repository


@pytest.mark.parametrize("seed", [7])
def test_a_job_survives_the_kill_of_everything_and_ends_with_the_same_index(tmp_path: Path, seed: int) -> None:
    root = repository(tmp_path / "code", files=800)
    outcome = kill_worker.trial(tmp_path, root, kills=3, seed=seed)
    assert outcome.kills == 3
    assert outcome.files == 800
    assert outcome.differences == []
    assert outcome.slowest_resume_s < kill_worker.RESUME_LIMIT_S
    assert outcome.twice_by_a_kill <= 40, "what was on its way through the pool, and no more"
