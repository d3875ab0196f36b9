#!/bin/bash
# start.sh PORT FOLDER: Debian's Redmine on 127.0.0.1:PORT, its state in FOLDER, in the
# foreground. Users: alice / Correct-Horse-9, who administers, and bob / Battery-Staple-7;
# alice@example.com and bob@example.com are theirs. Nothing is shown to who is not signed in.
set -euo pipefail
port=$1
mkdir -p "$2"
state=$(cd "$2" && pwd)
. "$(dirname "$(readlink -f "$0")")/../packages.sh"

answer_no redmine redmine/instances/default/dbconfig-install
need_packages redmine redmine-sqlite ruby-webrick

# One site of those that Debian's Redmine can serve: it looks for it below its own folder.
mkdir -p "$state"/{config,files,log,tmp/pids,tmp/cache,public}
export REDMINE_INSTANCE="../../../..$state" RAILS_ENV=production BUNDLE_GEMFILE="$state/Gemfile"
[ -e "$state/config/secret_key.txt" ] ||
    (umask 077 && od -An -tx1 -N64 /dev/urandom | tr -d ' \n' >"$state/config/secret_key.txt")
cat >"$state/config/database.yml" <<YAML
production: { adapter: sqlite3, database: $state/redmine.sqlite3, timeout: 10000 }
YAML
cat >"$state/Gemfile" <<'RUBY'
eval_gemfile '/usr/share/redmine/Gemfile'
gem 'sqlite3', '~> 1.4.0', :platforms => [:mri, :mingw, :x64_mingw]
gem 'webrick'
RUBY
cp /usr/share/redmine/Gemfile.lock "$state/Gemfile.lock"
cat >"$state/users.rb" <<'RUBY'
Setting['login_required'] = '1'
Setting['autologin'] = '365'
Setting['lost_password'] = '0'
[['alice', 'Correct-Horse-9', true], ['bob', 'Battery-Staple-7', false]].each do |name, password, admin|
  user = User.find_by_login(name) || User.new(:language => 'en')
  user.login = name
  user.firstname, user.lastname, user.mail = name.capitalize, 'Example', "#{name}@example.com"
  user.password = user.password_confirmation = password
  user.admin, user.status = admin, User::STATUS_ACTIVE
  user.save!
end
RUBY

# To make the tables takes half a minute; a copy of them is kept for the next start.
version=$(dpkg-query -W -f='${Version}' redmine)
filled="$cache/redmine-$version.sqlite3"
make_tables() {
    [ ! -e "$filled" ] || return 0
    cd /usr/share/redmine
    bin/rails db:migrate
    bin/rails runner "$state/users.rb"
    mv "$state/redmine.sqlite3" "$filled"
}
alone redmine make_tables
[ -e "$state/redmine.sqlite3" ] || cp "$filled" "$state/redmine.sqlite3"

cat >"$state/serve.rb" <<'RUBY'
require '/usr/share/redmine/config/environment'
require 'rack/handler/webrick'
$stdout.sync = true
port = Integer(ARGV.fetch(0))
quiet = WEBrick::Log.new(File::NULL)
Rack::Handler::WEBrick.run(Rails.application, :Host => '127.0.0.1', :Port => port,
  :Logger => quiet, :AccessLog => []) do
  puts "Redmine listens at http://127.0.0.1:#{port}"
end
RUBY
exec ruby "$state/serve.rb" "$port"
