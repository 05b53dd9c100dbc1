-- The fields that trackers have, in the metadata of every type of work item: the rules of `metadata.py` as constraints. What boards
-- hold already under such a key in another form is moved to `set_aside` in the same document, whole, by a numbered change.

-- One of these fields as it may stand; what is not there may always be so.
CREATE FUNCTION localfirst.is_item_field(key text, value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN value IS NULL THEN true
    WHEN key = 'description' THEN localfirst.json_text(value, 20000)
    WHEN key = 'priority' THEN value IN ('"urgent"', '"high"', '"medium"', '"low"')
    WHEN key = 'assignee' THEN localfirst.json_text(value, 100) AND value <> '""'
    WHEN key IN ('due_on', 'start_on') THEN jsonb_typeof(value) = 'string' AND value #>> '{}' ~
        '^(?!0000)[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))$'
    WHEN key = 'labels' THEN CASE WHEN localfirst.json_texts(value) THEN
        NOT jsonb_path_exists(value, '$[*] ? (!(@ like_regex "^[^,\\u0001-\\u001f\\u007f-\\u009f]{1,50}$"))') ELSE false END
    WHEN key = 'acceptance' THEN CASE WHEN jsonb_typeof(value) = 'array' THEN
        NOT jsonb_path_exists(value, 'strict $[*] ? (@.type() != "object")')
        AND NOT jsonb_path_exists(value, '$[*] ? (!exists(@.text ? (@.type() == "string" && @ != "")))')
        AND NOT jsonb_path_exists(value, '$[*].done ? (@.type() != "boolean")') ELSE false END
    ELSE true
END;

CREATE OR REPLACE FUNCTION localfirst.work_item_metadata_rules(item_type text, m jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN jsonb_typeof(m) <> 'object' THEN false
    WHEN NOT (
        localfirst.is_item_field('description', m -> 'description') AND localfirst.is_item_field('priority', m -> 'priority')
        AND localfirst.is_item_field('labels', m -> 'labels') AND localfirst.is_item_field('assignee', m -> 'assignee')
        AND localfirst.is_item_field('due_on', m -> 'due_on') AND localfirst.is_item_field('start_on', m -> 'start_on')
        AND localfirst.is_item_field('acceptance', m -> 'acceptance')
    ) THEN false
    WHEN item_type = 'project' THEN
        localfirst.json_text(m -> 'description', 1000)
        AND localfirst.json_text(m -> 'target_quarter', 1000)
        AND localfirst.json_texts(m -> 'constitutional_principles')
    WHEN item_type = 'session' THEN
        localfirst.json_number(m -> 'token_budget', 1000, 1000000, true)
        AND localfirst.json_number(m -> 'prompts_count', 0, 9223372036854775807, true)
        AND localfirst.json_is(m -> 'yaml_frontmatter', 'object')
        AND localfirst.json_is(m -> 'yaml_frontmatter' -> 'schema_version', 'string')
        AND localfirst.json_is(m -> 'prompt', 'string')
    WHEN item_type = 'task' THEN
        localfirst.json_number(m -> 'estimated_hours', 0, 1000, false)
        AND localfirst.json_number(m -> 'actual_hours', 0, 1000, false)
        AND localfirst.json_text(m -> 'blocked_reason', 500)
    ELSE
        localfirst.json_texts(m -> 'research_questions')
        AND localfirst.json_text(m -> 'findings_summary', 2000)
        AND localfirst.json_is(m -> 'references', 'array')
END;

SELECT localfirst.secure();

UPDATE localfirst.work_items AS w SET
    metadata = coalesce((
        SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(w.metadata) AS e
        WHERE localfirst.is_item_field(e.key, e.value) AND e.key <> 'set_aside'
    ), '{}') || jsonb_build_object('set_aside',
        CASE WHEN jsonb_typeof(w.metadata -> 'set_aside') = 'object' THEN w.metadata -> 'set_aside' ELSE '{}' END || (
            SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(w.metadata) AS e
            WHERE NOT localfirst.is_item_field(e.key, e.value)
        )),
    updated_by = 'localfirst'
WHERE NOT localfirst.work_item_metadata_rules(w.item_type, w.metadata) AND EXISTS (
    SELECT FROM jsonb_each(w.metadata) AS e WHERE NOT localfirst.is_item_field(e.key, e.value)
);
