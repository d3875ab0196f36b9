# Sourced by the scripts beside it: packages, and servers that end with the process that asked
# for them, however that ends. Their folder may be gone by then, so a keeper knows its server.

here=$(dirname "$(readlink -f "$0")")
. "$here/../portals/packages.sh"

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# keep CALLER LOG COMMAND...: starts a server in the background, and kills it with all that it
# started when the process CALLER is gone. What it says is in the file LOG. A folder that is
# marked as temporary goes with it.
keep() {
    local caller=$1 log=$2
    shift 2
    setsid bash -c '
        caller=$1
        folder=$2
        shift 2
        "$@" &
        server=$!
        tail --pid="$caller" -f /dev/null &
        watch=$!
        # Only what still runs is killed: its number may be another process by now.
        wait -n -p ended
        case $ended in
            "$server") kill -9 "$watch" ;;
            *) kill -9 $(cat "/proc/$server/task/$server/children") "$server" ;;
        esac
        if ! kill -0 "$caller" && [ -e "$folder/temporary" ]; then
            wait
            rm -rf "$folder"
        fi
    ' keeper "$caller" "$dir" "$@" </dev/null >>"$log" 2>&1 &
}

# kill_all PID: kills a server and its children at one moment, as a power cut would.
kill_all() {
    kill -9 "$1" $(cat "/proc/$1/task/$1/children" 2>/dev/null) 2>/dev/null || true
    while [ -e "/proc/$1" ]; do sleep 0.02; done
}

# until_true SECONDS WHAT COMMAND...: waits until the command succeeds.
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "waited in vain for $what"
        sleep 0.05
    done
}
