-- The ref of each work item as a number (see refs.py), so that an item is found by the beginning of its ref, and of each it is known
-- how many symbols tell it from the others. Filled by the program, which can compute SHA-256; where it is NULL it is filled later.
ALTER TABLE work_items ADD COLUMN ref INTEGER;
CREATE INDEX work_items_ref ON work_items (ref);
