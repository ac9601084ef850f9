-- Format 1. The tables stand in a PostgreSQL schema of their own; ids and keys are bytes, so that any character may
-- stand in them and no locale orders them.
CREATE TABLE meta (name text COLLATE "C" PRIMARY KEY, value text NOT NULL);

-- The one row that whoever commits locks first: the last numbers given out.
CREATE TABLE state (only_row boolean PRIMARY KEY CHECK (only_row), position bigint NOT NULL, revision bigint NOT NULL)
  WITH (fillfactor = 20);
INSERT INTO state VALUES (true, 0, 0);

-- `name` is the id, or the digest of one that is too long for an index; then `long_id` has it.
CREATE TABLE resources (
  position bigint PRIMARY KEY,
  revision bigint NOT NULL,
  checksum bigint NOT NULL,
  kind text COLLATE "C" NOT NULL,
  name bytea NOT NULL,
  long_id bytea,
  index_keys bytea NOT NULL,
  data bytea NOT NULL
);
ALTER TABLE resources ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX resources_name ON resources (kind, name);
CREATE INDEX resources_order ON resources (kind, position);

CREATE TABLE entries (
  kind text COLLATE "C" NOT NULL, index_name text COLLATE "C" NOT NULL, key bytea NOT NULL, position bigint NOT NULL,
  PRIMARY KEY (kind, index_name, key, position)
);
CREATE TABLE unique_entries (
  kind text COLLATE "C" NOT NULL, index_name text COLLATE "C" NOT NULL, key bytea NOT NULL, position bigint NOT NULL,
  PRIMARY KEY (kind, index_name, key)
);

-- How many entries an index key has; with an empty index name, how many resources a kind has.
CREATE TABLE counts (
  kind text COLLATE "C" NOT NULL, index_name text COLLATE "C" NOT NULL, key bytea NOT NULL, number bigint NOT NULL,
  PRIMARY KEY (kind, index_name, key)
) WITH (fillfactor = 50);

-- What became of a write: asked after a connection broke while it was written. Without position: the write isn't there,
-- and the row keeps it from ever being.
CREATE TABLE writes (token bytea PRIMARY KEY, position bigint, at timestamptz NOT NULL DEFAULT now());
CREATE INDEX writes_age ON writes (at);

