-- Several journals, each with all postings of its own; and what a charge is taxed at, so that two can be compared.
ALTER TABLE hourstream.journal_postings
    ADD COLUMN system text NOT NULL DEFAULT 'journal',
    ADD COLUMN tax_category text,
    ADD COLUMN tax_rate numeric(18, 6);
UPDATE hourstream.journal_postings p SET tax_category = c.tax_category, tax_rate = c.tax_rate
FROM hourstream.charges c WHERE c.charge_id = p.charge_id AND c.tax_category IS NOT NULL;
ALTER TABLE hourstream.journal_postings
    ALTER COLUMN system DROP DEFAULT,
    DROP CONSTRAINT journal_postings_charge_id_key,
    ADD CONSTRAINT journal_posted_once UNIQUE (system, charge_id);
DROP INDEX hourstream.journal_reversed_once;
CREATE UNIQUE INDEX journal_reversed_once ON hourstream.journal_postings (system, reverses)
    WHERE reverses IS NOT NULL AND status = 'posted';
