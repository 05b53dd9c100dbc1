-- Structure at commit: in time that grows with what is looked at and not faster, and right whatever was committed beside an
-- open transaction.
--
-- Every look-up is LATERAL with OFFSET 0: one by an index for each row in question, whatever the planner thinks of the sizes.

-- Path and depth ---------------------------------------------------------------------------------------------------------

-- Where the given items and all that is below them belong, by their parents; no other item. Above is at most what five levels
-- allow and one more, so that a depth above 4 says: too deep, or in a circle.
CREATE FUNCTION localfirst.true_places(project uuid, items uuid[])
RETURNS TABLE (item uuid, true_path text, true_depth integer, path text, depth integer)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE given AS MATERIALIZED (
        SELECT DISTINCT w.id, w.parent_id, w.path, w.depth
        FROM unnest(items) AS i (id)
        CROSS JOIN LATERAL (
            SELECT w.id, w.parent_id, w.path, w.depth FROM localfirst.work_items AS w
            WHERE w.project_id = project AND w.id = i.id OFFSET 0
        ) AS w
    ),
    -- What is below another given item is reached from there.
    highest AS (
        SELECT g.* FROM given AS g WHERE g.parent_id IS NULL OR g.parent_id NOT IN (SELECT id FROM given)
    ),
    places (item, true_path, true_depth, path, depth) AS (
        SELECT h.id, concat_ws('/', p5.id, p4.id, p3.id, p2.id, p1.id, h.id),
            num_nonnulls(p1.id, p2.id, p3.id, p4.id, p5.id), h.path, h.depth
        FROM highest AS h
        LEFT JOIN LATERAL (SELECT w.id, w.parent_id FROM localfirst.work_items AS w
            WHERE w.project_id = project AND w.id = h.parent_id OFFSET 0) AS p1 ON true
        LEFT JOIN LATERAL (SELECT w.id, w.parent_id FROM localfirst.work_items AS w
            WHERE w.project_id = project AND w.id = p1.parent_id OFFSET 0) AS p2 ON true
        LEFT JOIN LATERAL (SELECT w.id, w.parent_id FROM localfirst.work_items AS w
            WHERE w.project_id = project AND w.id = p2.parent_id OFFSET 0) AS p3 ON true
        LEFT JOIN LATERAL (SELECT w.id, w.parent_id FROM localfirst.work_items AS w
            WHERE w.project_id = project AND w.id = p3.parent_id OFFSET 0) AS p4 ON true
        LEFT JOIN LATERAL (SELECT w.id, w.parent_id FROM localfirst.work_items AS w
            WHERE w.project_id = project AND w.id = p4.parent_id OFFSET 0) AS p5 ON true
        UNION ALL
        SELECT c.id, a.true_path || '/' || c.id, a.true_depth + 1, c.path, c.depth
        FROM places AS a
        CROSS JOIN LATERAL (
            SELECT w.id, w.path, w.depth FROM localfirst.work_items AS w
            WHERE w.project_id = project AND w.parent_id = a.item OFFSET 0
        ) AS c
        WHERE a.true_depth < 5
    )
    SELECT * FROM places
$$;

