-- The vault of per-person keys (people/). A key stands here wrapped by the key of a file that is nowhere in here; a
-- name is sealed with its person's own key. Erasing takes both away and leaves who did it, when and why.

CREATE TABLE hourstream.people_vault (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    naming bytea NOT NULL,  -- what tokens are made with, wrapped
    key_id text NOT NULL,   -- of the file's key that wraps now: tells a wrong file from a broken row
    made_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE hourstream.people (
    token text PRIMARY KEY CHECK (token LIKE 'person:%'),
    system text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('person', 'file')),
    key bytea,
    name bytea,
    made_at timestamptz NOT NULL DEFAULT now(),
    erased_at timestamptz,
    erased_by text,
    reason text,
    CHECK ((key IS NULL) = (erased_at IS NOT NULL)),
    CHECK ((name IS NULL) = (key IS NULL)),
    CHECK ((erased_by IS NULL) = (erased_at IS NULL) AND (reason IS NULL) = (erased_at IS NULL))
);
