-- Whether a document can be held is asked of every row and every line of the log. Counting brackets and looking for digits in the
-- text of each was most of what the limits cost; PostgreSQL's own walk through the document tells both sooner. The limits are
-- the same as before, so nothing has to be looked through again. The two functions are written out into the constraints.

CREATE FUNCTION localfirst.large_numbers_are_held(value jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    -- A whole number may have 1000 digits; before a point there may stand as many as a double has.
    RETURN NOT EXISTS (
        SELECT FROM pg_catalog.jsonb_path_query(value, 'strict $.** ? (@.type() == "number")') AS n (number)
        WHERE n.number::pg_catalog.text OPERATOR(pg_catalog.~) '^-?[0-9]{103}[0-9]{103}[0-9]{103}[0-9]*[.]'
            OR pg_catalog.length(pg_catalog.ltrim(n.number::pg_catalog.text, '-')) OPERATOR(pg_catalog.>) 1000
                AND n.number::pg_catalog.text OPERATOR(pg_catalog.!~) '[.]'
    );
END
$$;
COMMENT ON FUNCTION localfirst.large_numbers_are_held(jsonb) IS 'qualified: it runs for each row';

CREATE OR REPLACE FUNCTION localfirst.document_is_held(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN octet_length(value::text) <= 128 OR (
    octet_length(value::text) <= 8000000
    AND NOT jsonb_path_exists(value, 'strict $.**{65}')
    AND (NOT jsonb_path_exists(value, 'strict $.** ? (@ >= 1e308 || @ <= -1e308)') OR localfirst.large_numbers_are_held(value))
);

CREATE OR REPLACE FUNCTION localfirst.fields_are_held(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN octet_length(value::text) <= 128 OR (
    octet_length(value::text) <= 20000000
    AND NOT jsonb_path_exists(value, 'strict $.**{68}')
    AND (NOT jsonb_path_exists(value, 'strict $.** ? (@ >= 1e308 || @ <= -1e308)') OR localfirst.large_numbers_are_held(value))
);

DROP FUNCTION localfirst.is_held(jsonb, integer, jsonpath);

SELECT localfirst.secure();
