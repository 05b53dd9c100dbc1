-- When a change reached this replica: what others did while nobody was here is found by it. NULL: at the time of the change itself.
ALTER TABLE history ADD COLUMN reached_at TEXT;
CREATE INDEX history_reached ON history (reached_at) WHERE reached_at IS NOT NULL;
