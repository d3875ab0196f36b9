#!/bin/bash
# A PostgreSQL primary and its synchronous standby, both called by these two names for good:
#   postgres.sh start DIR PRIMARY_PORT STANDBY_PORT   both on 127.0.0.1, in step
#   postgres.sh database DIR NAME [OWNER]             another database, of the role portcullis
#   postgres.sh sql DIR DATABASE STATEMENT            as superuser, where writing goes now
#   postgres.sh kill DIR primary|standby              as a power cut would
#   postgres.sh restart DIR primary|standby           as what it was
#   postgres.sh promote DIR [alone]                   the standby takes over; what was the primary
#                                   is killed and follows it, made anew, unless it stays alone
#   postgres.sh stop DIR
# They take TLS and what is not sealed; DIR/server.crt is theirs.
# Superuser postgres, password superuser-of-tests; role portcullis, password role-of-tests; a
# database portcullis. Everything ends with the process that called start.
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/keeper.sh"

bin=/usr/lib/postgresql/15/bin
[ $# -ge 2 ] || fail "see the head of $0"
deed=$1
mkdir -p "$2"
dir=$(readlink -f "$2")
export PGPASSWORD=superuser-of-tests PGCONNECT_TIMEOUT=2

start() {
    printf '%s\n' "$1" >"$dir/primary.port"
    printf '%s\n' "$2" >"$dir/standby.port"
    printf '%s\n' "$PPID" >"$dir/caller"
    printf 'primary\n' >"$dir/leader"
    need_server
    [ "$(id -u)" != 0 ] || chown postgres "$dir"
    make_primary
    run primary
    grant_roles
    follow standby primary
    demand "'standby'"
    until_true 30 "a standby in step" in_step
    # Only once a commit has gone through both is anything durable.
    sql postgres 'CREATE DATABASE portcullis OWNER portcullis' >/dev/null
}

need_server() {
    is_installed postgresql-common || no_database_of_debians
    need_packages openssl postgresql-15
}

# The package would make a server of its own, which runs from the next boot on.
no_database_of_debians() {
    [ "$(id -u)" = 0 ] || return 0
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/no-main.conf
}

make_primary() {
    printf '%s\n' "$PGPASSWORD" >"$dir/superuser"
    chmod 644 "$dir/superuser"
    as_postgres "$bin/initdb" --no-sync --pgdata="$dir/primary" --username=postgres \
        --pwfile="$dir/superuser" --auth=scram-sha-256 --encoding=UTF8 --locale=C >"$dir/initdb.log"
    cat >>"$dir/primary/postgresql.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 64MB
wal_level = replica
max_wal_senders = 10
max_replication_slots = 10
wal_retrieve_retry_interval = 100ms
wal_receiver_status_interval = 1s
logging_collector = off
ssl = on
ssl_cert_file = '$dir/server.crt'
ssl_key_file = '$dir/server.key'
SETTINGS
    make_certificate
    echo 'host replication all 127.0.0.1/32 scram-sha-256' >>"$dir/primary/pg_hba.conf"
}

# Of both servers. It vouches for itself, which whoever trusts it may take.
make_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=portcullis-tests -addext subjectAltName=IP:127.0.0.1 \
        -addext basicConstraints=critical,CA:FALSE \
        -keyout "$dir/server.key" -out "$dir/server.crt" 2>/dev/null
    chmod 600 "$dir/server.key"
    [ "$(id -u)" != 0 ] || chown postgres "$dir/server.key"
}

grant_roles() {
    sql postgres "CREATE ROLE portcullis LOGIN PASSWORD 'role-of-tests' IN ROLE pg_read_all_stats" \
        >/dev/null
}

# follow FOLLOWER LEADER: the follower is made from a copy of the leader, and runs in step.
follow() {
    local follower=$1 leader=$2
    rm -rf "${dir:?}/$follower"
    as_postgres "$bin/pg_basebackup" --pgdata="$dir/$follower" --checkpoint=fast --no-sync \
        --wal-method=stream --host=127.0.0.1 --port="$(port "$leader")" --username=postgres \
        >"$dir/copy.log" 2>&1 || fail "no copy of the $leader: $(cat "$dir/copy.log")"
    cat >>"$dir/$follower/postgresql.auto.conf" <<SETTINGS
primary_conninfo = 'host=127.0.0.1 port=$(port "$leader") user=postgres password=$PGPASSWORD application_name=$follower'
primary_slot_name = '$follower'
synchronous_standby_names = '$leader'
SETTINGS
    touch "$dir/$follower/standby.signal"
    [ "$(id -u)" != 0 ] || chown postgres "$dir/$follower/standby.signal"
    sql postgres "SELECT pg_create_physical_replication_slot('$follower', true)
        WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '$follower')" >/dev/null
    run "$follower"
}

# demand NAMES: whose disks a commit waits for. A standby that takes over demands its follower.
demand() {
    sql postgres "ALTER SYSTEM SET synchronous_standby_names = $1" >/dev/null
    sql postgres 'SELECT pg_reload_conf()' >/dev/null
}

in_step() {
    sql postgres "SELECT sync_state FROM pg_stat_replication" | grep -q sync
}

# run SERVER: starts one and waits until it takes questions.
run() {
    keep "$(cat "$dir/caller")" "$dir/$1.log" "${as[@]}" "$bin/postgres" -D "$dir/$1" \
        -p "$(port "$1")" -c "cluster_name=$1"
    until_true 60 "the $1, see $dir/$1.log" ask "$1" postgres 'SELECT 1'
}

promote() {
    local follower leader
    follower=$(cat "$dir/leader")
    leader=standby
    [ "$follower" = primary ] || leader=primary
    cut "$follower"
    ask "$leader" postgres 'SELECT pg_promote()' >/dev/null
    printf '%s\n' "$leader" >"$dir/leader"
    if [ "${1:-}" = alone ]; then
        demand "''"
    else
        follow "$follower" "$leader"
        until_true 30 "a standby in step" in_step
    fi
}

cut() {
    local pid
    pid=$(head -n 1 "$dir/$1/postmaster.pid" 2>/dev/null) || return 0
    [ ! -d "/proc/$pid" ] || kill_all "$pid"
    # A number that another process may have by the next start.
    rm -f "$dir/$1/postmaster.pid"
}

port() {
    cat "$dir/$1.port"
}

# ask SERVER DATABASE STATEMENT
ask() {
    "$bin/psql" --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 \
        --host=127.0.0.1 --port="$(port "$1")" --username=postgres --dbname="$2" --command="$3"
}

# sql DATABASE STATEMENT: asks the one that is written to.
sql() {
    ask "$(cat "$dir/leader")" "$@"
}

as=()
[ "$(id -u)" != 0 ] || as=(setpriv --reuid=postgres --regid=postgres --init-groups)

as_postgres() {
    (cd / && "${as[@]}" "$@")
}

shift 2
case "$deed" in
    start) start "$@" ;;
    database) sql postgres "CREATE DATABASE \"$1\" OWNER \"${2:-portcullis}\"" ;;
    sql) sql "$@" ;;
    kill) cut "$1" ;;
    restart) cut "$1"; run "$1" ;;
    promote) promote "$@" ;;
    stop) cut primary; cut standby ;;
    *) fail "no deed '$deed'" ;;
esac
