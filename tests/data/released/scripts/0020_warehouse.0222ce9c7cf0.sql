-- The console's read models, written by the warehouse worker alone. All records of an engagement share one partition, so
-- every row of an engagement, the totals' too, has one writer at a time.

-- The last state of each exception. What is missing is '' where nothing is, so that causes can be grouped and compared.
CREATE TABLE hourstream.exceptions (
    exception_id text PRIMARY KEY,
    engagement_id text NOT NULL,
    subject text NOT NULL,
    revision bigint NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    missing_kind text NOT NULL,
    missing_id text NOT NULL,
    missing_day date,
    amount numeric(18, 6),
    minutes bigint NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'waived', 'resolved')),
    first_seen timestamptz NOT NULL,
    attempts bigint NOT NULL,
    owner text NOT NULL,
    region text NOT NULL,
    changed_at timestamptz NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL
);
CREATE INDEX exceptions_by_subject ON hourstream.exceptions (engagement_id, subject);
CREATE INDEX exceptions_by_age ON hourstream.exceptions (status, first_seen, exception_id);
CREATE INDEX exceptions_by_minutes ON hourstream.exceptions (status, minutes, exception_id);
CREATE INDEX exceptions_by_cause
    ON hourstream.exceptions (code, missing_kind, missing_id, status, first_seen, exception_id);

-- What exceptions come to, by engagement and cause. `priced` are those that tell their amount.
CREATE TABLE hourstream.exception_totals (
    engagement_id text NOT NULL,
    subject_kind text NOT NULL,
    code text NOT NULL,
    missing_kind text NOT NULL,
    missing_id text NOT NULL,
    status text NOT NULL,
    region text NOT NULL,
    owner text NOT NULL,
    subjects bigint NOT NULL,
    minutes bigint NOT NULL,
    amount numeric NOT NULL,
    priced bigint NOT NULL,
    priced_minutes bigint NOT NULL,
    PRIMARY KEY (engagement_id, subject_kind, code, missing_kind, missing_id, status, region, owner)
);

CREATE FUNCTION hourstream.total_exceptions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO hourstream.exception_totals AS t
        SELECT engagement_id, split_part(subject, ':', 1), code, missing_kind, missing_id, status, region, owner, count(*), sum(minutes),
               coalesce(sum(amount), 0), count(amount), coalesce(sum(minutes) FILTER (WHERE amount IS NOT NULL), 0)
        FROM added GROUP BY engagement_id, split_part(subject, ':', 1), code, missing_kind, missing_id, status, region, owner
        ON CONFLICT (engagement_id, subject_kind, code, missing_kind, missing_id, status, region, owner) DO UPDATE
            SET subjects = t.subjects + excluded.subjects, minutes = t.minutes + excluded.minutes,
                amount = t.amount + excluded.amount, priced = t.priced + excluded.priced,
                priced_minutes = t.priced_minutes + excluded.priced_minutes;
    ELSE
        INSERT INTO hourstream.exception_totals AS t
        SELECT engagement_id, split_part(subject, ':', 1), code, missing_kind, missing_id, status, region, owner, sum(sign), sum(sign * minutes),
               coalesce(sum(sign * amount), 0), coalesce(sum(sign) FILTER (WHERE amount IS NOT NULL), 0),
               coalesce(sum(sign * minutes) FILTER (WHERE amount IS NOT NULL), 0)
        FROM (SELECT 1 AS sign, * FROM added UNION ALL SELECT -1, * FROM removed) changed
        GROUP BY engagement_id, split_part(subject, ':', 1), code, missing_kind, missing_id, status, region, owner
        ON CONFLICT (engagement_id, subject_kind, code, missing_kind, missing_id, status, region, owner) DO UPDATE
            SET subjects = t.subjects + excluded.subjects, minutes = t.minutes + excluded.minutes,
                amount = t.amount + excluded.amount, priced = t.priced + excluded.priced,
                priced_minutes = t.priced_minutes + excluded.priced_minutes;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER exceptions_added AFTER INSERT ON hourstream.exceptions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION hourstream.total_exceptions();
CREATE TRIGGER exceptions_changed AFTER UPDATE ON hourstream.exceptions
    REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION hourstream.total_exceptions();

-- The winning revision of each time entry.
CREATE TABLE hourstream.time_entries (
    engagement_id text NOT NULL,
    entry_id text NOT NULL,
    revision bigint NOT NULL,
    status text NOT NULL,
    task_id text NOT NULL,
    consultant_id text NOT NULL,
    labor_category text,
    work_date date NOT NULL,
    minutes bigint NOT NULL,
    billable boolean NOT NULL,
    approved_by text,
    appended_at timestamptz NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    PRIMARY KEY (engagement_id, entry_id)
);
CREATE INDEX time_entries_by_id ON hourstream.time_entries (entry_id);

