# Medians of what scripts/comparing/rounds.sh measured, as tables of Markdown. Ratios are to the
# framework's proxy with nothing of ours, `bare`, within the same run.

BEGIN {
    count = split("nginx_plain nginx_auth haproxy_plain haproxy_jwt caddy_auth bare portcullis", order, " ")
    said["nginx_plain"] = "nginx"
    said["nginx_auth"] = "nginx, `auth_request` and its authoriser"
    said["haproxy_plain"] = "HAProxy"
    said["haproxy_jwt"] = "HAProxy, `jwt_verify`"
    said["caddy_auth"] = "Caddy, `forward_auth` and its authoriser"
    said["bare"] = "bare pingora"
    said["portcullis"] = "Portcullis, everything on"
}

{
    number = ++rounds[$1, $2]
    first[$1, $2, number] = $3
    second[$1, $2, number] = $4
}

END {
    table("http", "Over HTTP")
    table("tls", "Over TLS, HTTP/2 to the client")
}

function table(what, title,   i, name, base) {
    print "\n### " title "\n"
    print "| | CPU a request | to bare | requests a second | to bare | p50 at half load | p99 | memory |"
    print "| --- | --- | --- | --- | --- | --- | --- | --- |"
    base = median(second, what, "bare")
    for (i = 1; i <= count; i++) {
        name = order[i]
        if (!((what, name) in rounds)) continue
        printf "| %s | %.1f µs | %.2f | %d | %.2f | %d µs | %d µs | %d MiB |\n", said[name],
            median(second, what, name), median(second, what, name) / base,
            median(first, what, name), median(first, what, name) / median(first, what, "bare"),
            median(first, "late_" what, name), median(second, "late_" what, name),
            first["memory", name, 1] / 1024
    }
}

function median(of, what, name,   n, i, j, values, kept) {
    n = rounds[what, name]
    for (i = 1; i <= n; i++) values[i] = of[what, name, i] + 0
    for (i = 2; i <= n; i++) {
        kept = values[i]
        for (j = i - 1; j > 0 && values[j] > kept; j--) values[j + 1] = values[j]
        values[j + 1] = kept
    }
    return values[int((n + 1) / 2)]
}
