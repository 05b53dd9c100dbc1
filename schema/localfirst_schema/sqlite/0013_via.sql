-- By which token a change came to the server; NULL for one that came without, or whose verdict is not here yet.
ALTER TABLE history ADD COLUMN via TEXT;