-- Writes path and depth without a version, as the engine does: they are derived, and every replica derives them itself.
CREATE FUNCTION localfirst.write_places(project uuid, items uuid[], paths text[], depths integer[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp 
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    before text := current_setting('localfirst.engine', true);
BEGIN
    PERFORM set_config('localfirst.engine', 'on', true);
    UPDATE localfirst.work_items AS w SET path = t.path, depth = t.depth
    FROM unnest(items, paths, depths) AS t (id, path, depth)
    WHERE w.project_id = project AND w.id = t.id;
    PERFORM set_config('localfirst.engine', coalesce(before, ''), true);
END
$$;

-- Brings path and depth of the given items, and of all below them, in line with their parents.
CREATE OR REPLACE FUNCTION localfirst.derive_paths(project uuid, items uuid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong uuid[];
    paths text[];
    depths integer[];
    deepest integer;
BEGIN
    SELECT array_agg(t.item), array_agg(t.true_path), array_agg(t.true_depth), max(t.true_depth)
    INTO wrong, paths, depths, deepest
    FROM localfirst.true_places(project, items) AS t WHERE t.path <> t.true_path OR t.depth <> t.true_depth;
    IF deepest > 4 THEN
        RAISE EXCEPTION 'work items must not be nested deeper than 5 levels, nor in a circle'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'work_items_depth_check';
    END IF;
    IF wrong IS NOT NULL THEN
        PERFORM localfirst.write_places(project, wrong, paths, depths);
    END IF;
END
$$;

-- Brings every path and depth of a project in line; what is too deep or in a circle has none and stays. Call it under the
-- head's lock. Returns how many rows were wrong.
CREATE FUNCTION localfirst.mend_paths(project uuid) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong uuid[];
    paths text[];
    depths integer[];
BEGIN
    SELECT array_agg(t.item), array_agg(t.true_path), array_agg(t.true_depth) INTO wrong, paths, depths
    FROM localfirst.true_places(project, ARRAY(
        SELECT w.id FROM localfirst.work_items AS w WHERE w.project_id = project
    )) AS t
    WHERE t.true_depth <= 4 AND (t.path <> t.true_path OR t.depth <> t.true_depth);
    IF wrong IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM localfirst.write_places(project, wrong, paths, depths);
    RETURN cardinality(wrong);
END
$$;

-- Dependencies -----------------------------------------------------------------------------------------------------------

-- A dependency that the transaction has made and that closes a circle, or NULL: one by which somebody waits for himself.
--
-- What is reached from the new dependencies is read once, numbered, and divided into its strongly connected components (Tarjan
-- 1972) in arrays: the work grows with the number of dependencies, however many ways there are through them.
CREATE FUNCTION localfirst.circle_of_dependencies(project uuid, transaction_id xid8) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET enable_mergejoin = off AS $$
DECLARE
    dependencies uuid[];
    is_new boolean[];
    sources integer[];  -- by rising number, so that what an item waits for stands together
    targets integer[];
    following integer[]; -- of each item: the place of the dependency to be looked at next
    entered integer[];   -- when the item was reached; 0: not yet
    lowest integer[];    -- the earliest item that is known to be reached from it and is still open
    component integer[]; -- 0: still open
    open_items integer[] := '{}';
    trail integer[] := '{}';
    open_count integer := 0;
    steps integer := 0;
    clock integer := 0;
    items integer;
    item integer;
    other integer;
    place integer;
    edges integer;
BEGIN
    WITH RECURSIVE made AS MATERIALIZED (
        SELECT h.entity_id AS id FROM localfirst.history_pending AS h
        WHERE h.tx = transaction_id AND h.project_id = project AND h.structural AND h.entity = 'work_item_dependency'
    ),
    reach (item) AS (
        SELECT e.waited_for
        FROM made
        CROSS JOIN LATERAL (
            SELECT CASE d.dependency_type WHEN 'depends_on' THEN d.work_item_id ELSE d.depends_on_id END AS waiting,
                   CASE d.dependency_type WHEN 'depends_on' THEN d.depends_on_id ELSE d.work_item_id END AS waited_for
            FROM localfirst.work_item_dependencies AS d
            WHERE d.project_id = project AND d.id = made.id AND d.deleted_at IS NULL OFFSET 0
        ) AS e
        -- Nobody waits for the one that waits: it is at the end of every chain, and in no circle.
        WHERE EXISTS (
            SELECT FROM localfirst.work_item_dependencies AS d
            WHERE d.project_id = project AND d.depends_on_id = e.waiting
                AND d.dependency_type = 'depends_on' AND d.deleted_at IS NULL OFFSET 0
        ) OR EXISTS (
            SELECT FROM localfirst.work_item_dependencies AS d
            WHERE d.project_id = project AND d.work_item_id = e.waiting
                AND d.dependency_type = 'blocks' AND d.deleted_at IS NULL OFFSET 0
        )
        UNION
        SELECT w.waited_for
        FROM reach
        CROSS JOIN LATERAL (
            SELECT d.depends_on_id AS waited_for FROM localfirst.work_item_dependencies AS d
            WHERE d.project_id = project AND d.work_item_id = reach.item
                AND d.dependency_type = 'depends_on' AND d.deleted_at IS NULL
            UNION ALL
            SELECT d.work_item_id FROM localfirst.work_item_dependencies AS d
            WHERE d.project_id = project AND d.depends_on_id = reach.item
                AND d.dependency_type = 'blocks' AND d.deleted_at IS NULL
        ) AS w
    ),
    numbered AS MATERIALIZED (
        SELECT reach.item, row_number() OVER () AS number FROM reach
    ),
    waits AS MATERIALIZED (
        SELECT w.id, w.id IN (SELECT made.id FROM made) AS is_new, n.number AS source, w.waited_for
        FROM numbered AS n
        CROSS JOIN LATERAL (
            SELECT d.id, d.depends_on_id AS waited_for FROM localfirst.work_item_dependencies AS d
            WHERE d.project_id = project AND d.work_item_id = n.item
                AND d.dependency_type = 'depends_on' AND d.deleted_at IS NULL
            UNION ALL
            SELECT d.id, d.work_item_id FROM localfirst.work_item_dependencies AS d
            WHERE d.project_id = project AND d.depends_on_id = n.item
                AND d.dependency_type = 'blocks' AND d.deleted_at IS NULL
        ) AS w
    ),
    -- Here no index is to be had: by hashing (nested loops are off), whatever the planner thinks of the sizes.
    ordered AS (
        SELECT w.id, w.is_new, w.source::integer AS source, n.number::integer AS target
        FROM waits AS w JOIN numbered AS n ON n.item = w.waited_for
        ORDER BY w.source
    )
    SELECT array_agg(o.id), array_agg(o.is_new), array_agg(o.source), array_agg(o.target), max(greatest(o.source, o.target))
    INTO dependencies, is_new, sources, targets, items
    FROM ordered AS o;
    IF items IS NULL THEN
        RETURN NULL;
    END IF;

    edges := cardinality(sources);
    following := array_fill(edges + 1, ARRAY[items]);
    entered := array_fill(0, ARRAY[items]);
    lowest := array_fill(0, ARRAY[items]);
    component := array_fill(0, ARRAY[items]);
    FOR place IN REVERSE edges..1 LOOP
        following[sources[place]] := place;
    END LOOP;
    FOR start IN 1..items LOOP
        CONTINUE WHEN entered[start] > 0;
        other := start;
        LOOP
            IF other IS NOT NULL THEN -- enter it
                clock := clock + 1;
                entered[other] := clock;
                lowest[other] := clock;
                open_count := open_count + 1;
                open_items[open_count] := other;
                steps := steps + 1;
                trail[steps] := other;
            END IF;
            item := trail[steps];
            place := following[item];
            other := NULL;
            IF place <= edges AND sources[place] = item THEN
                following[item] := place + 1;
                IF entered[targets[place]] = 0 THEN
                    other := targets[place];
                ELSIF component[targets[place]] = 0 THEN
                    lowest[item] := least(lowest[item], entered[targets[place]]);
                END IF;
                CONTINUE;
            END IF;
            IF lowest[item] = entered[item] THEN -- nothing that is open leads out of it: a component is complete
                WHILE component[item] = 0 LOOP
                    component[open_items[open_count]] := item;
                    open_count := open_count - 1;
                END LOOP;
            END IF;
            steps := steps - 1;
            EXIT WHEN steps = 0;
            lowest[trail[steps]] := least(lowest[trail[steps]], lowest[item]);
        END LOOP;
    END LOOP;
    FOR place IN 1..edges LOOP
        IF is_new[place] AND component[sources[place]] = component[targets[place]] THEN
            RETURN dependencies[place];
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION localfirst.check_structure(project uuid, transaction_id xid8) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    offender uuid;
BEGIN
    SELECT c.id INTO offender
    FROM localfirst.history_pending AS h
    CROSS JOIN LATERAL (
        SELECT w.deleted_at FROM localfirst.work_items AS w WHERE w.project_id = project AND w.id = h.entity_id OFFSET 0
    ) AS p
    CROSS JOIN LATERAL (
        SELECT w.id FROM localfirst.work_items AS w
        WHERE w.project_id = project AND w.parent_id = h.entity_id AND w.deleted_at IS NULL LIMIT 1
    ) AS c
    WHERE h.tx = transaction_id AND h.project_id = project AND h.structural AND h.entity = 'work_item'
        AND p.deleted_at IS NOT NULL
    LIMIT 1;
    IF offender IS NOT NULL THEN
        RAISE EXCEPTION 'a work item with live children cannot be deleted (child %)', offender
            USING ERRCODE = 'restrict_violation';
    END IF;

    SELECT h.entity_id INTO offender
    FROM localfirst.history_pending AS h
    CROSS JOIN LATERAL (
        SELECT w.parent_id FROM localfirst.work_items AS w
        WHERE w.project_id = project AND w.id = h.entity_id AND w.deleted_at IS NULL OFFSET 0
    ) AS c
    CROSS JOIN LATERAL (
        SELECT w.deleted_at FROM localfirst.work_items AS w WHERE w.project_id = project AND w.id = c.parent_id OFFSET 0
    ) AS p
    WHERE h.tx = transaction_id AND h.project_id = project AND h.structural AND h.entity = 'work_item'
        AND p.deleted_at IS NOT NULL
    LIMIT 1;
    IF offender IS NOT NULL THEN
        RAISE EXCEPTION 'work item % has a deleted parent', offender USING ERRCODE = 'foreign_key_violation';
    END IF;

    -- Five levels: of what is below, the derivation of paths sees to it.
    SELECT p0.id INTO offender
    FROM localfirst.history_pending AS h
    CROSS JOIN LATERAL (SELECT w.id, w.parent_id FROM localfirst.work_items AS w
        WHERE w.project_id = project AND w.id = h.entity_id OFFSET 0) AS p0
    CROSS JOIN LATERAL (SELECT w.parent_id FROM localfirst.work_items AS w
        WHERE w.project_id = project AND w.id = p0.parent_id OFFSET 0) AS p1
    CROSS JOIN LATERAL (SELECT w.parent_id FROM localfirst.work_items AS w
        WHERE w.project_id = project AND w.id = p1.parent_id OFFSET 0) AS p2
    CROSS JOIN LATERAL (SELECT w.parent_id FROM localfirst.work_items AS w
        WHERE w.project_id = project AND w.id = p2.parent_id OFFSET 0) AS p3
    CROSS JOIN LATERAL (SELECT w.parent_id FROM localfirst.work_items AS w
        WHERE w.project_id = project AND w.id = p3.parent_id OFFSET 0) AS p4
    WHERE h.tx = transaction_id AND h.project_id = project AND h.structural AND h.entity = 'work_item'
        AND p4.parent_id IS NOT NULL
    LIMIT 1;
    IF offender IS NOT NULL THEN
        RAISE EXCEPTION 'work items must not be nested deeper than 5 levels, nor in a circle (work item %)', offender
            USING ERRCODE = 'check_violation', CONSTRAINT = 'work_items_depth_check';
    END IF;

    offender := localfirst.circle_of_dependencies(project, transaction_id);
    IF offender IS NOT NULL THEN
        RAISE EXCEPTION 'dependencies must not form a cycle (dependency %)', offender USING ERRCODE = 'check_violation';
    END IF;
END
$$;

-- Numbering, at commit ---------------------------------------------------------------------------------------------------

-- The head that was there when the transaction made its first change of the project: what comes after it in the log may have
-- been invisible to that transaction.
ALTER TABLE localfirst.history_markers ADD COLUMN head bigint NOT NULL DEFAULT 0;

CREATE FUNCTION localfirst.note_head() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT h.head INTO NEW.head FROM localfirst.project_heads AS h WHERE h.project_id = NEW.project_id;
    NEW.head := coalesce(NEW.head, 0);
    RETURN NEW;
END
$$;

CREATE TRIGGER note_head BEFORE INSERT ON localfirst.history_markers
    FOR EACH ROW EXECUTE FUNCTION localfirst.note_head();

-- Whether somebody has created, moved or deleted work items after this number of the log; too much to look through counts so.
CREATE FUNCTION localfirst.tree_changed_since(project uuid, since bigint, head bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT head > since + 10000 OR EXISTS (
        SELECT FROM localfirst.history AS h
        WHERE h.project_id = project AND h.seq > since AND h.entity = 'work_item'
            AND (h.outcome <> 'accepted' OR h.fields ?| '{item_type,parent_id,deleted_at}'::text[])
    )
$$;

-- Derives the paths of what a transaction has put somewhere or deleted, and of all below, again, if others have changed the tree
-- after this number of the log.
CREATE FUNCTION localfirst.derive_again(project uuid, transaction_id xid8, since bigint, head bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    placed uuid[];
BEGIN
    IF head > since AND localfirst.tree_changed_since(project, since, head) THEN
        SELECT array_agg(h.entity_id) INTO placed FROM localfirst.history_pending AS h
        WHERE h.tx = transaction_id AND h.project_id = project AND h.structural AND h.entity = 'work_item';
        PERFORM localfirst.derive_paths(project, placed);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION localfirst.number_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    transaction_id xid8 := pg_current_xact_id();
    project uuid;
    since bigint;
    last bigint;
    numbered bigint;
    new_tag integer;
    patience text := current_setting('lock_timeout');
BEGIN
    -- A statement derives paths from what it saw. What others have committed since may have moved what is above, or have put
    -- something below. First here, where nobody waits for us, since those rows may be held by others ...
    FOR project, since, last IN
        SELECT m.project_id, m.head, h.head FROM localfirst.history_markers AS m JOIN localfirst.project_heads AS h USING (project_id)
        WHERE m.tx = transaction_id AND h.head > m.head
            AND EXISTS (
                SELECT FROM localfirst.history_pending AS p WHERE p.tx = transaction_id AND p.project_id = m.project_id AND p.structural
            )
    LOOP
        PERFORM localfirst.derive_again(project, transaction_id, since, last);
        UPDATE localfirst.history_markers AS m SET head = last WHERE m.tx = transaction_id AND m.project_id = project;
    END LOOP;
    -- The first marker to fire numbers all projects of the transaction, sorted, so that two transactions never wait for
    -- each other's heads crosswise; the others then find nothing to do.
    FOR project, since IN
        SELECT m.project_id, m.head FROM localfirst.history_markers AS m WHERE m.tx = transaction_id ORDER BY m.project_id
    LOOP
        SELECT h.head INTO last FROM localfirst.project_heads AS h WHERE h.project_id = project FOR UPDATE;
        IF EXISTS (
            SELECT FROM localfirst.history_pending AS p WHERE p.tx = transaction_id AND p.project_id = project AND p.structural
        ) THEN
            -- Under the head's lock all earlier changes of the project are visible, so that the check cannot be outrun.
            PERFORM localfirst.check_structure(project, transaction_id);
            IF last > since THEN
                -- ... and again for what came in between. Here everybody waits for us: we wait for nobody for long.
                BEGIN
                    PERFORM set_config('lock_timeout', '500ms', true);
                    PERFORM localfirst.derive_again(project, transaction_id, since, last);
                    PERFORM set_config('lock_timeout', patience, true);
                EXCEPTION WHEN lock_not_available THEN
                    RAISE EXCEPTION 'something below a moved work item is held by another open transaction; repeat this one'
                        USING ERRCODE = 'lock_not_available';
                END;
            END IF;
        END IF;
        new_tag := floor(random() * 2147483647)::integer;
        WITH moved AS (
            DELETE FROM localfirst.history_pending AS p WHERE p.tx = transaction_id AND p.project_id = project RETURNING p.*
        )
        INSERT INTO localfirst.history (project_id, seq, tag, entity, entity_id, version, by, at, outcome, fields)
        SELECT project, last + row_number() OVER (ORDER BY m.change_id), new_tag, m.entity, m.entity_id, m.version, m.by, now(),
            'accepted', m.fields
        FROM moved AS m;
        GET DIAGNOSTICS numbered = ROW_COUNT;
        DELETE FROM localfirst.history_markers AS m WHERE m.tx = transaction_id AND m.project_id = project;
        IF numbered > 0 THEN
            UPDATE localfirst.project_heads AS h SET head = last + numbered, tag = new_tag WHERE h.project_id = project;
            PERFORM pg_notify('localfirst_' || replace(project::text, '-', ''), '');
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

-- The log of an update joins its old rows with its new ones, as large as the statement was. A session plans that once, for the
-- sizes of its first statements: with nested loops for one row, which took minutes for 100 000 later on. By hashing always.
DO $$
DECLARE
    log_update regprocedure;
BEGIN
    FOR log_update IN
        SELECT p.oid FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'localfirst'::regnamespace AND p.proname LIKE '%\_log\_update'
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET enable_nestloop = off', log_update);
    END LOOP;
END
$$;

-- Brings a tombstone back, with the values of the row that was to be inserted; false if there is none. Nearly every insert
-- finds none: that is asked by a planned statement, before one is made for the occasion.
CREATE OR REPLACE FUNCTION localfirst.revive(tab text, given jsonb) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    project uuid := given ->> 'project_id';
    row_id uuid := given ->> 'id';
    is_there boolean := true;
    revived bigint;
BEGIN
    CASE tab
        WHEN 'work_item_dependencies' THEN
            is_there := EXISTS (SELECT FROM localfirst.work_item_dependencies AS t
                WHERE t.project_id = project AND t.id = row_id AND t.deleted_at IS NOT NULL);
        WHEN 'vendor_deployment_links' THEN
            is_there := EXISTS (SELECT FROM localfirst.vendor_deployment_links AS t
                WHERE t.project_id = project AND t.id = row_id AND t.deleted_at IS NOT NULL);
        WHEN 'work_item_deployment_links' THEN
            is_there := EXISTS (SELECT FROM localfirst.work_item_deployment_links AS t
                WHERE t.project_id = project AND t.id = row_id AND t.deleted_at IS NOT NULL);
        WHEN 'vendor_extractors' THEN
            is_there := EXISTS (SELECT FROM localfirst.vendor_extractors AS t
                WHERE t.project_id = project AND t.id = row_id AND t.deleted_at IS NOT NULL);
    END CASE;
    IF NOT is_there THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'UPDATE localfirst.%I SET deleted_at = NULL, updated_by = $3 %s'
        ' WHERE project_id = $1 AND id = $2 AND deleted_at IS NOT NULL',
        tab,
        CASE tab WHEN 'vendor_extractors' THEN ', operational = ($4 ->> ''operational'')::boolean, metadata = $4 -> ''metadata''' END)
    USING project, row_id, given ->> 'updated_by', given;
    GET DIAGNOSTICS revived = ROW_COUNT;
    RETURN revived > 0;
END
$$;

-- Paths that older versions have left wrong.
SELECT localfirst.mend_paths(h.project_id) FROM (
    SELECT p.project_id FROM localfirst.project_heads AS p ORDER BY p.project_id FOR UPDATE
) AS h;
