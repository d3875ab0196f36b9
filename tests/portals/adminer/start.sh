#!/bin/bash
# start.sh PORT FOLDER: Debian's Adminer on 127.0.0.1:PORT in front of a MariaDB of its own,
# their state in FOLDER, in the foreground. Users of the database: alice / Correct-Horse-9, who
# may do all in the database "shop", and bob / Battery-Staple-7, who may read there. PHP's
# sessions are in FOLDER/sessions.
set -euo pipefail
port=$1
mkdir -p "$2"
state=$(cd "$2" && pwd)
. "$(dirname "$(readlink -f "$0")")/../packages.sh"
. "$(dirname "$(readlink -f "$0")")/../mariadb.sh"

need_packages adminer php-cli php-mysql

cat >"$state/init.sql" <<'SQL'
CREATE USER IF NOT EXISTS 'alice'@'localhost' IDENTIFIED BY 'Correct-Horse-9';
CREATE USER IF NOT EXISTS 'bob'@'localhost' IDENTIFIED BY 'Battery-Staple-7';
CREATE DATABASE IF NOT EXISTS shop;
CREATE TABLE IF NOT EXISTS shop.secret (remark VARCHAR(80) PRIMARY KEY);
INSERT IGNORE INTO shop.secret VALUES ('Read by who is signed in alone.');
GRANT ALL ON shop.* TO 'alice'@'localhost';
GRANT SELECT ON shop.* TO 'bob'@'localhost';
SQL
start_mariadb "$state" "$state/init.sql"
mkdir -p "$state/sessions"

# A form that names no server means this one, so that the portal needs no port for it.
# Adminer keeps the keys of its permanent logins in TMPDIR.
export TMPDIR="$state/sessions"

# One process: the workers of PHP_CLI_SERVER_WORKERS outlive a parent that is killed.
exec php -d display_errors=0 -d session.save_path="$state/sessions" \
    -d mysqli.default_socket="$state/mariadb/socket" \
    -d pdo_mysql.default_socket="$state/mariadb/socket" \
    -S "127.0.0.1:$port" -t /usr/share/adminer
