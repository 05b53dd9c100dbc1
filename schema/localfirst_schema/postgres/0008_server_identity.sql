-- Which server this is: replicas know the one that they reconcile with by it, so that a wrong address never gets their rows.
-- A dump carries it along. An emptied server is given its old one again by the first replica that knows it.

CREATE TABLE localfirst.server_identity (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    is_later boolean NOT NULL -- made when there were projects already: an older state of them had none
);

INSERT INTO localfirst.server_identity (is_later) SELECT EXISTS (SELECT FROM localfirst.projects);

-- The cluster's own identifier, where this role may read it. PL/pgSQL, since it asks for the right to execute what it calls only
-- when it gets there.
CREATE FUNCTION localfirst.system_identifier() RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT system_identifier::text FROM pg_control_system());
END
$$;
