"""The results of every tool: the models name the fields of the output schemas. Results themselves are plain dictionaries.

Rows of lists and answers of writes are lean: of what a model has, they leave out what is empty (`localfirst.operations.lean`).

One file, since it is read beside the tool contract: all names that a client relies on, on one page.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from localfirst_schema.types import JobStatus

DataSource = Literal["postgresql", "sqlite_cache", "git_history", "markdown_file"]
Warning_ = Literal[
    "database_unavailable",
    "using_fallback_cache",
    "using_git_history_fallback",
    "using_markdown_fallback",
    "stale_cache",
    "pending_local_changes",
    "conflict_pending",
    "follow_up_failed",
    "claimed_by_other",
    "remote_changed",
    "untrusted_settings",
    "read_only",
    "set_aside",
]


class Result(BaseModel):
    """What every result has; `project` and `root` in the first answer of a server's life, and `announcement`, if there is
    something to say."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    success: Literal[True]
    warnings: list[Warning_]
    announcement: str | None = None


class Read(Result):
    """What every result of a read has; `cache_age_minutes` on replica reads with a configured server."""

    data_source: DataSource
    cache_age_minutes: float | None = None


class Written(Result):
    """What every result of a write has."""

    wrote_to_cache: bool
    wrote_to_markdown: bool
    pending_sync: bool
    partial: bool = False


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", defer_build=True)


class Audit(_Part):
    """Version, times and people."""

    id: str
    version: int
    created_at: str | None = None
    updated_at: str | None = None
    created_by: str | None = None
    updated_by: str | None = None
    deleted_at: str | None = None


class WorkItem(Audit):
    """A work item; what a blind update left unknown is absent."""

    ref: str
    item_type: str | None = None
    title: str | None = None
    status: str | None = None
    parent_id: str | None = None
    path: str | None = None
    depth: int | None = None
    branch_name: str | None = None
    commit_hash: str | None = None
    pr_number: int | None = None
    metadata: dict[str, Any] | None = None
    claimed_by: str | None = None
    claimed_until: str | None = None
    archived_at: str | None = None


class WorkItemWritten(WorkItem, Written):
    """A work item after a write."""


class CreatedItem(_Part):
    """One of several new items."""

    key: str | None = None
    id: str
    ref: str
    version: int


class WorkItemsCreated(Written):
    """New items, in the order in which they were given."""

    items: list[CreatedItem]


class WorkItemCompleted(WorkItemWritten):
    """A completed item, and what became ready by it."""

    unblocked: list[WorkItem]


class ClaimedItem(WorkItem):
    """A claimed item with the titles above it and its dependencies."""

    parents: list[str]
    dependencies: list[dict[str, Any]]


class ClaimedNext(Written):
    """The item that was claimed; null if there is none."""

    item: ClaimedItem | None


class RelatedItem(_Part):
    """The other end of a dependency."""

    id: str
    ref: str
    title: str
    status: str
    item_type: str
    version: int
    updated_at: str


class Dependency(_Part):
    """One end's view: `outgoing` where the item is the link's source."""

    type: Literal["depends_on", "blocks"]
    direction: Literal["outgoing", "incoming"]
    related_item: RelatedItem


class WorkItemRead(WorkItem, Read):
    """A work item with what surrounds it; each child has its own `children`, and `children_omitted` where some are left out."""

    partial: bool = False
    parent_chain: list[WorkItem]
    children: list[dict[str, Any]]
    children_omitted: int = 0
    dependencies: list[Dependency]
    comment_count: int
    comments: list[dict[str, Any]] = []


class WorkItemPage(Read):
    """A page of work items."""

    items: list[WorkItem]
    total_count: int
    limit: int
    offset: int


class ReadyItems(Read):
    """Work items, most urgent first."""

    items: list[WorkItem]
    total_count: int


class Primed(Read):
    """What there is to know at the beginning of a session."""

    project: str | None
    root: str
    online: bool
    claims: list[dict[str, Any]]
    lost_claims: list[dict[str, Any]]
    others: list[dict[str, Any]]
    ready: list[dict[str, Any]]
    ready_count: int
    changes: list[dict[str, Any]]
    changes_count: int
    conflicts: int
    pending_mutations: int
    index: dict[str, Any]


class FoundItem(WorkItem):
    """A work item with its rank (higher is better), and the passage that fits."""

    score: float
    excerpt: str


class FoundItems(Read):
    """Work items, best first."""

    items: list[FoundItem]


class Link(Audit):
    """A dependency between two items."""

    source_id: str
    target_id: str
    dependency_type: Literal["depends_on", "blocks"]


class LinkWritten(Link, Written):
    """A link after a write."""


