-- Revenue entries at the close of a month stand beside the postings of charges, in the same lines.
-- 1220: unbilled receivables (earned, not yet charged); 2400: deferred revenue (charged, not yet earned).
ALTER TABLE hourstream.journal_postings
    ADD COLUMN entry text NOT NULL DEFAULT 'charge' CHECK (entry IN ('charge', 'revenue'));
ALTER TABLE hourstream.journal_lines
    DROP CONSTRAINT journal_lines_account_check,
    ADD CONSTRAINT journal_lines_account_check CHECK (account IN ('1210', '4000', '1220', '2400'));
CREATE INDEX journal_revenue ON hourstream.journal_postings (system, period) WHERE entry = 'revenue';

-- The months that were closed, and when.
CREATE TABLE hourstream.revenue_runs (
    run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    system text NOT NULL,
    period text NOT NULL,
    entries integer NOT NULL,
    run_at timestamptz NOT NULL
);

-- Minutes planned for a fixed fee: what the share of work done is taken of. The last one counts.
CREATE TABLE hourstream.revenue_plans (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    engagement_id text NOT NULL,
    planned_minutes bigint CHECK (planned_minutes > 0),
    reason text NOT NULL,
    planned_by text NOT NULL,
    planned_at timestamptz NOT NULL
);
