#!/bin/bash
# start.sh PORT FOLDER CONFIGURATION: Debian's HAProxy in the foreground with this configuration,
# which has it listen on 127.0.0.1:PORT among others. It keeps nothing in FOLDER.
set -euo pipefail
port=$1
configuration=$3
here=$(dirname "$(readlink -f "$0")")
. "$here/../packages.sh"
. "$here/../listening.sh"

need_packages haproxy

say_when_it_listens "$port"
PATH=$PATH:/usr/sbin exec haproxy -db -f "$configuration"
