-- Runs for some clients only: which ones (null: all), and whose an invalid document is, so that only a run that looked
-- at a client resolves its exceptions.
ALTER TABLE hourstream.invoice_runs ADD COLUMN clients text[];
ALTER TABLE hourstream.invalid_invoices ADD COLUMN client_id text;
UPDATE hourstream.invalid_invoices SET client_id = split_part(key, ':', 2);
