#!/bin/bash
# start.sh PORT FOLDER: Debian's DokuWiki on 127.0.0.1:PORT, its state in FOLDER, in the
# foreground. Users: alice / Correct-Horse-9, bob / Battery-Staple-7, and member1 to member12 /
# Of-The-Crowd-1 to -12. A page "secret" is there for those who are signed in. PHP's sessions are
# in FOLDER/sessions.
set -euo pipefail
port=$1
mkdir -p "$2"
state=$(cd "$2" && pwd)
. "$(dirname "$(readlink -f "$0")")/../packages.sh"

need_packages dokuwiki php-cli php-xml

# The wiki's code stays where Debian put it; what differs from wiki to wiki is here.
mkdir -p "$state"/{conf,sessions}
for folder in attic cache index locks log media media_attic media_meta meta pages tmp; do
    mkdir -p "$state/data/$folder"
done
cp -RL /etc/dokuwiki/. "$state/conf/"
rm -f "$state"/conf/{local.php,local.protected.php,plugins.local.php,acl.auth.php,users.auth.php}

cat >"$state/prepend.php" <<PHP
<?php
if (!defined('DOKU_CONF')) define('DOKU_CONF', '$state/conf/');
PHP
cat >"$state/conf/local.php" <<PHP
<?php
\$conf['title'] = 'Portal';
\$conf['savedir'] = '$state/data';
\$conf['useacl'] = 1;
\$conf['superuser'] = '@admin';
\$conf['authtype'] = 'authplain';
\$conf['disableactions'] = 'register';
PHP
printf '*\t@ALL\t0\n*\t@user\t8\n' >"$state/conf/acl.auth.php"
printf 'Read by who is signed in alone.\n' >"$state/data/pages/secret.txt"
php -r '
    $users = [["alice", "Correct-Horse-9", "admin,user"], ["bob", "Battery-Staple-7", "user"]];
    foreach (range(1, 12) as $number) {
        $users[] = ["member$number", "Of-The-Crowd-$number", "user"];
    }
    foreach ($users as [$name, $password, $groups]) {
        $hash = password_hash($password, PASSWORD_BCRYPT, ["cost" => 6]);
        echo "$name:$hash:" . ucfirst($name) . ":$name@example.com:$groups\n";
    }' >"$state/conf/users.auth.php"

# One process: the workers of PHP_CLI_SERVER_WORKERS outlive a parent that is killed.
exec php -d display_errors=0 -d session.save_path="$state/sessions" \
    -d auto_prepend_file="$state/prepend.php" -S "127.0.0.1:$port" -t /usr/share/dokuwiki
