-- Of a database that was made before this table was part of the script.
CREATE TABLE IF NOT EXISTS hourstream.people_row_ids (
    system text PRIMARY KEY,
    secret boolean NOT NULL
);
