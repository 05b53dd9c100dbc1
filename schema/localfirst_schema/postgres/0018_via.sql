-- By which token a change came, by the name that its administrator gave it; NULL for a change that came by PostgreSQL itself.

ALTER TABLE localfirst.history ADD COLUMN via text CHECK (char_length(via) <= 100);
