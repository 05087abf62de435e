-- Who may see names of people, which are encrypted at rest: a right apart from roles and rates. Nobody has it by default.
ALTER TABLE hourstream.console_sessions ADD COLUMN sees_names boolean NOT NULL DEFAULT false;
ALTER TABLE hourstream.api_tokens ADD COLUMN sees_names boolean NOT NULL DEFAULT false;
