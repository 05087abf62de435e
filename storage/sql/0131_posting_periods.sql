-- The accounting period in which a charge counts in a target's books, once it is posted; as in the journal.
ALTER TABLE hourstream.deliveries ADD COLUMN posting_period text;
UPDATE hourstream.deliveries SET posting_period = period WHERE state = 'posted';
ALTER TABLE hourstream.deliveries ADD CHECK (state <> 'posted' OR posting_period IS NOT NULL);
