-- Systems outside that charges are delivered to. One process delivers to a target at a time; `epoch` counts those that
-- took it over, so that one that was only asleep cannot record anything more.
CREATE TABLE hourstream.delivery_targets (
    target text PRIMARY KEY,
    epoch bigint NOT NULL DEFAULT 0,
    breaker_until timestamptz, -- the breaker is open until then, half-open after it; null: closed
    paused_until timestamptz -- the target asked for no call before then
);

-- One row a target and charge, also after it is done. `seq` is the order of the stream within an engagement.
CREATE TABLE hourstream.deliveries (
    target text NOT NULL,
    charge_id text NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    -- cancelled: a refused charge and its reversal, neither of which the target needs any more.
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'posted', 'refused', 'cancelled')),
    reverses text,
    engagement_id text NOT NULL,
    client_id text NOT NULL,
    period text NOT NULL,
    charge jsonb NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0, -- offered without an answer, in a row
    alone boolean NOT NULL DEFAULT false, -- not to share a call any more: what fails may be this charge
    failing_since timestamptz,
    due_at timestamptz, -- not to be offered before then
    code text CHECK (code IN ('ERP_REFUSED', 'ERP_UNREACHABLE')), -- its open exception
    reference text,
    reason text, -- why it was refused, or why it is not known whether it was taken
    revision integer NOT NULL DEFAULT 0, -- counts what was announced of this posting
    answered_at timestamptz,
    PRIMARY KEY (charge_id, target),
    CHECK (state <> 'refused' OR (code = 'ERP_REFUSED' AND reason IS NOT NULL)),
    CHECK (state NOT IN ('posted', 'cancelled') OR code IS NULL)
);
CREATE INDEX deliveries_waiting ON hourstream.deliveries (target, seq) WHERE state = 'waiting';
CREATE INDEX deliveries_due ON hourstream.deliveries (target, due_at) WHERE state = 'waiting' AND due_at IS NOT NULL;
CREATE INDEX deliveries_with_exceptions ON hourstream.deliveries (target, code) WHERE code IS NOT NULL;
CREATE INDEX deliveries_reversing ON hourstream.deliveries (reverses, target) WHERE reverses IS NOT NULL;

-- What was last said on billing.exceptions of `posting:CHARGE_ID`, over all targets.
CREATE TABLE hourstream.delivery_exceptions (
    charge_id text PRIMARY KEY,
    is_open boolean NOT NULL DEFAULT false,
    code text NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '',
    revision integer NOT NULL DEFAULT 0,
    first_seen timestamptz,
    attempts integer NOT NULL DEFAULT 0
);

-- Running totals of a target, counted in the transaction that records what they count.
CREATE TABLE hourstream.delivery_counts (
    target text NOT NULL,
    name text NOT NULL,
    total bigint NOT NULL,
    PRIMARY KEY (target, name)
);

-- What people asked to be offered again, and why.
CREATE TABLE hourstream.delivery_replays (
    replay bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    by text NOT NULL CHECK (by <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    selection jsonb NOT NULL
);
CREATE TABLE hourstream.delivery_replayed (
    replay bigint NOT NULL REFERENCES hourstream.delivery_replays,
    charge_id text NOT NULL,
    target text NOT NULL,
    was text NOT NULL,
    PRIMARY KEY (replay, charge_id, target)
);
CREATE INDEX delivery_replayed_by_charge ON hourstream.delivery_replayed (charge_id);