class Change(_Part):
    """One change; `fields` maps a field to `old` and `new`, `via` is the name of the token by which it came to the server."""

    version: int
    by: str | None
    at: str
    fields: dict[str, dict[str, Any]]
    outcome: Literal["accepted", "merged", "lost"]
    via: str | None = None


class History(Read):
    """Changes, newest first."""

    entity: str
    id: str
    changes: list[Change]
    history_truncated: bool


class Comment(Audit):
    """A comment."""

    work_item_id: str
    body: str


class CommentWritten(Comment, Written):
    """A comment after it was written."""


class Comments(Read):
    """Comments, oldest first."""

    items: list[Comment]
    total_count: int


class Vendor(Audit):
    """A vendor's extractor."""

    name: str
    operational: bool
    status: Literal["operational", "broken"]
    metadata: dict[str, Any] | None = None


class VendorRead(Vendor, Read):
    """A vendor."""


class VendorWritten(Vendor, Written):
    """A vendor after a write."""


class VendorPage(Read):
    """Vendors by name."""

    items: list[Vendor]
    total_count: int


class Deployment(Audit):
    """A deployment; `timestamp` is when it was deployed."""

    metadata: dict[str, Any] | None = None
    timestamp: str
    deployed_at: str
    commit_hash: str | None = None
    pr_number: int | None = None
    pr_title: str | None = None
    affected_vendors: list[dict[str, Any]]
    related_work_items: list[dict[str, Any]]


class DeploymentRead(Deployment, Read):
    """A deployment."""


class DeploymentWritten(Deployment, Written):
    """A deployment after it was recorded."""


class DeploymentPage(Read):
    """Deployments, newest first."""

    items: list[Deployment]
    total_count: int


class Enhancement(Audit):
    """Something planned."""

    title: str
    description: str | None = None
    priority: str
    status: str
    target_quarter: str | None = None
    requires_constitutional_principles: list[str] | None = None


class EnhancementWritten(Enhancement, Written):
    """An enhancement after a write."""


class EnhancementPage(Read):
    """Enhancements, most urgent first."""

    items: list[Enhancement]
    total_count: int


class Configuration(Audit):
    """The project's configuration, with how the server was when it was last looked at."""

    active_context_type: str
    current_session_id: str | None
    git_branch: str | None
    git_head_commit: str | None
    default_token_budget: int
    database_healthy: bool | None
    last_health_check_at: str | None


class ConfigurationRead(Configuration, Read):
    """The configuration."""

    project: str | None
    root: str


class ConfigurationWritten(Configuration, Written):
    """The configuration after a write."""


class VendorHealth(_Part):
    """How many vendors work."""

    total_vendors: int
    operational_count: int
    broken_count: int
    operational_percentage: float


class ActiveWorkItems(_Part):
    """Counts of the work items that are neither deleted nor archived."""

    total_count: int
    by_type: dict[str, int]
    by_status: dict[str, int]
    by_priority: dict[str, int]
    archived_count: int


class FullStatus(Read):
    """The state of the whole project."""

    project: str | None
    root: str
    vendor_health: VendorHealth
    active_work_items: ActiveWorkItems
    recent_deployments: list[dict[str, Any]]
    pending_enhancements: list[dict[str, Any]]
    markdown: str | None = None


class Archived(Written):
    """How many items were archived."""

    archived_count: int


class UndoneChange(_Part):
    """What was taken back of one row; `fields` are those that have their old values again."""

    entity: str
    id: str
    title: str | None
    what: Literal["deleted", "undeleted", "changed"]
    fields: list[str]
    version: int


class Undone(Written):
    """What was taken back, last change first: the first 50, and how many there are in all."""

    undone: list[UndoneChange]
    undone_count: int


class Synced(Result):
    """What one round of synchronisation did."""

    pushed: int
    pulled: int
    merged: int
    conflicts: int
    duration_ms: float


class SetAsideOne(_Part):
    """One row, line of the history, conflict or chunk that this program could not take, and why."""

    kind: str
    table: str
    id: str
    reason: str
    at: str


class SetAside(_Part):
    """What the server has and this replica could not take: how many, and the first few of them."""

    count: int
    first: list[SetAsideOne]


class SyncStatus(Read):
    """How this replica stands to the server."""

    project: str | None
    root: str
    online: bool
    server: str | None
    last_sync_at: str | None
    pending_mutations: int
    open_conflicts: int
    cursor: int
    server_head: int | None
    last_error: str | None
    set_aside: SetAside
    last_recovery: str | None = None
    """In words, when PostgreSQL had been set back to an older state and this replica brought it up to date."""
    last_takeover: str | None = None
    """In words, when another process of this replica was stopped in the middle of a round, and this one went on with it."""
    untrusted_settings: list[str]
    """Settings in the project's `.localfirst.toml` that do not count until the user has allowed the file."""


