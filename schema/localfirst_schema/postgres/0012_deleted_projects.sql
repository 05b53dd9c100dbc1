-- Projects that were deleted on purpose (`localfirst server delete-project`): a replica that knew one does not fill it again by
-- itself, also where somebody has begun it anew since.
CREATE TABLE localfirst.deleted_projects (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    deleted_by text NOT NULL DEFAULT session_user
);
