-- Warnings put nothing on hold: they are told apart by their code (DOMAIN §3.6).
CREATE FUNCTION hourstream.severity_of(code text) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN code IN ('OVERLAPPING_TIME', 'PERSON_DAY_OVER_24H') THEN 'warning' ELSE 'blocking' END $$;
ALTER TABLE hourstream.exceptions
    ADD COLUMN severity text GENERATED ALWAYS AS (hourstream.severity_of(code)) STORED;
ALTER TABLE hourstream.exception_totals
    ADD COLUMN severity text GENERATED ALWAYS AS (hourstream.severity_of(code)) STORED;
