-- Projects are looked up by the key of their name: names that one forge takes for one repository are one project.

-- The same as localfirst_schema.project_key, step by step.
CREATE FUNCTION localfirst.project_key(name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    normal text := normalize(name, NFC);
    found text[] := regexp_match(
        lower(normal COLLATE "C"),
        '^(?:[^/@]*@)?'
        '(?:(?:www\.)?(github\.com|gitlab\.com|bitbucket\.org|codeberg\.org|dev\.azure\.com)'
        '|ssh\.(github\.com|gitlab\.com|bitbucket\.org|codeberg\.org|dev\.azure\.com)'
        '|altssh\.(gitlab\.com|bitbucket\.org))'
        '(?::(?:22|443))?'
        '/(.*)$'
    );
    host text := coalesce(found[1], found[2], found[3]);
    path text := regexp_replace(regexp_replace(regexp_replace(found[4], '/+', '/', 'g'), '^/', ''), '(?:/|\.git)+$', '');
BEGIN
    IF found IS NULL THEN
        RETURN normal;
    END IF;
    IF host = 'dev.azure.com' THEN
        IF found[2] IS NOT NULL THEN
            path := regexp_replace(path, '^v3/([^/]+)/([^/]+)/([^/]+)$', '\1/\2/_git/\3');
        END IF;
        path := regexp_replace(path, '^([^/]+)/_git/([^/]+)$', '\1/\2/_git/\2');
    END IF;
    RETURN CASE WHEN path = '' THEN normal ELSE host || '/' || path END;
END
$$;

-- NULL: another project has the key, and had it before there were keys. Both stay what they are, each under its own name.
ALTER TABLE localfirst.projects ADD COLUMN name_key text;

UPDATE localfirst.projects AS p SET name_key = ranked.name_key
FROM (
    SELECT
        named.id, named.name_key,
        row_number() OVER (PARTITION BY named.name_key ORDER BY h.head DESC NULLS LAST, named.created_at, named.id) AS place
    FROM (SELECT id, created_at, localfirst.project_key(name) AS name_key FROM localfirst.projects) AS named
    LEFT JOIN localfirst.project_heads AS h ON h.project_id = named.id
) AS ranked
WHERE ranked.id = p.id AND ranked.place = 1;

ALTER TABLE localfirst.projects ADD CONSTRAINT projects_name_key_key UNIQUE (name_key);

-- Whoever names a project, by whatever client: another of the same key is refused.
CREATE FUNCTION localfirst.key_project() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.name_key := localfirst.project_key(NEW.name);
    RETURN NEW;
END
$$;

CREATE TRIGGER key_project BEFORE INSERT OR UPDATE OF name, name_key ON localfirst.projects
FOR EACH ROW EXECUTE FUNCTION localfirst.key_project();
