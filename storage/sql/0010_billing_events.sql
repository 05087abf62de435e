-- What billing systems say of invoices, and where each invoice stands by it.
CREATE TABLE hourstream.billing_events (
    system text NOT NULL,
    event_id text NOT NULL,
    revision bigint NOT NULL,
    invoice text NOT NULL,
    reference text,
    status text,
    payment numeric(18, 6),
    payment_currency text,
    payment_reference text,
    charge_ids text[] NOT NULL,
    amount numeric(18, 6),
    currency text,
    at timestamptz NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    appended_at timestamptz NOT NULL,
    -- The document it speaks of (invoices.document), once that is known.
    document text,
    -- Why it says nothing yet: the code of its exception, and what that was last told as.
    problem text,
    told jsonb,
    attempts integer NOT NULL DEFAULT 0,
    PRIMARY KEY (system, event_id),
    CHECK ((problem IS NULL) = (told IS NULL))
);
CREATE INDEX billing_events_waiting ON hourstream.billing_events (system, event_id) WHERE problem IS NOT NULL;
CREATE INDEX billing_events_by_document ON hourstream.billing_events (document) WHERE document IS NOT NULL;

-- Numbers of other systems for documents here.
CREATE TABLE hourstream.invoice_links (
    system text NOT NULL,
    number text NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (system, number)
);

-- A document is one invoice of ours, or an invoice of another system, which has a row here for each account it bills.
-- `standing` is what became of it, `paid` the sum of its payments, `announced` the standings told on invoice.status and
-- `issued_at` is of those of another system (else the run's time is), `revision` how many records that were.
ALTER TABLE hourstream.invoices
    ADD COLUMN document text,
    ADD COLUMN system text NOT NULL DEFAULT 'hourstream',
    ADD COLUMN issued_at timestamptz,
    ADD COLUMN standing text NOT NULL DEFAULT 'issued'
        CHECK (standing IN ('issued', 'sent', 'part_paid', 'paid', 'disputed', 'voided')),
    ADD COLUMN standing_at timestamptz,
    ADD COLUMN paid numeric(18, 6) NOT NULL DEFAULT 0,
    ADD COLUMN revision bigint NOT NULL DEFAULT 1,
    ADD COLUMN announced jsonb NOT NULL DEFAULT '[]',
    ALTER COLUMN run DROP NOT NULL,
    DROP CONSTRAINT invoices_check1,
    ADD CONSTRAINT invoices_numbered CHECK (
        (kind = 'nothing') = (status = 'consumed')
        AND (CASE WHEN system = 'hourstream' THEN (kind = 'nothing') = (sequence IS NULL) ELSE sequence IS NULL END)
        AND (run IS NULL) = (system <> 'hourstream'));
UPDATE hourstream.invoices SET document = invoice_id;
UPDATE hourstream.invoices SET standing = 'voided', standing_at = voided_at, revision = 2 WHERE status = 'voided';
ALTER TABLE hourstream.invoices ALTER COLUMN document SET NOT NULL;
CREATE INDEX invoices_by_document ON hourstream.invoices (document);
