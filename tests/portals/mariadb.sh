# Sourced by the start scripts, after packages.sh: a MariaDB of the portal's own. It listens on
# a socket in the state folder alone, and ends with the process that started it, however that
# ends: the start script, or what this turned into by exec.

PATH="$PATH:/usr/sbin"

# start_mariadb FOLDER INIT: the data in FOLDER/mariadb; the statements in the file INIT are run
# at every start, one a line.
start_mariadb() {
    local folder=$1/mariadb
    need_packages mariadb-server-core mariadb-client-core
    # Not the folder that all share: two that start at once delete each other's files there.
    mkdir -p "$folder/tmp"
    if [ ! -e "$folder/complete" ]; then
        rm -rf "$folder/data"
        TMPDIR="$folder/tmp" mariadb-install-db --no-defaults --user="$(id -un)" \
            --datadir="$folder/data" \
            --skip-test-db --auth-root-authentication-method=normal \
            --innodb-log-file-size=8M >"$folder/install.log" 2>&1 ||
            { cat "$folder/install.log" >&2; exit 1; }
        touch "$folder/complete"
    fi
    setpriv --pdeathsig KILL mariadbd --no-defaults --user="$(id -un)" --datadir="$folder/data" \
        --tmpdir="$folder/tmp" \
        --socket="$folder/socket" --pid-file="$folder/pid" --skip-networking --skip-log-bin \
        --innodb-log-file-size=8M --innodb-buffer-pool-size=32M --innodb-flush-log-at-trx-commit=0 \
        --performance-schema=OFF --init-file="$2" >"$folder/log" 2>&1 &
    local server=$!
    until mariadb --no-defaults -u root -S "$folder/socket" -e 'SELECT 1' >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
        sleep 0.1
    done
}
