# Sourced by scripts/compare: everything that is compared, each in front of the same portal with one
# worker, and how each is started. All of them listen on loopback, on HTTP and on TLS with HTTP/2.

# The portal: a page from memory, and a login that takes any password, so that a second factor can be
# set up in front of it. Nothing is faster, so that what is in front of it is what is measured.
portal_conf() {
    cat <<END
$(nginx_head portal)
    server {
        listen 127.0.0.1:$portal;
        default_type text/html;
        location / { return 200 "<!doctype html><title>Projects</title><p>There are seven of them.</p>"; }
        location = /login { add_header Set-Cookie "PORTALSESSID=q8f3kd0s9vlm2n4b6c7x8z1a5w; Path=/; HttpOnly"; return 302 /; }
    }
}
END
}

# The trivial authoriser: whoever asks is let in.
authoriser_conf() {
    cat <<END
$(nginx_head authoriser)
    server { listen 127.0.0.1:$authoriser; location / { return 204; } }
}
END
}

nginx_head() {
    cat <<END
worker_processes 1;
daemon off;
pid $folder/$1.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path $folder/$1.body; proxy_temp_path $folder/$1.proxy;
    fastcgi_temp_path $folder/$1.fastcgi; uwsgi_temp_path $folder/$1.uwsgi; scgi_temp_path $folder/$1.scgi;
END
}

# $1: the name, $2: what stands in the location.
nginx_proxy_conf() {
    cat <<END
$(nginx_head "$1")
    upstream portal { server 127.0.0.1:$portal; keepalive 64; keepalive_requests 1000000000; }
    upstream authoriser { server 127.0.0.1:$authoriser; keepalive 64; keepalive_requests 1000000000; }
    server {
        listen 127.0.0.1:${http[$1]};
        listen 127.0.0.1:${https[$1]} ssl http2;
        ssl_certificate $folder/localhost.crt; ssl_certificate_key $folder/localhost.key;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host \$host;
        location / { $2 proxy_pass http://portal; }
        location = /auth {
            internal;
            proxy_pass http://authoriser;
            proxy_pass_request_body off;
            # Those of the server do not count where there are others: it would connect anew.
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
        }
    }
}
END
}

# $1: the name, $2: lines of the front.
haproxy_conf() {
    cat <<END
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend street
    bind 127.0.0.1:${http[$1]}
    bind 127.0.0.1:${https[$1]} ssl crt $folder/localhost.pem alpn h2,http/1.1
    $2
    default_backend portal
backend portal
    http-reuse always
    server portal 127.0.0.1:$portal
END
}

haproxy_jwt_lines() {
    printf '%s\n' 'http-request set-var(txn.token) req.cook(token)' \
        "    http-request deny unless { var(txn.token),jwt_verify(\"HS256\",\"$jwt_secret\") 1 }"
}

caddy_conf() {
    cat <<END
{
    admin off
    auto_https off
    servers {
        protocols h1 h2
    }
}
(way) {
    forward_auth 127.0.0.1:$authoriser {
        uri /auth
    }
    reverse_proxy 127.0.0.1:$portal
}
http://localhost:${http[caddy_auth]} {
    bind 127.0.0.1
    import way
}
https://localhost:${https[caddy_auth]} {
    bind 127.0.0.1
    tls $folder/localhost.crt $folder/localhost.key
    import way
}
END
}

