"""The arguments of every tool, as the tool contract names them: one file, since it is read beside that page."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from localfirst_schema.identifiers import is_uuid
from localfirst_schema.metadata import Assignee, Criteria, Day, ItemDescription, LabelList, Urgency
from localfirst_schema.types import (
    Arguments,
    Body,
    BranchName,
    CommitHash,
    ContextType,
    DependencyType,
    Description,
    Detail,
    EnhancementStatus,
    EntityName,
    GitBranch,
    Id,
    ItemId,
    ItemType,
    JobId,
    JobStatus,
    Json,
    Limit,
    Moment,
    Offset,
    Priority,
    PrNumber,
    Quarter,
    Query,
    RepoPath,
    SkipRuleName,
    Status,
    Text,
    Texts,
    Title,
    TokenBudget,
    VendorName,
    Version,
    Who,
)

_CLEAR: Any = Field(default_factory=list, description="fields to empty", json_schema_extra={"x-in-words": "string"})


LeaseMinutes = Annotated[float, Field(ge=0.01, le=10_080)]
Labels = Annotated[LabelList, Field(description="all of them")]

DEPENDENCIES_MAX = 200
"""How many items a new one can be said to wait for."""


class Nothing(Arguments):
    """No arguments."""


# Work items


class NewWorkItem(Arguments):
    """What a work item is created with; `id` makes a repeated create harmless."""

    item_type: ItemType
    title: Title
    id: Id | None = None
    parent_id: ItemId | None = None
    status: Status = "active"
    description: ItemDescription | None = None
    priority: Urgency | None = None
    labels: LabelList | None = None
    assignee: Assignee | None = None
    due_on: Day | None = None
    start_on: Day | None = None
    acceptance: Criteria | None = None
    metadata: Json = Field(default_factory=dict)
    branch_name: BranchName | None = None
    commit_hash: CommitHash | None = None
    pr_number: PrNumber | None = None
    created_by: Who | None = None
    created_at: Annotated[Moment | None, Field(description="for records of the past")] = None


class CreateWorkItem(NewWorkItem):
    """One new item, and what it waits for."""

    depends_on: Annotated[list[ItemId], Field(max_length=DEPENDENCIES_MAX)] = Field(default_factory=list)
    detail: Detail | None = None


class PlannedWorkItem(NewWorkItem):
    """One of several new items, which name each other by keys."""

    key: Annotated[Text, Field(min_length=1, max_length=100)] | None = None
    parent: Annotated[Text, Field(min_length=1, max_length=100, description="key, ref or id")] | None = None
    depends_on: Annotated[
        list[Annotated[Text, Field(min_length=1, max_length=100)]],
        Field(max_length=DEPENDENCIES_MAX, description="keys, refs or ids"),
    ] = Field(default_factory=list)


class CreateWorkItems(Arguments):
    """Several new items, in any order."""

    items: Annotated[list[PlannedWorkItem], Field(min_length=1, max_length=200)]


class CompleteWorkItem(Arguments):
    """Without `version` the item is completed as it stands."""

    id: ItemId
    version: Version | None = None
    comment: Body | None = None
    updated_by: Who | None = None
    detail: Detail | None = None


class UpdateWorkItem(Arguments):
    """`version` is the one that was read; to clear `parent_id` moves the item to the root."""

    id: ItemId
    version: Version
    title: Title | None = None
    status: Status | None = None
    parent_id: ItemId | None = None
    description: ItemDescription | None = None
    priority: Urgency | None = None
    labels: LabelList | None = None
    assignee: Assignee | None = None
    due_on: Day | None = None
    start_on: Day | None = None
    acceptance: Criteria | None = None
    add_labels: LabelList = Field(default_factory=list)
    remove_labels: LabelList = Field(default_factory=list)
    metadata: Annotated[Json | None, Field(description="JSON merge patch: null removes a key")] = None
    branch_name: BranchName | None = None
    commit_hash: CommitHash | None = None
    pr_number: PrNumber | None = None
    deleted: bool | None = None
    clear: Annotated[
        list[
            Literal[
                "parent_id", "branch_name", "commit_hash", "pr_number",
                "description", "priority", "labels", "assignee", "due_on", "start_on", "acceptance",
            ]
        ],
        _CLEAR,
    ]  # fmt: skip
    updated_by: Who | None = None
    created_by: Who | None = None
    detail: Detail | None = None


class QueryWorkItem(Arguments):
    """One item with what surrounds it."""

    id: ItemId
    include_children: bool = True
    include_dependencies: bool = True
    include_comments: Annotated[bool, Field(description="the last 20, oldest first")] = False
    max_depth: Annotated[int, Field(ge=1, le=100)] = 5
    max_children: Annotated[int, Field(ge=1, le=10_000, description="in all, level by level")] = 200
    detail: Detail | None = None


class ListWorkItems(Arguments):
    """Filters and a page."""

    item_type: ItemType | None = None
    status: Status | None = None
    parent_id: ItemId | None = None
    root_only: bool = False
    labels: Labels = Field(default_factory=list)
    assignee: Assignee | None = None
    claimed_by: Who | None = None
    priority: Urgency | None = None
    updated_since: Annotated[Moment | None, Field(description="when the change reached this machine")] = None
    include_deleted: bool = False
    include_archived: bool = False
    limit: Limit = 50
    offset: Offset = 0
    detail: Detail | None = None


class ReadyWorkItems(Arguments):
    """What may be worked on now."""

    limit: Limit = 10
    item_type: ItemType | None = None
    labels: Labels = Field(default_factory=list)
    under: Annotated[ItemId | None, Field(description="only below this item")] = None
    include_claimed: bool = False
    detail: Detail | None = None


class Prime(Arguments):
    """Without `since`: since this client name's last session here ended."""

    since: Moment | None = None
    max_chars: Annotated[int, Field(ge=500, le=1_000_000)] = 2000


