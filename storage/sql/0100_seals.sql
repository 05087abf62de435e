-- A copy of the heads of all chains of seals, as signed text; the other copy is a file outside the database.
CREATE TABLE hourstream.seal_heads (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    heads text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);

-- Rows are sealed in the order of a number that is given once and never again.
ALTER TABLE hourstream.invoices ADD COLUMN issue_number bigint GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX invoices_by_issue_number ON hourstream.invoices (issue_number);
ALTER TABLE hourstream.api_tokens ADD COLUMN token_number bigint GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX api_tokens_by_number ON hourstream.api_tokens (token_number);
