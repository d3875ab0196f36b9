#!/bin/bash
# start.sh PORT FOLDER: Node-RED on 127.0.0.1:PORT, its state in FOLDER, in the foreground.
# Users: alice / Correct-Horse-9, who may do everything, and bob / Battery-Staple-7, who may
# look. A flow "secret-flow" is there for those who are signed in.
set -euo pipefail
port=$1
mkdir -p "$2"
state=$(cd "$2" && pwd)
. "$(dirname "$(readlink -f "$0")")/../packages.sh"

version=4.1.8
home="$cache/node-red-$version"

command -v npm >/dev/null || need_packages nodejs npm
install_once "$home" npm install --prefix "$home" --no-audit --no-fund --loglevel=error \
    "node-red@$version"

cd "$state"
NODE_PATH="$home/node_modules" node >settings.js <<'JS'
const bcrypt = require("bcryptjs");
const user = (username, password, permissions) =>
    ({ username, password: bcrypt.hashSync(password, 4), permissions });
const settings = {
    uiHost: "127.0.0.1",
    adminAuth: {
        type: "credentials",
        users: [user("alice", "Correct-Horse-9", "*"), user("bob", "Battery-Staple-7", "read")],
    },
    flowFile: "flows.json",
    credentialSecret: false,
    editorTheme: { tours: false },
    telemetry: { enabled: false, updateNotification: false },
};
console.log(`module.exports = ${JSON.stringify(settings)};`);
JS
[ -e flows.json ] ||
    printf '[{"id":"f0a1b2c3d4e5f601","type":"tab","label":"secret-flow"}]' >flows.json

exec node "$home/node_modules/node-red/red.js" -u "$state" -s "$state/settings.js" -p "$port"
