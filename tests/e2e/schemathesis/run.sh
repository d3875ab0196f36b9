#!/bin/bash
# run.sh PORT: has schemathesis ask the admin API at 127.0.0.1:PORT whatever its own document lets
# it think of, with the token in TOKEN. It leaves what it writes in the folder that it runs in.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../../portals/packages.sh"

version=4.32.5
venv="$cache/schemathesis-$version"

python_once "$venv" "schemathesis==$version"

# What it thinks of is the same each time, so that what it finds can be found again.
exec "$venv/bin/schemathesis" --no-color --config-file "$here/schemathesis.toml" run \
    "http://127.0.0.1:$1/api/v1/openapi.json" --header "Authorization: Bearer $TOKEN"
