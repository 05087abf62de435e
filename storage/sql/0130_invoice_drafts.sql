-- Which engagement a line bills; documents that engagements of a client share have lines of several.
ALTER TABLE hourstream.invoice_lines ADD COLUMN engagement_id text;

-- Documents that broke the rules and so have no number yet, by KEY of DOMAIN.md 4.3: the exception as announced.
CREATE TABLE hourstream.invalid_invoices (
    key text PRIMARY KEY,
    announced jsonb NOT NULL
);

-- Drafts of runs: what each document would be, without a number. `content` never changes; its digest is the id.
CREATE TABLE hourstream.invoice_drafts (
    draft_id text PRIMARY KEY,
    cut_off date NOT NULL,
    issue_date date NOT NULL,
    content jsonb NOT NULL,
    drafted_at timestamptz NOT NULL,
    approved_by text,
    approved_at timestamptz,
    run bigint REFERENCES hourstream.invoice_runs,
    CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CHECK (run IS NULL OR approved_by IS NOT NULL)
);
