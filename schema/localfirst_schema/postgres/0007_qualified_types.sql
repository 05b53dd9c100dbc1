-- What runs once a row qualifies the names of types too. PL/pgSQL looks them up when a session first runs the function, with the
-- caller's search path, and keeps them: a domain `pg_temp.text` was taken along into calls by the owner.

CREATE OR REPLACE FUNCTION localfirst.is_held(value jsonb, longest integer, too_deep jsonpath) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    written pg_catalog.text := value::pg_catalog.text;
    bytes integer := pg_catalog.octet_length(written);
BEGIN
    IF bytes OPERATOR(pg_catalog.<=) 128 THEN
        RETURN true;
    END IF;
    IF bytes OPERATOR(pg_catalog.>) longest THEN
        RETURN false;
    END IF;
    IF bytes OPERATOR(pg_catalog.-) pg_catalog.octet_length(pg_catalog.translate(written, '[{', '')) OPERATOR(pg_catalog.>) 64
        AND pg_catalog.jsonb_path_exists(value, too_deep) THEN
        RETURN false;
    END IF;
    IF bytes OPERATOR(pg_catalog.<=) 308 OR written OPERATOR(pg_catalog.!~) '[0-9]{103}[0-9]{103}[0-9]{103}' THEN
        RETURN true;
    END IF;
    -- A whole number may have 1000 digits; before a point there may stand as many as a double has.
    RETURN NOT EXISTS (
        SELECT FROM pg_catalog.jsonb_path_query(value, 'strict $.** ? (@.type() == "number")') AS n (number)
        WHERE n.number::pg_catalog.text OPERATOR(pg_catalog.~) '^-?[0-9]{103}[0-9]{103}[0-9]{103}[0-9]*[.]'
            OR pg_catalog.length(pg_catalog.ltrim(n.number::pg_catalog.text, '-')) OPERATOR(pg_catalog.>) 1000
                AND n.number::pg_catalog.text OPERATOR(pg_catalog.!~) '[.]'
    );
END
$$;
