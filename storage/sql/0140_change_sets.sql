-- Changes of master data that wait for the approval of a second person. `records` never changes, and is as it is published:
-- sealed where personal data is sealed. `base` are the revisions they were made on, `effect` what they would charge.
CREATE TABLE hourstream.change_sets (
    change_set_id text PRIMARY KEY,
    file text NOT NULL,
    summary text NOT NULL,
    records jsonb NOT NULL,
    base jsonb NOT NULL,
    effect jsonb NOT NULL,
    reason text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'proposed' CHECK (status IN ('proposed', 'published', 'rejected')),
    decided_by text,
    decided_at timestamptz,
    decided_reason text,
    CHECK ((status = 'proposed') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)),
    CHECK (status <> 'published' OR decided_by <> proposed_by)
);
CREATE INDEX change_sets_open ON hourstream.change_sets (proposed_at) WHERE status = 'proposed';
