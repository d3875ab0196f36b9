#!/bin/bash
# start.sh PORT FOLDER: Debian's WordPress on 127.0.0.1:PORT with a MariaDB of its own, their
# state in FOLDER, in the foreground. Users: alice / Correct-Horse-9, who administers, and bob /
# Battery-Staple-7, an editor; alice@example.com and bob@example.com are theirs too. A private
# post "secret" is there.
set -euo pipefail
port=$1
mkdir -p "$2"
state=$(cd "$2" && pwd)
. "$(dirname "$(readlink -f "$0")")/../packages.sh"
. "$(dirname "$(readlink -f "$0")")/../mariadb.sh"

need_packages wordpress wordpress-theme-twentytwentythree php-cli php-mysql

printf '%s\n' 'CREATE DATABASE IF NOT EXISTS wordpress;' >"$state/init.sql"
start_mariadb "$state" "$state/init.sql"

# The code stays where Debian put it; what differs from site to site is here.
mkdir -p "$state/www/wp-content/uploads"
ln -sfn /usr/share/wordpress/{index.php,wp-admin,wp-includes} "$state/www/"
ln -sfn /usr/share/wordpress/wp-{activate,blog-header,comments-post,cron,links-opml,load,login,mail,settings,signup,trackback}.php "$state/www/"
ln -sfn /usr/share/wordpress/xmlrpc.php "$state/www/"
ln -sfn /var/lib/wordpress/wp-content/{plugins,themes} "$state/www/wp-content/"
printf '<?php\ndefine("ABSPATH", "%s/www/");\n' "$state" >"$state/prepend.php"

[ -e "$state/salts.php" ] || for name in AUTH SECURE_AUTH LOGGED_IN NONCE; do
    printf 'define("%s_KEY", "%s");\n' "$name" "$(head -c 48 /dev/urandom | base64)"
    printf 'define("%s_SALT", "%s");\n' "$name" "$(head -c 48 /dev/urandom | base64)"
done | sed '1i <?php' >"$state/salts.php"

# Behind a proxy that ends TLS the site takes its own address from the request. The cookies are
# named by a hash of that address unless it is set.
cat >"$state/www/wp-config.php" <<PHP
<?php
require '$state/salts.php';
if ((\$_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') \$_SERVER['HTTPS'] = 'on';
define('WP_HOME', (isset(\$_SERVER['HTTPS']) ? 'https://' : 'http://') . (\$_SERVER['HTTP_HOST'] ?? '127.0.0.1:$port'));
define('WP_SITEURL', WP_HOME);
define('COOKIEHASH', md5('portal'));
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:$state/mariadb/socket');
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
\$table_prefix = 'wp_';
require_once ABSPATH . 'wp-settings.php';
PHP
cat >"$state/install.php" <<'PHP'
<?php
define('WP_INSTALLING', true);
require ABSPATH . 'wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
// It would send a letter about the new site.
function wp_mail() { return true; }
if (!is_blog_installed()) {
    wp_install('Portal', 'alice', 'alice@example.com', false, '', 'Correct-Horse-9');
    wp_insert_user(['user_login' => 'bob', 'user_pass' => 'Battery-Staple-7',
        'user_email' => 'bob@example.com', 'role' => 'editor']);
    wp_insert_post(['post_title' => 'Secret', 'post_name' => 'secret', 'post_status' => 'private',
        'post_content' => 'Read by who is signed in alone.', 'post_author' => 1]);
    update_option('permalink_structure', '/%postname%/');
    // Nobody need be asked whether the address of the administrator is still right.
    update_option('admin_email_lifespan', time() + 10 * YEAR_IN_SECONDS);
}
PHP
php=(php -d display_errors=0 -d auto_prepend_file="$state/prepend.php")
"${php[@]}" "$state/install.php" >&2

# One process: the workers of PHP_CLI_SERVER_WORKERS outlive a parent that is killed.
exec "${php[@]}" -S "127.0.0.1:$port" -t "$state/www"
