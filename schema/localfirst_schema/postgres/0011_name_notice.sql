-- Whoever changes a project's name, by whatever client: laptops that listen are told to ask for it again.
CREATE FUNCTION localfirst.announce_name() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('localfirst_' || replace(NEW.id::text, '-', ''), 'name');
    RETURN NULL;
END
$$;

CREATE TRIGGER announce_name AFTER UPDATE OF name ON localfirst.projects
FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION localfirst.announce_name();