# Everything on: the binding, the metrics, the access log.
portcullis_conf() {
    cat <<END
listeners:
  - { address: "127.0.0.1:${http[portcullis]}" }
  - { address: "127.0.0.1:${https[portcullis]}", tls: { certificates: [{ certificate: $folder/localhost.crt, key: $folder/localhost.key }] } }
admin: { address: "127.0.0.1:$admin" }
store: { engine: sled, path: $folder/store }
keys: { master: file:$folder/master.key }
portals:
  projects:
    hosts: [localhost]
    upstreams: ["http://127.0.0.1:$portal"]
    public: [/static/**]
    identity:
      logins:
        - request: { method: POST, path: /login }
          username: { form: user }
          success: { status: [302], location: "/", set_cookie: PORTALSESSID }
      session_cookies: [PORTALSESSID]
      rotation: follow
      login_url: /login
      logout: { path: /logout }
telemetry: { log: json, level: info, access_log: true }
END
}

# A certificate, which who asks can trust by itself, and a token as haproxy reads them.
make_secrets() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -addext basicConstraints=critical,CA:FALSE \
        -keyout "$folder/localhost.key" -out "$folder/localhost.crt" 2>/dev/null
    cat "$folder/localhost.crt" "$folder/localhost.key" >"$folder/localhost.pem"
    openssl rand -base64 32 >"$folder/master.key"
    chmod 600 "$folder"/*.key
    jwt_secret=$(openssl rand -hex 32)
    local head claims
    head=$(printf '{"alg":"HS256","typ":"JWT","kid":"c2Vzc2lvbg"}' | base64url)
    claims=$(printf '{"iss":"compare","aud":"projects","sub":"%s","sid":"%s","iat":%d,"exp":%d}' \
        9f86d081884c7d659a2feA 9f86d081884c7d659a2feB "$(date +%s)" "$(($(date +%s) + 3600))" | base64url)
    token=$head.$claims.$(printf '%s' "$head.$claims" |
        openssl dgst -sha256 -hmac "$jwt_secret" -binary | base64url)
}

base64url() {
    base64 --wrap 0 | tr '+/' '-_' | tr -d '='
}

# A port that nobody has at the moment, nor was given by this, and below those that the system gives to
# whoever connects.
free_port() {
    local port
    while :; do
        port=$((RANDOM % 12000 + 20000))
        ! grep --quiet --line-regexp --no-messages "$port" "$folder/ports" || continue
        ss --no-header --listening --tcp --numeric | grep --quiet ":$port " || break
    done
    printf '%s\n' "$port" | tee --append "$folder/ports"
}

# Starts a program and waits until it listens. $1: its name, $2: a port of it; then the command.
start() {
    local name=$1 port=$2 try
    shift 2
    "$@" >"$folder/$name.out" 2>>"$folder/$name.log" &
    pid[$name]=$!
    for try in {1..200}; do
        ss --no-header --listening --tcp --numeric | grep --quiet "127.0.0.1:$port " && return
        kill -0 "${pid[$name]}" 2>/dev/null || break
        sleep 0.05
    done
    tail -n 20 "$folder/$name.log" >&2
    complain "$name does not listen"
}

start_nginx() {
    start "$1" "$2" nginx -p "$folder" -c "$folder/$1.conf"
}

start_all() {
    portal=$(free_port) authoriser=$(free_port) admin=$(free_port)
    local name
    for name in "${programs[@]}"; do
        http[$name]=$(free_port) https[$name]=$(free_port)
    done
    portal_conf >"$folder/portal.conf"
    authoriser_conf >"$folder/authoriser.conf"
    start_nginx portal "$portal"
    start_nginx authoriser "$authoriser"
    for name in "${programs[@]}"; do
        "start_$name"
    done
}

start_nginx_plain() {
    nginx_proxy_conf nginx_plain '' >"$folder/nginx_plain.conf"
    start_nginx nginx_plain "${http[nginx_plain]}"
}

start_nginx_auth() {
    nginx_proxy_conf nginx_auth 'auth_request /auth;' >"$folder/nginx_auth.conf"
    start_nginx nginx_auth "${http[nginx_auth]}"
}

start_haproxy_plain() {
    haproxy_conf haproxy_plain '' >"$folder/haproxy_plain.conf"
    start haproxy_plain "${http[haproxy_plain]}" haproxy -db -f "$folder/haproxy_plain.conf"
}

start_haproxy_jwt() {
    haproxy_conf haproxy_jwt "$(haproxy_jwt_lines)" >"$folder/haproxy_jwt.conf"
    start haproxy_jwt "${http[haproxy_jwt]}" haproxy -db -f "$folder/haproxy_jwt.conf"
}

start_caddy_auth() {
    caddy_conf >"$folder/Caddyfile"
    GOMAXPROCS=1 XDG_DATA_HOME=$folder XDG_CONFIG_HOME=$folder start caddy_auth "${http[caddy_auth]}" \
        "$caddy" run --adapter caddyfile --config "$folder/Caddyfile"
}

start_bare() {
    TOKIO_WORKER_THREADS=1 start bare "${http[bare]}" "$bare" "127.0.0.1:$portal" \
        "127.0.0.1:${http[bare]}" "127.0.0.1:${https[bare]}" "$folder/localhost.crt" "$folder/localhost.key"
}

start_portcullis() {
    portcullis_conf >"$folder/portcullis.yaml"
    TOKIO_WORKER_THREADS=1 start portcullis "${http[portcullis]}" \
        "$program" serve --config "$folder/portcullis.yaml"
}
