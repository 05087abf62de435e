-- Who is logged in to the console, which machines may use its interface, and what anybody did there.
-- Of cookies and tokens only the SHA-256 is kept: whoever reads these tables cannot come in with what is there.

CREATE TABLE hourstream.console_sessions (
    digest bytea PRIMARY KEY,
    name text NOT NULL,
    roles text[] NOT NULL,
    sees_rates boolean NOT NULL,
    csrf text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

-- Logins that have gone to the provider and not come back; each is taken once.
CREATE TABLE hourstream.console_logins (
    digest bytea PRIMARY KEY,
    state text NOT NULL,
    nonce text NOT NULL,
    verifier text NOT NULL,
    next text NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE hourstream.api_tokens (
    token_id text PRIMARY KEY,
    name text NOT NULL UNIQUE,
    digest bytea NOT NULL,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    sees_rates boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz
);

-- What was answered to a request that may come again.
CREATE TABLE hourstream.api_answers (
    name text NOT NULL,
    key text NOT NULL,
    request bytea NOT NULL,
    answer jsonb,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, key)
);

CREATE TABLE hourstream.acts (
    act_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    name text NOT NULL,
    via text NOT NULL,
    act text NOT NULL,
    subject text NOT NULL,
    reason text NOT NULL
);

CREATE FUNCTION hourstream.keep_acts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'hourstream.acts is only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER acts_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON hourstream.acts
    FOR EACH STATEMENT EXECUTE FUNCTION hourstream.keep_acts();
