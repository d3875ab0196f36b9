#!/bin/bash
# start.sh PORT FOLDER: Debian's Prometheus on 127.0.0.1:PORT, its state in FOLDER, in the
# foreground. Users: alice / Correct-Horse-9 and bob / Battery-Staple-7. Its configuration
# names a target "secret-target" for those who are signed in.
set -euo pipefail
port=$1
mkdir -p "$2"
state=$(cd "$2" && pwd)
here=$(dirname "$(readlink -f "$0")")
. "$here/../packages.sh"
. "$here/../listening.sh"

need_packages prometheus

# Prometheus takes passwords under bcrypt alone, which Debian's crypt can make.
hash() {
    perl -e 'print crypt $ARGV[0], q($2b$04$).q(ofTheTestsOfThisHouse.)' "$1"
}
cat >"$state/web.yml" <<YAML
basic_auth_users:
  alice: "$(hash Correct-Horse-9)"
  bob: "$(hash Battery-Staple-7)"
YAML
cat >"$state/prometheus.yml" <<'YAML'
scrape_configs:
  - job_name: secret-target
    static_configs: [{ targets: ["127.0.0.1:1"] }]
YAML

say_when_it_listens "$port"
exec prometheus --config.file="$state/prometheus.yml" --web.config.file="$state/web.yml" \
    --storage.tsdb.path="$state/data" --web.listen-address="127.0.0.1:$port"
