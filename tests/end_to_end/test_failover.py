"""The primary dies while everybody writes, its standby is promoted, and the old one comes back for a while."""

from __future__ import annotations

from pathlib import Path

from standby import pair

from end_to_end.failover import one_round


def test_nothing_that_a_laptop_has_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    with pair() as servers:
        one_round(servers, tmp_path, seed=1)
