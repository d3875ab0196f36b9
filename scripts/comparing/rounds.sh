# Sourced by scripts/compare: how load is made, and what is read off. Each measurement appends a line
# to a file, `what program values…`; scripts/comparing/table.awk makes medians of them.

# The lines of a browser on its way to a page, with our session, the portal's, and what gathers.
request_lines() {
    printf '%s\n' "Host: localhost" \
        'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' \
        'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' \
        'Accept-Language: de-DE,de;q=0.8,en-US;q=0.5,en;q=0.3' \
        'Accept-Encoding: gzip, deflate, br, zstd' \
        'Referer: https://localhost/projects' \
        'Sec-Fetch-Dest: document' 'Sec-Fetch-Mode: navigate' 'Sec-Fetch-Site: same-origin' \
        "Cookie: _ga=GA1.2.1234567890.1700000000; theme=dark; token=$token; $cookie"
}

prepare_load() {
    lines=()
    local line
    while IFS= read -r line; do lines+=(--header "$line"); done < <(request_lines)
    # h2load names the host itself, and its client speaks to one address.
    h2_lines=("${lines[@]:2}")
    # Whoever may not say what goes before what measures without it.
    before_others=()
    ! chrt --fifo 1 true 2>/dev/null || before_others=(chrt --fifo 1)
}

# The processes of a program, and the authoriser's where it asks one.
processes_of() {
    local all="${pid[$1]} $(pgrep --parent "${pid[$1]}" || true)"
    case $1 in *_auth) all="$all ${pid[authoriser]} $(pgrep --parent "${pid[authoriser]}" || true)" ;; esac
    printf '%s' "$all"
}

# Hundredths of a second that they have computed so far.
ticks() {
    local process sum=0 fields
    for process in $(processes_of "$1"); do
        fields=$(sed 's/.*) //' "/proc/$process/stat")
        set -- $fields
        sum=$((sum + ${12} + ${13}))
    done
    printf '%s' "$sum"
}

# Kilobytes of memory that they hold, what they share counted for each.
memory() {
    local process sum=0
    for process in $(processes_of "$1"); do
        sum=$((sum + $(awk '$1 == "VmRSS:" { print $2 }' "/proc/$process/status")))
    done
    printf '%s' "$sum"
}

# As much as it can take: over HTTP, over TLS, and over TLS in single requests, as half load is made.
# Appends `what program requests-a-second cpu-microseconds`.
full_load() {
    local what=$1 name=$2 before after
    before=$(ticks "$name")
    case $what in
        http) wrk --threads 1 --connections 16 --duration "${SECONDS_EACH}s" "${lines[@]}" \
            "http://127.0.0.1:${http[$name]}/projects?state=open" >"$folder/load.out" ;;
        tls) streams "$name" 4 4 ;;
        single_tls) streams "$name" 8 1 ;;
    esac
    after=$(ticks "$name")
    forget_log
    refuse_failures "$what at $name"
    awk -v what="$what" -v name="$name" -v ticks=$((after - before)) -v each="$SECONDS_EACH" '
        $2 == "requests" && $3 == "in" { done = $1; took = $4 + 0; if ($4 ~ /m$/) took *= 60 }
        $1 == "requests:" { done = $6; took = each }
        END { print what, name, done / took, ticks * 10000 / done }
    ' "$folder/load.out" >>"$folder/measured"
}

# $1: the program, $2: connections, $3: requests at once on each.
streams() {
    h2load --threads 1 --clients "$2" --max-concurrent-streams "$3" --duration "$SECONDS_EACH" \
        --warm-up-time 0 --connect-to "127.0.0.1:${https[$1]}" "${h2_lines[@]}" \
        "https://localhost/projects?state=open" >"$folder/load.out"
}

