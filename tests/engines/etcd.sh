#!/bin/bash
# An etcd of three members on loopback, called 1, 2 and 3:
#   etcd.sh start DIR PORT1 PORT2 PORT3   clients at 127.0.0.1, members among themselves at the
#                                         same ports of 127.0.0.2
#   etcd.sh leader DIR                    says who leads
#   etcd.sh kill DIR 1|2|3                as a power cut would
#   etcd.sh kill-leader DIR               the same to who leads, and says who that was
#   etcd.sh restart DIR 1|2|3             with the data that it had
#   etcd.sh stop DIR
# Nobody needs a password. Everything ends with the process that called start.
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/keeper.sh"

[ $# -ge 2 ] || fail "see the head of $0"
deed=$1
mkdir -p "$2"
dir=$(readlink -f "$2")
export ETCDCTL_API=3

start() {
    printf '%s\n' "$1" "$2" "$3" >"$dir/ports"
    printf '%s\n' "$PPID" >"$dir/caller"
    need_packages etcd-server etcd-client
    local member
    for member in 1 2 3; do run "$member" new; done
    until_true 60 "a quorum, see $dir/1.log" ask endpoint health --cluster
}

# run MEMBER new|existing
run() {
    keep "$(cat "$dir/caller")" "$dir/$1.log" bash -c 'echo $$ >"$0" && exec "$@"' "$dir/$1.pid" \
        etcd --name "$1" --data-dir "$dir/$1" --initial-cluster-state "$2" \
        --listen-client-urls "http://127.0.0.1:$(port "$1")" \
        --advertise-client-urls "http://127.0.0.1:$(port "$1")" \
        --listen-peer-urls "http://127.0.0.2:$(port "$1")" \
        --initial-advertise-peer-urls "http://127.0.0.2:$(port "$1")" \
        --initial-cluster "$(members)" --initial-cluster-token "$dir" --logger zap --log-level warn
}

members() {
    printf '1=http://127.0.0.2:%s,2=http://127.0.0.2:%s,3=http://127.0.0.2:%s' \
        "$(port 1)" "$(port 2)" "$(port 3)"
}

restart() {
    cut "$1"
    run "$1" existing
    until_true 60 "member $1, see $dir/$1.log" ask_one "$1" endpoint health
}

# Whoever says of itself that it leads, of those that answer.
leader() {
    local member
    for member in 1 2 3; do
        if ask_one "$member" endpoint status --write-out=fields 2>/dev/null |
            awk '/"MemberID"/ { me = $3 } /"Leader"/ { leads = $3 } END { exit !(me != "" && me == leads) }'
        then
            echo "$member"
            return
        fi
    done
    return 1
}

kill_leader() {
    local member
    until_true 30 "a leader" leader
    member=$(leader)
    cut "$member"
    echo "$member"
}

cut() {
    local pid
    pid=$(cat "$dir/$1.pid" 2>/dev/null) || return 0
    [ ! -d "/proc/$pid" ] || kill_all "$pid"
    rm -f "$dir/$1.pid"
}

port() {
    sed -n "$1p" "$dir/ports"
}

ask() {
    etcdctl --command-timeout=2s --endpoints="127.0.0.1:$(port 1),127.0.0.1:$(port 2),127.0.0.1:$(port 3)" "$@"
}

# ask_one MEMBER QUESTION...
ask_one() {
    local member=$1
    shift
    etcdctl --command-timeout=2s --endpoints="127.0.0.1:$(port "$member")" "$@"
}

shift 2
case "$deed" in
    start) start "$@" ;;
    leader) leader ;;
    kill) cut "$1" ;;
    kill-leader) kill_leader ;;
    restart) restart "$1" ;;
    stop) cut 1; cut 2; cut 3 ;;
    *) fail "no deed '$deed'" ;;
esac
