-- What the server allowed when it was last asked: `write`, `read` (this user may not write), `standby` (only one of those answered).
ALTER TABLE replica ADD COLUMN access TEXT NOT NULL DEFAULT 'write' CHECK (access IN ('write', 'read', 'standby'));
