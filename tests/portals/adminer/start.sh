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
mkdir -p "$state/sessions" "$state/www/adminer"

# A form that names no server means this one, so that the portal needs no port for it.
# Adminer keeps the keys of its permanent logins in TMPDIR.
export TMPDIR="$state/sessions"

# Adminer's own way to be changed: a page that includes it. See its profile for the reason.
cat >"$state/www/adminer/index.php" <<'PHP'
<?php
// The login page has an address of its own, so that all others are no login pages.
if (isset($_GET['sign-in'])) {
    $_SERVER['REQUEST_URI'] = strtok($_SERVER['REQUEST_URI'], '?');
    $_SERVER['QUERY_STRING'] = '';
}
$auth = $_POST['auth'] ?? null;
if ($auth !== null) {
    // One system, one server, and one account in each session.
    $name = $auth['username'] ?? null;
    $password = $auth['password'] ?? null;
    if (!is_string($name) || !is_string($password)) {
        http_response_code(400);
        exit;
    }
    $_POST['auth'] = ['driver' => 'server', 'server' => '', 'db' => ''] + $auth;
    unset($_COOKIE['adminer_sid'], $_COOKIE['adminer_permanent']);
    mysqli_report(MYSQLI_REPORT_OFF);
    if (@mysqli_connect('localhost', $name, $password)) {
        header('X-Portal-User: ' . rawurlencode($name));
    }
}
include '/usr/share/adminer/adminer.php';
PHP

# One process: the workers of PHP_CLI_SERVER_WORKERS outlive a parent that is killed.
exec php -d display_errors=0 -d session.save_path="$state/sessions" \
    -d mysqli.default_socket="$state/mariadb/socket" \
    -d pdo_mysql.default_socket="$state/mariadb/socket" \
    -S "127.0.0.1:$port" -t "$state/www"
