"""Status documents as stores may hold them, made from a seed: cheap enough for tens of thousands."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, TypeVar
from unicodedata import normalize

from markdown.markdown_documents import HOSTILE

from fuzz.hostile_lines import MORE_HOSTILE
from localfirst.markdown.document import Deployment, Enhancement, Session, StatusDocument, Vendor, WorkItem

T = TypeVar("T")

_CHARACTERS = string.printable.replace("\x0b", "") + "éßøñ✓✗✅🚧\u0301\u200f\u202e\u00a0\u2028\ufeff中Ж"
_WORDS = ("Amber", "Vale", "layout", "portal", "OCR", "the", "rebuild", "of", "2025", "v2", "x")


class StoreMaker:
    """Makes documents, one after the other."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def document(self) -> StatusDocument:
        """A store with up to four entries of each kind."""
        return StatusDocument(
            vendors=self._some_vendors(),
            deployments=self._some(self._deployment),
            enhancements=self._some(self._enhancement),
            sessions=self._some(self._session),
            work_items=self._some(self._work_item),
        )

    def _some(self, make: Callable[[], T]) -> tuple[T, ...]:
        return tuple(make() for _ in range(self._random.randint(0, 4)))

    def _some_vendors(self) -> tuple[Vendor, ...]:
        """Names are unique in a store, after normalisation."""
        return tuple({normalize("NFC", vendor.name): vendor for vendor in self._some(self._vendor)}.values())

    def _maybe(self, make: Callable[[], T], chance: float = 0.6) -> T | None:
        return make() if self._random.random() < chance else None

    def _one(self, *values: T) -> T:
        return self._random.choice(values)

    def text(self) -> str:
        """Anything: empty, a word, lines, hostile pieces glued together."""
        pick = self._random.random()
        if pick < 0.05:
            return ""
        if pick < 0.35:
            return " ".join(self._random.choices(_WORDS, k=self._random.randint(1, 4)))
        if pick < 0.5:
            return "".join(self._random.choices(_CHARACTERS, k=self._random.randint(1, 30)))
        pieces = [
            self._random.choice(HOSTILE if self._random.random() < 0.6 else MORE_HOSTILE)
            if self._random.random() < 0.7
            else self._random.choice(_WORDS)
            for _ in range(self._random.randint(1, 6))
        ]
        return self._one("", " ", "\n", "\n\n").join(pieces)

    def name(self) -> str:
        """A text that is not empty."""
        return self.text() or "x"

    def number(self) -> int:
        """A count."""
        return self._one(0, 1, self._random.randrange(500), self._random.randrange(2**62))

    def value(self, depth: int = 0) -> Any:
        """Any JSON."""
        match self._random.randrange(8 if depth < 3 else 6):
            case 0:
                return self._one(None, True, False)
            case 1:
                return self._random.randint(-(2**63), 2**63 - 1)
            case 2:
                return self._one(0.0, -1.5, 1e300, self._random.random())
            case 6:
                return [self.value(depth + 1) for _ in range(self._random.randint(0, 3))]
            case 7:
                return self.object(depth + 1)
            case _:
                return self.text()

    def object(self, depth: int = 0) -> dict[str, Any]:
        """A JSON object."""
        return {self.text(): self.value(depth) for _ in range(self._random.randint(0, 3))}

    def _record(self) -> dict[str, Any]:
        return self._maybe(self.object, 0.3) or {}

    def _day(self) -> date:
        return date(1, 1, 1) + timedelta(days=self._random.randrange(3_600_000))

    def _commit(self) -> str:
        return self._one("2080f2a", "".join(self._random.choices("0123456789abcdef", k=40)), self.text())

    def _vendor(self) -> Vendor:
        results = {"passing": self.number(), "total": self.number()}
        formats = {name: self._random.random() < 0.5 for name in ("excel", "csv", "pdf", "ocr")}
        return Vendor(
            name=self.name(),
            operational=self._one(True, False, None),
            status_text=self._maybe(lambda: self._one("planned", "deprecated", self.text()), 0.3),
            test_results=self._maybe(lambda: self._one(results, results | {"skipped": self.number()}, {self.name(): 1})),
            format_support=self._maybe(lambda: self._one(formats, formats, {self.name(): True})),
            extractor_version=self._maybe(lambda: self._one("1.2.3", "0", self.text())),
            metadata=self._record(),
            record=self._record(),
        )

    def _deployment(self) -> Deployment:
        return Deployment(
            deployed_on=self._maybe(self._day, 0.8),
            deployed_at=self._maybe(lambda: self._one("2025-10-01T12:30:00Z", "2025-10-01 16:00:00 UTC", self.text()), 0.3),
            date_text=self._maybe(self.text, 0.2),
            pr_number=self._maybe(self.number, 0.8),
            pr_title=self._maybe(self.name),
            commit_hash=self._maybe(self._commit),
            work_item_refs=self._some(self.name),
            vendor_names=self._some(self.name),
            tests=self._maybe(lambda: {self._one("passed", "failed", "unit", self.name()): self.number() for _ in range(3)}),
            constitutional_compliance=self._one(True, False, None),
            metadata=self._record(),
            record=self._record(),
        )

    def _enhancement(self) -> Enhancement:
        return Enhancement(
            title=self.name(),
            priority=self._maybe(lambda: self._one("high", "medium", "low", "P0", "P3", "2", self.text()), 0.8),
            target_quarter=self._maybe(lambda: self._one("Q1 2026", "Q4 2027", self.text())),
            status=self._maybe(lambda: self._one("planned", "approved", "completed", self.text()), 0.4),
            description=self._maybe(self.text, 0.4),
            requires_constitutional_principles=self._one(True, False, None, None),
            record=self._record(),
        )

    def _session(self) -> Session:
        said = {"session_id": self.name(), "token_budget": self.number()}
        is_malformed = self._random.random() < 0.15
        return Session(
            date=self._maybe(self._day, 0.8),
            date_text=self._maybe(self.text, 0.2),
            front_matter=None if is_malformed else self._maybe(lambda: self._one(said, self.object(), said | self.object())),
            malformed_text=self._one("session_id: [x", self.text()) if is_malformed else None,
            prompt=self._maybe(lambda: self._one(self.text(), "\n".join(self.text() for _ in range(4))), 0.9),
            record=self._record(),
        )

    def _work_item(self) -> WorkItem:
        return WorkItem(
            title=self.name(),
            item_type=self._one("project", "session", "task", "research", self.text()),
            status=self._one("active", "completed", "blocked", self.text()),
            id=self._maybe(self.name),
            parent_id=self._maybe(self.name, 0.3),
            parent_title=self._maybe(self.name, 0.2),
            version=self._maybe(self.number),
            branch_name=self._maybe(self.text, 0.3),
            commit_hash=self._maybe(self._commit, 0.3),
            pr_number=self._maybe(self.number, 0.3),
            metadata=self._record(),
            record=self._record(),
        )
