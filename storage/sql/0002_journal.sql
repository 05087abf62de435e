-- The ERP journal: double entry, one posting a charge. Nothing posted is ever edited; a reversal is a posting of its own.
CREATE TABLE hourstream.journal_postings (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    posting_id text NOT NULL,
    charge_id text NOT NULL UNIQUE,
    reverses text,
    status text NOT NULL CHECK (status IN ('posted', 'refused')),
    reason text,
    -- Counts what was announced of this posting: a refused charge may be offered again and be posted then.
    revision integer NOT NULL DEFAULT 1,
    subject text NOT NULL,
    kind text NOT NULL,
    engagement_id text NOT NULL,
    client_id text NOT NULL,
    legal_entity text NOT NULL,
    work_date date NOT NULL,
    period text NOT NULL,
    worked_minutes bigint NOT NULL,
    billable_minutes bigint NOT NULL,
    currency text NOT NULL,
    amount numeric(18, 6) NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    posted_at timestamptz NOT NULL,
    CHECK ((status = 'refused') = (reason IS NOT NULL))
);
CREATE UNIQUE INDEX journal_reversed_once ON hourstream.journal_postings (reverses)
    WHERE reverses IS NOT NULL AND status = 'posted';

CREATE TABLE hourstream.journal_lines (
    posting bigint NOT NULL REFERENCES hourstream.journal_postings,
    line smallint NOT NULL,
    -- 1210: accounts receivable accrued (unbilled receivables); 4000: service revenue.
    account text NOT NULL CHECK (account IN ('1210', '4000')),
    debit numeric(18, 6) NOT NULL CHECK (debit >= 0),
    credit numeric(18, 6) NOT NULL CHECK (credit >= 0),
    PRIMARY KEY (posting, line),
    CHECK (debit = 0 OR credit = 0)
);

-- All lines of a posting come in one statement and balance among themselves.
CREATE FUNCTION hourstream.journal_must_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT posting INTO wrong FROM added GROUP BY posting HAVING sum(debit) <> sum(credit) OR count(*) < 2 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'posting % does not balance', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER journal_balance AFTER INSERT ON hourstream.journal_lines
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION hourstream.journal_must_balance();

CREATE FUNCTION hourstream.journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'journal lines are never changed; post a reversal' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hourstream.journal_lines
    FOR EACH STATEMENT EXECUTE FUNCTION hourstream.journal_is_append_only();
