-- Work trees of one repository are one repository, and share what was cut: a path with one content is one set of places, under
-- one file id, in however many of the trees it stands.

ALTER TABLE code_repositories ADD COLUMN work_tree TEXT;   -- top of the git work tree that holds the root; NULL: in no repository
ALTER TABLE code_repositories ADD COLUMN git_own TEXT;     -- what git keeps of this work tree alone
ALTER TABLE code_repositories ADD COLUMN git_common TEXT;  -- what all work trees of it share: the same in each; not `git_own`: a linked one

CREATE TABLE code_files_of_trees (
    file_id INTEGER NOT NULL,               -- of the places; the same in other work trees with this path and content
    repository_id INTEGER NOT NULL,
    path TEXT NOT NULL,                     -- bytes that are not UTF-8 as U+EF80 to U+EFFF
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    seen_ns INTEGER NOT NULL,               -- when it was read; a file as young as that may have changed within the same tick
    content_hash BLOB NOT NULL,
    language TEXT NOT NULL,
    PRIMARY KEY (repository_id, path)
) STRICT, WITHOUT ROWID;
INSERT INTO code_files_of_trees
SELECT file_id, repository_id, path, size, mtime_ns, inode, seen_ns, content_hash, language FROM code_files;
DROP TABLE code_files;
ALTER TABLE code_files_of_trees RENAME TO code_files;
-- From a place to its files, with all that a search is restricted by.
CREATE INDEX code_files_by_id ON code_files (file_id, repository_id, language);
