-- Of a database that was made before this index was part of the script.
CREATE INDEX IF NOT EXISTS deliveries_in_order ON hourstream.deliveries (target, engagement_id, seq)
    WHERE state = 'waiting';
