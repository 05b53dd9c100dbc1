"""The bounds of what both stores and every program that reads them can hold.

The door (`types`, `values`, `metadata`) refuses what is beyond them, PostgreSQL holds them as constraints
(`postgres/*_limits.sql`), and a pull sets aside what a server without those constraints let through. The pull's own measure is
wider in places: it asks what this program can hold, not what it would have written.
"""

from __future__ import annotations

GENERATION = 1
"""Raised when this program can take more than before: what was set aside under a lower number is asked for again."""

VERSION_MAX = 2**53
"""Of any row, line or conflict. One more is still a number everywhere: in PostgreSQL, SQLite, Python and JavaScript."""

VERSION_GIVEN_MAX = 2**31 - 1
"""Of a version that a caller names. A row is raised past it when the change clashes, so it must be far below `VERSION_MAX`."""

DOCUMENT_BYTES_MAX = 8_000_000
"""A JSON document as PostgreSQL writes it. The door's own limit (`values.JSON_BYTES_MAX`, in characters) always fits."""

FIELDS_BYTES_MAX = 2 * DOCUMENT_BYTES_MAX + 4_000_000
"""What one line of the history or one side of a conflict holds: a document as it was and as it is, and the other columns."""

TREE_DEPTH_MAX = 4
"""The depth of the lowest work item: a root has depth 0, so a tree has five levels. `postgres/0001_initial.sql` has it too."""

DOCUMENT_DEPTH_MAX = 64
"""How deep a JSON document is nested at most; at the door as well."""

FIELDS_DEPTH_MAX = DOCUMENT_DEPTH_MAX + 3
"""The fields of a change hold documents three levels down: column, side, document."""

DIGITS_MAX = 1000
"""Of an integer."""

FLOAT_DIGITS_MAX = 308
"""Digits before the point of a number that has digits behind it: what has more is no double."""

NAME_CHARS_MAX = 100
"""Who wrote, in the history and in conflicts."""

ITEM_TYPES = frozenset({"project", "session", "task", "research"})
STATUSES = frozenset({"active", "completed", "blocked"})
DEPENDENCY_TYPES = frozenset({"depends_on", "blocks"})
PRIORITIES = frozenset({"high", "medium", "low"})
ENHANCEMENT_STATUSES = frozenset({"planned", "approved", "implementing", "completed"})
CONTEXT_TYPES = frozenset({"feature", "maintenance", "research"})
OUTCOMES = frozenset({"accepted", "merged", "lost"})
RESOLUTIONS = frozenset({"mine", "theirs", "merge"})

CHOICES: dict[tuple[str, str], frozenset[str]] = {
    ("work_items", "item_type"): ITEM_TYPES,
    ("work_items", "status"): STATUSES,
    ("work_item_dependencies", "dependency_type"): DEPENDENCY_TYPES,
    ("future_enhancements", "priority"): PRIORITIES,
    ("future_enhancements", "status"): ENHANCEMENT_STATUSES,
    ("project_configuration", "active_context_type"): CONTEXT_TYPES,
}
"""The columns that hold one of a few words, by table and name."""

NULLABLE: dict[str, frozenset[str]] = {
    "work_items": frozenset({"parent_id", "branch_name", "commit_hash", "pr_number", "claimed_by", "archived_at"}),
    "work_item_claims": frozenset({"claimed_by", "claimed_until"}),
    "future_enhancements": frozenset({"description", "target_quarter", "requires_constitutional_principles"}),
    "project_configuration": frozenset({"current_session_id", "git_branch", "git_head_commit"}),
}
"""The columns that may be empty, beside those of who and when that all tables have."""

NULLABLE_ANYWHERE = frozenset({"created_by", "updated_by", "deleted_at"})