# The same number of requests a second for all, so that latencies can be compared, each at its own
# time: generators that fire in bursts measure how requests wait for each other. The program has a
# core to itself, so that it does not wait for who asks, and all that is measured goes before whatever
# else the machine does, which would else be the hundredth request; it takes twice as long as full
# load, since a machine that stops for a moment should not either. Appends
# `what program median 99th-percentile`, in microseconds.
half_load() {
    local what=$1 name=$2 rate=$3 address=${http[$2]} over=http others=0
    [ "$(nproc)" = 1 ] || others=1-$(($(nproc) - 1))
    [ "$what" = http ] || address=${https[$name]} over=$folder/localhost.crt
    run_on 0 $(processes_of "$name")
    run_on "$others" $(processes_of portal)
    go_before --fifo 1 $(processes_of "$name") $(processes_of portal)
    request_lines | taskset --cpu-list "$others" "${before_others[@]}" "$pace" "$over" \
        "127.0.0.1:$address" '/projects?state=open' "$rate" $((SECONDS_EACH * 2)) >"$folder/paced" ||
        complain "no clean run: $what at $name"
    go_before --other 0 $(processes_of "$name") $(processes_of portal)
    run_on "0,$others" $(processes_of "$name") $(processes_of portal)
    forget_log
    printf 'late_%s %s %s\n' "$what" "$name" "$(cat "$folder/paced")" >>"$folder/measured"
}

# $1: cores; then processes.
run_on() {
    local cores=$1 process
    shift
    for process in "$@"; do taskset --all-tasks --cpu-list --pid "$cores" "$process" >/dev/null; done
}

# $1 and $2: a kind of turn and its rank; then processes.
go_before() {
    local kind=$1 rank=$2 process
    shift 2
    [ "${#before_others[@]}" -gt 0 ] || return 0
    for process in "$@"; do chrt --all-tasks "$kind" --pid "$rank" "$process"; done
}

# The log of what is measured must not fill the disk.
forget_log() {
    : >"$folder/portcullis.log"
}

refuse_failures() {
    ! grep -E 'Non-2xx|Socket errors' "$folder/load.out" >&2 || complain "no clean run: $1"
    ! awk '$1 == "requests:" && ($10 + $12 + $14 > 0) || $1 == "status" && $5 + $7 + $9 > 0' \
        "$folder/load.out" | grep . >&2 || complain "no clean run: $1"
}

# Half of what the gateway takes in single requests, and nobody is asked for more than two thirds of
# what it takes itself.
rate_for() {
    local what=$1
    [ "$what" = http ] || what=single_$what
    awk -v what="$what" -v name="$2" '
        $1 == what { all[$2] = all[$2] " " $3; count[$2]++ }
        function least(of,   values, n, i, lowest) {
            n = split(all[of], values, " ")
            lowest = values[1]
            for (i = 2; i <= n; i++) if (values[i] < lowest) lowest = values[i]
            return lowest
        }
        END { rate = least("portcullis") / 2; own = least(name) * 2 / 3; printf "%d", own < rate ? own : rate }
    ' "$folder/measured"
}

# Turns about, so that whatever else the machine does meets all of them alike.
all_rounds() {
    local round name what
    for what in http tls; do
        for name in "${programs[@]}"; do SECONDS_EACH=1 full_load "$what" "$name"; done
    done
    : >"$folder/measured"
    for round in $(seq "$ROUNDS"); do
        printf 'round %d of %d\n' "$round" "$ROUNDS" >&2
        for what in http tls; do
            for name in "${programs[@]}"; do full_load "$what" "$name"; done
            [ "$what" = http ] ||
                for name in "${programs[@]}"; do SECONDS_EACH=1 full_load "single_$what" "$name"; done
            for name in "${programs[@]}"; do
                half_load "$what" "$name" "$(rate_for "$what" "$name")"
            done
        done
    done
    for name in "${programs[@]}"; do
        printf 'memory %s %s 0\n' "$name" "$(memory "$name")" >>"$folder/measured"
    done
}
