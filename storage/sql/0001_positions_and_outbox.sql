-- How far each sink has read; moved in the transaction that writes what was read.
CREATE TABLE hourstream.positions (
    sink text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    PRIMARY KEY (sink, topic, partition)
);

-- What is written and has yet to be announced on Kafka. Values are records in their JSON form.
CREATE TABLE hourstream.outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    value jsonb NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz
);
CREATE INDEX outbox_unsent ON hourstream.outbox (topic, seq) WHERE sent_at IS NULL;