class Conflict(_Part):
    """Two different changes of the same fields; the server's stands until somebody settles it.

    `part`, `part_id`: where not the thing's own row clashes but a comment or a link of it, that row.
    """

    conflict_id: str
    entity: str
    id: str
    part: str | None = None
    part_id: str | None = None
    fields: list[str]
    base: dict[str, Any]
    mine: dict[str, Any]
    theirs: dict[str, Any]
    base_version: int
    my_version: int
    their_version: int | None
    my_by: str | None
    their_by: str | None
    created_at: str
    reason: str


class ConflictResolved(Written):
    """The row after a conflict about it was settled, with all of its fields."""

    conflict_id: str
    resolution: Literal["mine", "theirs", "merge"]
    entity: str
    id: str
    version: int | None


class Conflicts(Read):
    """Open conflicts, newest first."""

    conflicts: list[Conflict]
    total_count: int


class IndexingStarted(Result):
    """A job that was created, or the one that works on the same repository already."""

    job_id: str
    status: Literal["pending", "running", "blocked"]
    message: str
    estimated_duration_seconds: float


class IndexingJob(_Part):
    """One job; its `problems` name the files that should be in the index and could not be read, in sentences."""

    warnings: list[Warning_]
    problems: list[str]
    job_id: str
    repo_path: str
    name: str
    status: JobStatus
    phase: Literal["Scanning", "Chunking", "Embedding", "Writing", "Complete"]
    progress_percentage: float
    progress_message: str
    files_scanned: int
    files_indexed: int
    files_unchanged: int
    files_skipped: int
    files_deleted: int
    files_to_do: int | None
    files_done: int
    chunks_created: int
    chunks_to_embed: int | None
    chunks_embedded: int
    created_at: str
    started_at: str | None
    renewed_at: str | None
    completed_at: str | None
    cancelled_at: str | None
    blocked_reason: str | None
    error_message: str | None
    error_type: str | None
    estimated_time_remaining_seconds: float | None


class SkippedFile(_Part):
    """A file that the index leaves out, and what was seen of it."""

    file_path: str
    rule: str
    detail: str


class IndexingStatus(IndexingJob, Result):
    """One job, with how many files each rule left out; `skipped_files` names the first 200 of the rule that was asked for."""

    data_source: DataSource = "sqlite_cache"
    cache_age_minutes: float | None = None
    skipped_by_rule: dict[str, int]
    skipped_files: list[SkippedFile] = []


class IndexingCancelled(Result):
    """What was done stays in the index."""

    job_id: str
    status: Literal["cancelled"]
    message: str


class IndexingJobs(Result):
    """Jobs, newest first."""

    data_source: DataSource = "sqlite_cache"
    cache_age_minutes: float | None = None
    jobs: list[IndexingJob]
    total_count: int


class RepositoryIndexed(IndexingStatus):
    """The job at its end, or, when it takes long, as it goes on in the background."""

    message: str
    estimated_duration_seconds: float


class IndexForgotten(Result):
    """What was taken out of the index.

    `chunks_removed`: pieces of code that no other repository holds. `on_server`: `removed` with what this replica alone had
    shared, `kept` where the repository is the team's, `unreachable` where it stays because the server is away.
    """

    repo_path: str
    name: str
    files_removed: int
    chunks_removed: int
    jobs_removed: int
    on_server: Literal["none", "removed", "kept", "unreachable"]


class CodeFound(_Part):
    """Lines of a file; `chunk_start_line` and `chunk_end_line` are those of the whole piece that they are of."""

    file_path: str
    start_line: int
    end_line: int
    symbol: str | None
    language: str
    content: str
    score: float
    repository: str
    repository_path: str | None
    repository_gone: bool
    """Its directory is no longer there: what is displayed is what was indexed last."""
    kind: str
    chunk_start_line: int
    chunk_end_line: int


IndexWarning: TypeAlias = Literal[
    "index_missing",
    "index_unavailable",
    "index_behind",
    "index_incomplete",
    "files_unreadable",
    "repository_gone",
    "searched_by_words_alone",
    "chunks_left_out",
    "work_tree_not_indexed",
]


class CodeSearched(Result):
    """Code, best first; `coverage` is 1.0 when the whole index could be searched.

    `files_behind`: so many files have changed since they were indexed, as far as that is known.
    """

    data_source: DataSource
    results: list[CodeFound]
    coverage: float
    files_behind: int | None = None
    index_warnings: list[IndexWarning]
