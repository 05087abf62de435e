-- Of a database that was made before this index was part of the script.
CREATE INDEX IF NOT EXISTS api_answers_by_age ON hourstream.api_answers (at);
