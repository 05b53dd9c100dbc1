"""What the daemon tells a monitor, in the form of Prometheus: of itself, and of the projects as PostgreSQL has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psycopg
from localfirst_schema.errors import UnavailableError
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from localfirst_sync.daemon.pool import Lent
from localfirst_sync.postgres.failure import unavailable

MEDIA_TYPE = CONTENT_TYPE_LATEST

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

PROJECTS_MAX = 1_000

_PROJECTS = f"""
SELECT p.project_id::text, p.head,
    (SELECT pg_catalog.count(*) FROM localfirst.conflicts AS c WHERE c.project_id = p.project_id AND c.resolved_at IS NULL),
    (SELECT pg_catalog.count(*) FROM localfirst.replicas AS r WHERE r.project_id = p.project_id),
    (SELECT pg_catalog.count(*) FROM localfirst.push_receipts AS r WHERE r.project_id = p.project_id),
    coalesce(pg_catalog.date_part('epoch', pg_catalog.now()
        - (SELECT pg_catalog.max(r.last_push_at) FROM localfirst.replicas AS r WHERE r.project_id = p.project_id)), 0)
FROM localfirst.project_heads AS p ORDER BY p.project_id LIMIT {PROJECTS_MAX}
"""


class Own(NamedTuple):
    """What the daemon knows of itself at this moment."""

    streams: int
    waiting: int
    connections: int
    stream_connections: int


class ProjectFigures(NamedTuple):
    """One project, as PostgreSQL has it."""

    project_id: str
    head: int
    open_conflicts: int
    replicas: int
    receipts: int
    seconds_since_push: float


class Metrics:
    """The figures of one daemon."""

    def __init__(self, own: Callable[[], Own]) -> None:
        self.registry = CollectorRegistry()
        self._projects: list[ProjectFigures] = []
        self.requests = Counter(
            "localfirst_requests", "Requests, by endpoint and status.", ["endpoint", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "localfirst_request_seconds", "How long answers took.", ["endpoint"], buckets=_BUCKETS, registry=self.registry
        )
        self.registry.register(_Present(own, lambda: self._projects))

    def text(self, projects: list[ProjectFigures]) -> bytes:
        """All of it."""
        self._projects = projects
        return generate_latest(self.registry)


def projects(lent: Lent) -> list[ProjectFigures]:
    """The figures of all projects. Raises `UnavailableError`."""
    try:
        found: list[Any] = lent.connection.execute(_PROJECTS.encode()).fetchall()
    except psycopg.Error as error:
        raise unavailable(error) from None
    return [ProjectFigures(*row) for row in found]


class _Present(Collector):
    def __init__(self, own: Callable[[], Own], of_projects: Callable[[], list[ProjectFigures]]) -> None:
        self._own, self._of_projects = own, of_projects

    def collect(self) -> Iterator[Metric]:
        own = self._own()
        yield GaugeMetricFamily("localfirst_event_streams", "Laptops that wait for news.", own.streams)
        yield GaugeMetricFamily("localfirst_requests_waiting", "Requests at work, or waiting for a thread.", own.waiting)
        connections = GaugeMetricFamily("localfirst_connections_in_use", "Connections to PostgreSQL at work.", labels=["pool"])
        connections.add_metric(["questions"], own.connections)
        connections.add_metric(["streams"], own.stream_connections)
        yield connections
        yield from _of(self._of_projects())


def _of(found: list[ProjectFigures]) -> Iterator[Metric]:
    words = {
        "head": "The number of the last change.",
        "open_conflicts": "Conflicts that nobody has settled.",
        "replicas": "Replicas that have ever pushed.",
        "receipts": "Answers to pushes that their replicas have not acknowledged.",
        "seconds_since_push": "How long ago the last push was.",
    }
    for name, help_text in words.items():
        family = GaugeMetricFamily(f"localfirst_project_{name}", help_text, labels=["project"])
        for one in found:
            family.add_metric([one.project_id], getattr(one, name))
        yield family


def projects_or_none(ask: Callable[[Callable[[Lent], list[ProjectFigures]]], list[ProjectFigures]]) -> list[ProjectFigures]:
    """The same, and nothing while PostgreSQL is away: the daemon's own figures are asked for most then."""
    try:
        return ask(projects)
    except UnavailableError:
        return []
