#!/bin/bash
# Run once by the image of the primary in docker-compose.cluster.yml, on an empty volume: the roles
# and the database, and from the next start on no commit without the standby.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username postgres --set store="$STORE_PASSWORD" \
    --set standby="$STANDBY_PASSWORD" <<'SQL'
CREATE ROLE standby REPLICATION LOGIN PASSWORD :'standby';
CREATE ROLE portcullis LOGIN PASSWORD :'store' IN ROLE pg_read_all_stats;
CREATE DATABASE portcullis OWNER portcullis;
SELECT pg_create_physical_replication_slot('standby');
ALTER SYSTEM SET synchronous_standby_names = 'standby';
SQL
echo 'host replication standby samenet scram-sha-256' >>"$PGDATA/pg_hba.conf"
