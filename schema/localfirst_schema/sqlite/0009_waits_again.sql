-- What a server has acknowledged and no pull has brought yet waits again if that server was set back: as it was made, in its act.
-- `accepted`: a blind change, of which the row is not here to show it; its line of the history stays.
ALTER TABLE awaited ADD COLUMN txn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE awaited ADD COLUMN base_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE awaited ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;
UPDATE awaited SET txn = history_id, base_version = (SELECT h.version - 1 FROM history AS h WHERE h.history_id = awaited.history_id);