class SearchWorkItems(Arguments):
    """Words, or a description of what is sought."""

    query: Query
    limit: Limit = 10
    detail: Detail | None = None


class LinkWorkItems(Arguments):
    """`depends_on`: the source waits for the target; `blocks`: the target waits for the source."""

    source_id: ItemId
    target_id: ItemId
    dependency_type: DependencyType
    created_by: Who | None = None


class GetHistory(Arguments):
    """The changes of one thing."""

    entity: EntityName
    id: Annotated[ItemId, Field(description="UUID; of a work item its ref too")]
    limit: Annotated[int, Field(ge=1, le=500)] = 50

    @field_validator("id")
    @classmethod
    def _only_items_have_refs(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("entity") != "work_item" and not is_uuid(value):
            raise ValueError("must be a UUID: only work items have refs")
        return value


class ClaimWorkItem(Arguments):
    """`claimed_by` is this session where it is not given."""

    id: ItemId
    claimed_by: Who | None = None
    lease_minutes: LeaseMinutes = 60
    detail: Detail | None = None


class ClaimNext(Arguments):
    """As `ready_work_items` chooses, and `ClaimWorkItem` claims."""

    item_type: ItemType | None = None
    labels: Labels = Field(default_factory=list)
    under: Annotated[ItemId | None, Field(description="only below this item")] = None
    lease_minutes: LeaseMinutes = 60
    claimed_by: Who | None = None
    detail: Detail | None = None


class ReleaseWorkItem(Arguments):
    """Another's live claim is taken away with `force` alone."""

    id: ItemId
    claimed_by: Who | None = None
    force: bool = False
    detail: Detail | None = None


class AddComment(Arguments):
    """A comment is never changed afterwards."""

    former: ClassVar[dict[str, str]] = {"work_item_id": "id"}

    id: ItemId
    body: Body
    created_by: Who | None = None


class ListComments(Arguments):
    """The comments of one item, oldest first."""

    former: ClassVar[dict[str, str]] = {"work_item_id": "id"}

    id: ItemId
    limit: Limit = 50
    offset: Offset = 0


class RevertWorkItem(Arguments):
    """Brings back the fields as they were at `to_version`, as a new version."""

    id: ItemId
    version: Version
    to_version: Version
    updated_by: Who | None = None
    detail: Detail | None = None


# Vendors


class CreateVendor(Arguments):
    """The name is unique in the project and never changes."""

    name: VendorName
    operational: bool = True
    metadata: Json = Field(default_factory=dict)
    created_by: Who | None = None
    detail: Detail | None = None


class QueryVendorStatus(Arguments):
    """One vendor by name."""

    name: Text
    detail: Detail | None = None


class UpdateVendorStatus(Arguments):
    """`version` is the one that was read."""

    name: Text
    version: Version
    operational: bool | None = None
    metadata: Annotated[Json | None, Field(description="JSON merge patch: null removes a key")] = None
    updated_by: Who | None = None
    detail: Detail | None = None


class ListVendors(Arguments):
    """A page of vendors by name."""

    status: Literal["operational", "broken"] | None = None
    limit: Limit = 50
    offset: Offset = 0
    detail: Detail | None = None


# Deployments


class RecordDeployment(Arguments):
    """A deployment with what it touched, written as one act."""

    metadata: Json
    vendor_ids: list[Id] = Field(default_factory=list, max_length=1000)
    work_item_ids: list[ItemId] = Field(default_factory=list, max_length=1000)
    deployed_at: Moment | None = None
    created_by: Who | None = None
    detail: Detail | None = None


class QueryDeployment(Arguments):
    """One deployment."""

    id: Id
    detail: Detail | None = None


class ListDeployments(Arguments):
    """Newest first."""

    limit: Limit = 50
    offset: Offset = 0
    since: Moment | None = None
    detail: Detail | None = None


# Enhancements


class CreateEnhancement(Arguments):
    """Something planned."""

    title: Title
    description: Description | None = None
    priority: Priority = "medium"
    status: EnhancementStatus = "planned"
    target_quarter: Quarter | None = None
    requires_constitutional_principles: Texts | None = None
    created_by: Who | None = None
    detail: Detail | None = None


class UpdateEnhancement(Arguments):
    """`version` is the one that was read."""

    id: Id
    version: Version
    title: Title | None = None
    description: Description | None = None
    priority: Priority | None = None
    status: EnhancementStatus | None = None
    target_quarter: Quarter | None = None
    requires_constitutional_principles: Texts | None = None
    deleted: bool | None = None
    clear: Annotated[list[Literal["description", "target_quarter", "requires_constitutional_principles"]], _CLEAR]
    updated_by: Who | None = None
    detail: Detail | None = None


class ListEnhancements(Arguments):
    """Most urgent first."""

    priority: Priority | None = None
    status: EnhancementStatus | None = None
    target_quarter: Quarter | None = None
    limit: Limit = 50
    offset: Offset = 0
    detail: Detail | None = None


# Configuration, status


class UpdateProjectConfiguration(Arguments):
    """`version` is the one that was read."""

    version: Version
    active_context_type: ContextType | None = None
    current_session_id: Id | None = None
    git_branch: GitBranch | None = None
    git_head_commit: CommitHash | None = None
    default_token_budget: TokenBudget | None = None
    clear: Annotated[list[Literal["current_session_id", "git_branch", "git_head_commit"]], _CLEAR]
    updated_by: Who | None = None


class GenerateFullStatus(Arguments):
    """As JSON, or as the text of a status file besides."""

    output_format: Literal["json", "markdown"] = "json"


class TriggerArchiving(Arguments):
    """By the time of creation."""

    older_than_days: Annotated[int, Field(ge=0, le=100_000)] = 365


# Going back


class Undo(Arguments):
    """Of the last act of this session."""

    updated_by: Who | None = None


# Sync


class ResolveConflict(Arguments):
    """`mine`: my values of the clashing fields; `theirs`: the row as it stands; `merge`: the values in `fields`."""

    conflict_id: Id
    resolution: Literal["mine", "theirs", "merge"]
    fields: Annotated[
        Json | None, Field(description="with merge: every clashing field → value; metadata as a JSON merge patch")
    ] = None
    resolved_by: Who | None = None
    detail: Detail | None = None


class ListConflicts(Arguments):
    """Open conflicts, newest first."""

    entity: EntityName | None = None
    conflict_id: Annotated[str | None, Field(min_length=6, max_length=36, description="Its id, or the beginning of it.")] = None
    limit: Limit = 50


# Indexing jobs


class StartIndexing(Arguments):
    """One job per repository: the same directory again gives the job that is there."""

    repo_path: Annotated[RepoPath, Field(description="absolute path of the repository's directory")]
    name: Title | None = None
    force_reindex: Annotated[bool, Field(description="read and cut every file anew")] = False


class IndexRepository(Arguments):
    """As `StartIndexing`."""

    repo_path: Annotated[RepoPath, Field(description="absolute path of the repository's directory")]
    name: Title | None = None
    force_reindex: Annotated[bool, Field(description="read and cut every file anew")] = False


class OneIndexingJob(Arguments):
    """A job by its id."""

    job_id: JobId


class IndexingStatusOf(OneIndexingJob):
    """A job, and whether it is to name what a rule left out."""

    skipped_rule: Annotated[SkipRuleName | None, Field(description="name the files that this rule left out")] = None


class ListIndexingJobs(Arguments):
    """The newest first."""

    status: JobStatus | None = None
    repo_path: RepoPath | None = None
    limit: Limit = 50
    offset: Offset = 0


class ForgetIndex(Arguments):
    """One repository, by its path or by the name that it was indexed under."""

    repository: Annotated[Text, Field(min_length=1, max_length=4096)]


# Searching code


class SearchCode(Arguments):
    """By words, names, or a description of what the code does."""

    query: Query
    repo_path: Annotated[
        RepoPath | None, Field(description="absolute path of an indexed repository or of a directory in it; without: all")
    ] = None
    language: Annotated[str, Field(min_length=1, max_length=50, description="python, typescript, go …")] | None = None
    path_glob: (
        Annotated[
            Text, Field(min_length=1, max_length=1000, description="src/*.py, *_test.go, docs/; * crosses /, \\[ is a bracket")
        ]
        | None
    ) = None
    limit: Limit = 10
    full_content: Annotated[bool, Field(description="whole pieces of code instead of their best lines")] = False
    scope: Annotated[
        Literal["local", "team"], Field(description="team: every repository that the team has shared, from the server")
    ] = "local"
