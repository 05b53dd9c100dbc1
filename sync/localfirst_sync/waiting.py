"""Who waits for whom, kept in an order that says at once of most dependencies that they close no circle.

Every item has a place, and stands before what it waits for. A dependency that goes along with the order closes none; one that
goes against it is followed between the two places alone, and the items there change places (D. J. Pearce and P. H. J. Kelly: A
Dynamic Topological Sort Algorithm for Directed Acyclic Graphs, 2006). So a batch that links thousands of items in a chain takes
as long as it is, not as long as its square.

A circle that stands already has no order: the dependency that closes it is kept aside, and as long as there is one, every
question is answered by following everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

_NONE: dict[str, str] = {}


class Waiting:
    """Dependencies as (id, waiting item, item waited for); two of them may say the same."""

    def __init__(self, dependencies: Iterable[tuple[str, str, str]] = ()) -> None:
        self._waits: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._waited_by: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._place: dict[str, int] = {}
        self._first = self._last = 0
        self._edges: dict[str, tuple[str, str]] = {}
        self._circular: set[str] = set()
        known = list(dependencies)
        self._order(known)
        for dependency, waiting, waited_for in known:
            self.add(dependency, waiting, waited_for)

    def closes_circle(self, waiting: str, waited_for: str) -> bool:
        """Whether the item that is waited for waits, directly or through others, for the one that is to wait for it."""
        if waiting == waited_for:
            return True
        if self._circular:
            return waiting in self._reached(waited_for)
        here, there = self._place.get(waiting), self._place.get(waited_for)
        if here is None or there is None or here < there:
            return False
        return waiting in self._after(waited_for, here)

    def add(self, dependency: str, waiting: str, waited_for: str) -> None:
        """From here on the dependency stands."""
        if self._edges.get(dependency) == (waiting, waited_for):
            return
        self.remove(dependency)
        self._edges[dependency] = waiting, waited_for
        if waiting == waited_for or not self._make_room(waiting, waited_for):
            self._circular.add(dependency)
        else:
            self._waits[waiting][dependency] = waited_for
            self._waited_by[waited_for][dependency] = waiting

    def remove(self, dependency: str) -> None:
        """From here on it does not; it may never have stood."""
        edge = self._edges.pop(dependency, None)
        if edge is None:
            return
        if dependency in self._circular:
            self._circular.discard(dependency)
        else:
            del self._waits[edge[0]][dependency], self._waited_by[edge[1]][dependency]
        for other in sorted(self._circular):  # its circle may be open now
            waiting, waited_for = self._edges.pop(other)
            self._circular.discard(other)
            self.add(other, waiting, waited_for)

    def _order(self, dependencies: list[tuple[str, str, str]]) -> None:
        """Gives the items of many dependencies their places at once, so that adding those moves nothing."""
        targets: defaultdict[str, list[str]] = defaultdict(list)
        for _, waiting, waited_for in dependencies:
            targets[waiting].append(waited_for)
        for start in list(targets):
            trail: list[tuple[str, Iterator[str]]] = []
            item: str | None = start
            entered = {start}
            while item is not None or trail:
                if item is not None:
                    trail.append((item, iter(targets.get(item, ()))))
                item = next((one for one in trail[-1][1] if one not in self._place and one not in entered), None)
                if item is not None:
                    entered.add(item)
                    continue
                done = trail.pop()[0]
                if done not in self._place:
                    self._first -= 1
                    self._place[done] = self._first

    def _make_room(self, waiting: str, waited_for: str) -> bool:
        """Moves items so that the one that waits stands first; False if they would have to stand in a circle."""
        if waited_for not in self._place:
            self._last += 1
            self._place[waited_for] = self._last
        if waiting not in self._place:
            self._first -= 1
            self._place[waiting] = self._first
        here, there = self._place[waiting], self._place[waited_for]
        if here < there:
            return True
        after = self._after(waited_for, here)
        if waiting in after:
            return False
        before = self._before(waiting, there)
        moved = sorted(before, key=self._place.__getitem__) + sorted(after, key=self._place.__getitem__)
        places = sorted(self._place[item] for item in moved)
        self._place.update(zip(moved, places, strict=True))
        return True

    def _after(self, start: str, up_to: int) -> set[str]:
        """What `start` waits for, directly or through others, as far as it stands at or before a place."""
        seen, stack = {start}, [start]
        while stack:
            item = stack.pop()
            for other in self._waits.get(item, _NONE).values():
                if other not in seen and self._place[other] <= up_to:
                    seen.add(other)
                    stack.append(other)
        return seen

    def _before(self, start: str, down_to: int) -> set[str]:
        """What waits for `start`, directly or through others, as far as it stands behind a place."""
        seen, stack = {start}, [start]
        while stack:
            item = stack.pop()
            for other in self._waited_by.get(item, _NONE).values():
                if other not in seen and self._place[other] > down_to:
                    seen.add(other)
                    stack.append(other)
        return seen

    def _reached(self, start: str) -> set[str]:
        """All that `start` waits for, through circles too."""
        aside: defaultdict[str, list[str]] = defaultdict(list)
        for waiting, waited_for in map(self._edges.__getitem__, self._circular):
            aside[waiting].append(waited_for)
        seen, stack = {start}, [start]
        while stack:
            item = stack.pop()
            for other in (*self._waits.get(item, _NONE).values(), *aside.get(item, ())):
                if other not in seen:
                    seen.add(other)
                    stack.append(other)
        return seen
