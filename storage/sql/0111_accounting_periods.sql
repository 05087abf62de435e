-- Accounting periods of each legal entity: what was closed and opened, when, why and by whom. The last act on a month
-- counts: a close is of its month and of every earlier one, an opening of its month alone. Without an act a month is open.
CREATE TABLE hourstream.accounting_periods (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    legal_entity text NOT NULL CHECK (legal_entity <> ''),
    period text NOT NULL CHECK (period ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    status text NOT NULL CHECK (status IN ('open', 'closed')),
    -- How far each journal had read by then: {system: {partition: next offset}}.
    ends jsonb NOT NULL,
    reason text NOT NULL,
    acted_by text NOT NULL,
    acted_at timestamptz NOT NULL
);
CREATE FUNCTION hourstream.accounting_periods_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'acts on accounting periods are never changed; add another' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER accounting_periods_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hourstream.accounting_periods
    FOR EACH STATEMENT EXECUTE FUNCTION hourstream.accounting_periods_are_append_only();

-- The accounting period of a posting; of those before there were any, the month of its work.
ALTER TABLE hourstream.journal_postings ADD COLUMN posting_period text;
UPDATE hourstream.journal_postings SET posting_period = period;
ALTER TABLE hourstream.journal_postings ALTER COLUMN posting_period SET NOT NULL;
CREATE INDEX journal_by_posting_period ON hourstream.journal_postings (legal_entity, posting_period);
