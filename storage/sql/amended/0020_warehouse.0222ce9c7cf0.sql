-- Of a database that was made when accounts were a view: the table of them, filled, and the index of exceptions.
DROP INDEX IF EXISTS hourstream.exceptions_by_subject;
CREATE INDEX exceptions_by_engagement ON hourstream.exceptions (engagement_id, status, first_seen, exception_id);
DROP VIEW hourstream.accounts;
CREATE TABLE hourstream.accounts (
    engagement_id text PRIMARY KEY,
    engagement text,
    client_id text,
    client text,
    region text NOT NULL,
    currency text,
    owner text,
    approval_group text
);
CREATE INDEX accounts_by_client ON hourstream.accounts (client_id);
CREATE VIEW hourstream.account_records AS
SELECT e.identity AS engagement_id, e.record ->> 'name' AS engagement, e.record ->> 'client_id' AS client_id,
       c.record ->> 'name' AS client, coalesce(c.record ->> 'region', '') AS region, e.record ->> 'currency' AS currency,
       e.record ->> 'owner' AS owner, e.record ->> 'approval_group' AS approval_group
FROM hourstream.masters e
LEFT JOIN hourstream.masters c ON c.topic = 'master.clients' AND c.identity = e.record ->> 'client_id'
WHERE e.topic = 'master.engagements';
INSERT INTO hourstream.accounts SELECT * FROM hourstream.account_records;
ALTER TABLE hourstream.typical_rates
    ALTER COLUMN hourly TYPE numeric(18, 6),
    ALTER COLUMN entry TYPE numeric(18, 6);
