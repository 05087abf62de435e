-- What became of our invoices in systems outside: how far each has told. `looks` counts those that were recorded; one
-- that began before another was recorded records nothing.
CREATE TABLE hourstream.status_looks (
    target text PRIMARY KEY,
    cursor jsonb, -- the source's own; null: nothing was told yet
    looks bigint NOT NULL DEFAULT 0,
    since timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL DEFAULT now(),
    told_until timestamptz, -- when the last look began that left nothing untold
    failures integer NOT NULL DEFAULT 0, -- looks without an answer, in a row
    breaker boolean NOT NULL DEFAULT false, -- so many that only a probe is sent when `due_at` has come
    reason text -- why the last of them had none
);