-- A whole write in one call; returns the last position before it. Each statement of a function sees what was committed
-- before that statement began, so all that follows the lock of `state` sees the last state there is.
-- New positions are negative, counted down from -1; revisions are counted from 1. `p_met_revision` is what the plan
-- read: a revision, -1 (there in any revision) or -2 (not there). Under a key in `p_free_…` nothing may stand but the
-- positions in `p_known_…`, which name the key's row. Raises PT409 where that isn't so, and unique_violation.
CREATE FUNCTION write_batches(
  p_token bytea, p_channel text, p_last_position bigint, p_positions bigint, p_revisions bigint,
  p_met_kind text[], p_met_name bytea[], p_met_revision bigint[],
  p_free_kind text[], p_free_index text[], p_free_key bytea[], p_known_row bigint[], p_known_position bigint[],
  p_removed bigint[], p_lost_kind text[], p_lost_index text[], p_lost_key bytea[], p_lost_position bigint[],
  p_changed bigint[], p_changed_revision bigint[], p_changed_checksum bigint[], p_changed_keys bytea[],
  p_changed_data bytea[],
  p_new_position bigint[], p_new_revision bigint[], p_new_checksum bigint[], p_new_kind text[], p_new_name bytea[],
  p_new_long_id bytea[], p_new_keys bytea[], p_new_data bytea[],
  p_unique_kind text[], p_unique_index text[], p_unique_key bytea[], p_unique_position bigint[],
  p_entry_kind text[], p_entry_index text[], p_entry_key bytea[], p_entry_position bigint[],
  p_count_kind text[], p_count_index text[], p_count_key bytea[], p_count_change bigint[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  first_position bigint;
  first_revision bigint;
BEGIN
  UPDATE state SET position = position + p_positions, revision = revision + p_revisions
    RETURNING position - p_positions, revision - p_revisions INTO first_position, first_revision;
  IF p_last_position <> first_position THEN
    RAISE EXCEPTION 'the last position is %', first_position USING ERRCODE = 'PT409';
  END IF;
  IF EXISTS (
    SELECT FROM unnest(p_met_kind, p_met_name, p_met_revision) AS met (kind, name, revision)
    LEFT JOIN resources AS r ON r.kind = met.kind AND r.name = met.name
    WHERE CASE met.revision WHEN -1 THEN r.revision IS NULL WHEN -2 THEN r.revision IS NOT NULL
      ELSE r.revision IS DISTINCT FROM met.revision END
  ) THEN
    RAISE EXCEPTION 'a resource has changed since the plan' USING ERRCODE = 'PT409';
  END IF;
  IF cardinality(p_free_kind) > 0 AND EXISTS (
    SELECT FROM unnest(p_free_kind, p_free_index, p_free_key) WITH ORDINALITY AS free (kind, index_name, key, n)
    CROSS JOIN LATERAL (
      SELECT position FROM entries AS e
        WHERE e.kind = free.kind AND e.index_name = free.index_name AND e.key = free.key
      UNION ALL SELECT position FROM unique_entries AS u
        WHERE u.kind = free.kind AND u.index_name = free.index_name AND u.key = free.key
    ) AS held
    WHERE NOT EXISTS (
      SELECT FROM unnest(p_known_row, p_known_position) AS known (n, position)
      WHERE known.n = free.n AND known.position = held.position
    )
  ) THEN
    RAISE EXCEPTION 'an index key was taken since the plan' USING ERRCODE = 'PT409';
  END IF;
  IF cardinality(p_removed) > 0 THEN
    DELETE FROM resources AS r WHERE r.position = ANY (p_removed);
  END IF;
  IF cardinality(p_lost_kind) > 0 THEN
    DELETE FROM entries AS e
      USING unnest(p_lost_kind, p_lost_index, p_lost_key, p_lost_position) AS lost (kind, index_name, key, position)
      WHERE e.kind = lost.kind AND e.index_name = lost.index_name AND e.key = lost.key AND e.position = lost.position;
    DELETE FROM unique_entries AS e
      USING unnest(p_lost_kind, p_lost_index, p_lost_key, p_lost_position) AS lost (kind, index_name, key, position)
      WHERE e.kind = lost.kind AND e.index_name = lost.index_name AND e.key = lost.key AND e.position = lost.position;
  END IF;
  IF cardinality(p_changed) > 0 THEN
    UPDATE resources AS r
      SET revision = first_revision + c.revision, checksum = c.checksum, index_keys = c.index_keys, data = c.data
      FROM unnest(p_changed, p_changed_revision, p_changed_checksum, p_changed_keys, p_changed_data)
        AS c (position, revision, checksum, index_keys, data)
      WHERE r.position = c.position;
  END IF;
  INSERT INTO resources (position, revision, checksum, kind, name, long_id, index_keys, data)
    SELECT first_position - n.position, first_revision + n.revision, checksum, kind, name, nullif(long_id, ''),
      index_keys, data
    FROM unnest(p_new_position, p_new_revision, p_new_checksum, p_new_kind, p_new_name, p_new_long_id, p_new_keys,
      p_new_data) AS n (position, revision, checksum, kind, name, long_id, index_keys, data);
  INSERT INTO unique_entries (kind, index_name, key, position)
    SELECT kind, index_name, key, CASE WHEN n.position < 0 THEN first_position - n.position ELSE n.position END
    FROM unnest(p_unique_kind, p_unique_index, p_unique_key, p_unique_position) AS n (kind, index_name, key, position);
  INSERT INTO entries (kind, index_name, key, position)
    SELECT kind, index_name, key, CASE WHEN n.position < 0 THEN first_position - n.position ELSE n.position END
    FROM unnest(p_entry_kind, p_entry_index, p_entry_key, p_entry_position) AS n (kind, index_name, key, position);
  IF cardinality(p_count_kind) > 0 THEN
    INSERT INTO counts AS c (kind, index_name, key, number)
      SELECT * FROM unnest(p_count_kind, p_count_index, p_count_key, p_count_change)
      ON CONFLICT (kind, index_name, key) DO UPDATE SET number = c.number + excluded.number;
    DELETE FROM counts AS c USING unnest(p_count_kind, p_count_index, p_count_key, p_count_change)
        AS n (kind, index_name, key, change)
      WHERE n.change < 0 AND c.kind = n.kind AND c.index_name = n.index_name AND c.key = n.key AND c.number = 0;
  END IF;
  INSERT INTO writes (token, position) VALUES (p_token, first_position);
  PERFORM pg_notify(p_channel, '');
  RETURN first_position;
END $$;
