#!/bin/bash
# start.sh PORT FOLDER: Radicale, a server of calendars and address books, on 127.0.0.1:PORT,
# its state in FOLDER, in the foreground. Users: alice / Correct-Horse-9 and bob /
# Battery-Staple-7. Each has a calendar "diary" with one appointment, which both may read.
set -euo pipefail
port=$1
mkdir -p "$2"
state=$(cd "$2" && pwd)
here=$(dirname "$(readlink -f "$0")")
. "$here/../packages.sh"
. "$here/../listening.sh"

version=3.9.0
venv="$cache/radicale-$version"

python_once "$venv" "radicale==$version"

printf '%s\n' alice:Correct-Horse-9 bob:Battery-Staple-7 >"$state/users"

for name in alice bob; do
    diary="$state/collections/collection-root/$name/diary"
    mkdir -p "$diary"
    printf '{"tag": "VCALENDAR", "D:displayname": "Diary of %s"}' "$name" >"$diary/.Radicale.props"
    cat >"$diary/meeting.ics" <<ICS
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//portal//EN
BEGIN:VEVENT
UID:meeting-of-$name
DTSTAMP:20260101T000000Z
DTSTART:20260102T100000Z
SUMMARY:What $name meets about
END:VEVENT
END:VCALENDAR
ICS
done

# Radicale delays the answer to a wrong password; a test need not wait for it.
cat >"$state/config" <<INI
[server]
hosts = 127.0.0.1:$port
[auth]
type = htpasswd
htpasswd_filename = $state/users
htpasswd_encryption = plain
delay = 0
[rights]
type = owner_write
[storage]
filesystem_folder = $state/collections
INI

say_when_it_listens "$port"
exec "$venv/bin/python" -m radicale --config "$state/config"
