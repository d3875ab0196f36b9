#!/bin/bash
# start.sh PORT FOLDER: Jupyter Server on 127.0.0.1:PORT, its state in FOLDER, in the foreground.
# It has one password for everybody, Correct-Horse-9, and no names. A file "secret.txt" is there.
set -euo pipefail
port=$1
mkdir -p "$2"
state=$(cd "$2" && pwd)
. "$(dirname "$(readlink -f "$0")")/../packages.sh"

version=2.21.1
venv="$cache/jupyter-server-$version"

python_once "$venv" "jupyter-server==$version" ipykernel

# A kernel ends with the server, however that ends.
mkdir -p "$state"/{config,notebooks,data/kernels/python3}
cat >"$state/data/kernels/python3/kernel.json" <<JSON
{
  "display_name": "Python 3",
  "language": "python",
  "argv": ["setpriv", "--pdeathsig", "KILL", "$venv/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
}
JSON
printf 'Read by who is signed in alone.\n' >"$state/notebooks/secret.txt"
export JUPYTER_CONFIG_DIR="$state/config" JUPYTER_DATA_DIR="$state/data" \
    JUPYTER_RUNTIME_DIR="$state/runtime" IPYTHONDIR="$state/ipython"
[ -e "$state/config/jupyter_server_config.json" ] || "$venv/bin/python" - >"$state/config/new" <<PYTHON
import json
from jupyter_server.auth import passwd

print(json.dumps({
    "PasswordIdentityProvider": {"hashed_password": passwd("Correct-Horse-9", "sha1")},
    "ServerApp": {
        "allow_root": True,
        "open_browser": False,
        "root_dir": "$state/notebooks",
        # Behind a proxy the page's address is not the server's own.
        "allow_remote_access": True,
        "trust_xheaders": True,
    },
}))
PYTHON
[ ! -e "$state/config/new" ] || mv "$state/config/new" "$state/config/jupyter_server_config.json"
exec "$venv/bin/jupyter-server" --ip=127.0.0.1 --port="$port" --ServerApp.port_retries=0
