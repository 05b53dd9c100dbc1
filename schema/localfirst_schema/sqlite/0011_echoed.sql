-- Two columns by the names that docs/glossary.md gives: what a pull has brought back of a change that waits, and up to which number
-- what waits may have been applied by a server that did not get to answer.
ALTER TABLE outbox RENAME COLUMN told TO echoed;
ALTER TABLE replica RENAME COLUMN doubtful_number TO maybe_applied_number;
