"""Lines of the older and the hand-kept shape, for mixing into texts."""

from __future__ import annotations

MORE_HOSTILE = [
    "PRODUCTION CAPABILITIES", "FUTURE ENHANCEMENTS", "=====", "-----", "LATEST DEPLOYMENT: x (2025-10-04)", "# OLD NOTES",
    "### P1", "**P0**", "1. [P2] x", "- [x] y (P1, Q2 2026)", "| Vendor | Status |", "|---|---|", "| a | ✅ |", "  (1/2 tests)",
    "  [none]", "### A ✅", "**Status**: broken", "- **Tests**: 1/2 (3 skipped)", "### T (task)", "- **Parent**: T",
    "**PR**: #7", "- 2025-10-01: PR #7", "**Commit**: `2080f2a`", "- **Target**: Q1 2026", "## Work Items",
]  # fmt: skip
