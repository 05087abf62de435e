-- One row a run: up to which day, dated when, and the end offsets of billing.ready it waited for.
CREATE TABLE hourstream.invoice_runs (
    run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cut_off date NOT NULL,
    issue_date date NOT NULL,
    end_offsets jsonb NOT NULL,
    run_at timestamptz NOT NULL
);

-- The last number given, by legal entity and year; invoices and credit notes share one gapless series.
CREATE TABLE hourstream.invoice_numbers (
    legal_entity text NOT NULL,
    year integer NOT NULL,
    last integer NOT NULL,
    PRIMARY KEY (legal_entity, year)
);

-- Amounts are signed as the charges are: those of a credit note are below zero. A set of charges that nets to nothing
-- has a row too (kind 'nothing'), which is no document and has no number.
CREATE TABLE hourstream.invoices (
    invoice_id text PRIMARY KEY,
    run bigint NOT NULL REFERENCES hourstream.invoice_runs,
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'nothing')),
    status text NOT NULL CHECK (status IN ('issued', 'voided', 'consumed')),
    legal_entity text NOT NULL,
    year integer,
    sequence integer,
    client_id text NOT NULL,
    engagement_id text NOT NULL,
    engagement_name text,
    currency text NOT NULL,
    issue_date date NOT NULL,
    due_date date,
    po_number text,
    net numeric(18, 6) NOT NULL,
    tax numeric(18, 6) NOT NULL,
    rounding numeric(18, 6) NOT NULL,
    payable numeric(18, 6) NOT NULL,
    seller jsonb NOT NULL,
    buyer jsonb NOT NULL,
    tax_reason text,
    -- The invoices whose charges this document credits.
    credits text[] NOT NULL,
    voided_at timestamptz,
    void_reason text,
    UNIQUE (legal_entity, year, sequence),
    CHECK (payable = net + tax + rounding),
    CHECK ((kind = 'nothing') = (sequence IS NULL) AND (kind = 'nothing') = (status = 'consumed')),
    CHECK ((status = 'voided') = (voided_at IS NOT NULL))
);
CREATE INDEX invoices_by_client ON hourstream.invoices (client_id, issue_date);

CREATE TABLE hourstream.invoice_lines (
    invoice_id text NOT NULL REFERENCES hourstream.invoices,
    line integer NOT NULL,
    period text NOT NULL,
    kind text NOT NULL,
    subject text,
    task_id text,
    labor_category text,
    name text NOT NULL,
    note text,
    quantity numeric NOT NULL,
    unit text NOT NULL,
    price numeric NOT NULL CHECK (price >= 0),
    net numeric(18, 6) NOT NULL,
    tax_category text NOT NULL,
    tax_rate numeric(18, 6) NOT NULL,
    PRIMARY KEY (invoice_id, line)
);

CREATE TABLE hourstream.invoice_taxes (
    invoice_id text NOT NULL REFERENCES hourstream.invoices,
    category text NOT NULL,
    rate numeric(18, 6) NOT NULL,
    base numeric(18, 6) NOT NULL,
    amount numeric(18, 6) NOT NULL,
    PRIMARY KEY (invoice_id, category, rate)
);

-- Which charges an invoice bills; voiding it ends that. A charge is on at most one live invoice, ever.
CREATE TABLE hourstream.invoice_charges (
    invoice_id text NOT NULL REFERENCES hourstream.invoices,
    charge_id text NOT NULL REFERENCES hourstream.charges,
    live boolean NOT NULL DEFAULT true,
    PRIMARY KEY (invoice_id, charge_id)
);
CREATE UNIQUE INDEX invoice_charges_live ON hourstream.invoice_charges (charge_id) WHERE live;
