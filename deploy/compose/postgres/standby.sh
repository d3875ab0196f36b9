#!/bin/bash
# The standby in docker-compose.cluster.yml: copies the primary into an empty volume, then follows
# it. After it was promoted it follows nobody, and the primary of before has to be made anew.
set -euo pipefail

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    export PGPASSWORD=$STANDBY_PASSWORD
    until pg_basebackup --pgdata="$PGDATA" --write-recovery-conf --wal-method=stream \
        --slot=standby --dbname='host=primary user=standby application_name=standby'; do
        # An interrupted copy is no beginning.
        find "$PGDATA" -mindepth 1 -delete
        sleep 1
    done
fi
chmod 0700 "$PGDATA"
exec postgres
