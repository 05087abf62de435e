#!/bin/sh
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin)
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    word=$(mktemp)
    printf '%s' "$POSTGRES_PASSWORD" > "$word"
    # shellcheck disable=SC2086
    "$bin/initdb" --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile="$word" $POSTGRES_INITDB_ARGS > /dev/null
    rm "$word"
    printf 'host all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
    "$bin/pg_ctl" --pgdata="$PGDATA" --options="-c listen_addresses='' -c unix_socket_directories=/tmp" --wait start > /dev/null
    PGPASSWORD="$POSTGRES_PASSWORD" "$bin/createdb" --host=/tmp --username="$POSTGRES_USER" "$POSTGRES_DB"
    "$bin/pg_ctl" --pgdata="$PGDATA" --wait stop > /dev/null
fi
exec "$bin/postgres" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
