-- Live figures of each sink: rows of billing.ready by what became of them, a minute of the broker's append time.
-- Counted in the transaction that writes the batch, so a restart loses none and repeats none.
CREATE TABLE hourstream.windows (
    sink text NOT NULL,
    partition integer NOT NULL,
    minute bigint NOT NULL,
    outcome text NOT NULL,
    records bigint NOT NULL,
    PRIMARY KEY (sink, partition, minute, outcome)
);