-- Minutes of time by what they wait for, an engagement and day.
CREATE TABLE hourstream.time_totals (
    engagement_id text NOT NULL,
    work_date date NOT NULL,
    status text NOT NULL,
    entries bigint NOT NULL,
    minutes bigint NOT NULL,
    PRIMARY KEY (engagement_id, work_date, status)
);

CREATE FUNCTION hourstream.total_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO hourstream.time_totals AS t
        SELECT engagement_id, work_date, status, count(*), sum(minutes)
        FROM added GROUP BY engagement_id, work_date, status
        ON CONFLICT (engagement_id, work_date, status) DO UPDATE
            SET entries = t.entries + excluded.entries, minutes = t.minutes + excluded.minutes;
    ELSE
        INSERT INTO hourstream.time_totals AS t
        SELECT engagement_id, work_date, status, sum(sign), sum(sign * minutes)
        FROM (SELECT 1 AS sign, * FROM added UNION ALL SELECT -1, * FROM removed) changed
        GROUP BY engagement_id, work_date, status
        ON CONFLICT (engagement_id, work_date, status) DO UPDATE
            SET entries = t.entries + excluded.entries, minutes = t.minutes + excluded.minutes;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER time_entries_added AFTER INSERT ON hourstream.time_entries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION hourstream.total_time();
CREATE TRIGGER time_entries_changed AFTER UPDATE ON hourstream.time_entries
    REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION hourstream.total_time();

-- What was said of each subject, a row a record: the beginning of its timeline. Charges, postings and invoices, which
-- follow, have tables of their own.
CREATE TABLE hourstream.history (
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    engagement_id text NOT NULL,
    subject text NOT NULL,
    appended_at timestamptz NOT NULL,
    stage text NOT NULL,
    what text NOT NULL,
    source text,
    PRIMARY KEY (topic, partition, record_offset)
);
CREATE INDEX history_by_subject ON hourstream.history (subject, engagement_id, appended_at);

CREATE TABLE hourstream.invoice_statuses (
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    invoice_id text NOT NULL,
    engagement_id text NOT NULL,
    status text NOT NULL,
    revision bigint NOT NULL,
    amount numeric(18, 6) NOT NULL,
    currency text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, record_offset)
);
CREATE INDEX invoice_statuses_by_invoice ON hourstream.invoice_statuses (invoice_id, revision);

-- Records by what they say, a minute of the broker's append time.
CREATE TABLE hourstream.flow (
    partition integer NOT NULL,
    minute bigint NOT NULL,
    what text NOT NULL,
    records bigint NOT NULL,
    PRIMARY KEY (minute, what, partition)
);

-- masters.current, as JSON.
CREATE TABLE hourstream.masters (
    topic text NOT NULL,
    identity text NOT NULL,
    record jsonb NOT NULL,
    PRIMARY KEY (topic, identity)
);
CREATE VIEW hourstream.accounts AS
SELECT e.identity AS engagement_id, e.record ->> 'name' AS engagement, e.record ->> 'client_id' AS client_id,
       c.record ->> 'name' AS client, coalesce(c.record ->> 'region', '') AS region, e.record ->> 'currency' AS currency,
       e.record ->> 'owner' AS owner, e.record ->> 'approval_group' AS approval_group
FROM hourstream.masters e
LEFT JOIN hourstream.masters c ON c.topic = 'master.clients' AND c.identity = e.record ->> 'client_id'
WHERE e.topic = 'master.engagements';

-- Sums over everything, worked out anew by the warehouse worker whenever something changed (`summed` says when).
CREATE TABLE hourstream.summed (
    at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    seen text NOT NULL
);
-- Work that is not billed: submitted, parked, or charged and on no invoice. By the day it was done.
CREATE TABLE hourstream.unbilled (
    stage text NOT NULL CHECK (stage IN ('submitted', 'parked', 'charged')),
    client_id text NOT NULL,
    region text NOT NULL,
    currency text NOT NULL,
    work_date date NOT NULL,
    subjects bigint NOT NULL,
    minutes bigint NOT NULL,
    amount numeric NOT NULL,
    PRIMARY KEY (stage, client_id, region, currency, work_date)
);
-- What an hour and an entry came to where they were billed: of an engagement, and in engagement '' of all in a currency.
CREATE TABLE hourstream.typical_rates (
    engagement_id text NOT NULL,
    currency text NOT NULL,
    hourly numeric NOT NULL,
    entry numeric NOT NULL,
    entries bigint NOT NULL,
    PRIMARY KEY (engagement_id, currency)
);
CREATE TABLE hourstream.figures (
    name text NOT NULL,
    currency text NOT NULL,
    records bigint NOT NULL,
    minutes bigint NOT NULL,
    amount numeric NOT NULL,
    PRIMARY KEY (name, currency)
);
