"""What the benchmarks share: medians with their spread, and a table that people can read."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """A measured quantity: its median, the quartiles as its spread, the 95th percentile, all in one unit."""

    median: float
    low: float
    high: float
    p95: float

    def __str__(self) -> str:
        """Median (first quartile … third quartile; p95)."""
        return f"{self.median:,.3f} ({self.low:,.3f} … {self.high:,.3f}; p95 {self.p95:,.3f})"


def figure(samples: Sequence[float], scale: float = 1.0) -> Figure:
    """The figure of samples, each multiplied by `scale`."""
    ordered = sorted(sample * scale for sample in samples)
    quarter = len(ordered) // 4
    return Figure(statistics.median(ordered), ordered[quarter], ordered[-quarter - 1], ordered[int(len(ordered) * 0.95)])


def timed(action: Callable[[], Any]) -> float:
    """Seconds that one call takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def interleaved(actions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each action, all of them in turn in every round, so that a busy machine is unfair to all alike."""
    samples: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            samples[name].append(timed(action))
    return samples


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [f"\n{title}\n", f"| {' | '.join(headings)} |", f"|{' --- |' * len(headings)}"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def as_json(results: dict[str, Any]) -> str:
    """Results for programs."""
    return json.dumps({k: v._asdict() if isinstance(v, Figure) else v for k, v in results.items()})
