# Sourced by the scripts beside it: sees to it that the machine has what they need. As root on
# Debian it installs what is missing; otherwise it says what is missing, in one line.

BUILD_PACKAGES=(cmake g++ make pkg-config)
# For all features: the client of etcd is generated when it is built.
FEATURE_PACKAGES=(libprotobuf-dev protobuf-compiler)
TEST_PACKAGES=(binutils chromium chromium-driver curl dokuwiki etcd-client etcd-server faketime haproxy
    iproute2 librsvg2-bin oathtool openssl php-cli php-xml postgresql-15 python3-aiosmtpd python3-venv
    zbar-tools)

complain() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Rust has its own way to be installed; the version is in rust-toolchain.toml.
need_rust() {
    PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
    command -v cargo >/dev/null || complain "cargo is missing: install Rust with" \
        "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh, then run this again"
}

need_packages() {
    if ! command -v dpkg-query >/dev/null; then
        printf '%s: not Debian, so nothing is checked; needed are what Debian calls %s\n' \
            "$(basename "$0")" "$*" >&2
        return
    fi
    local missing
    missing=$(absent_packages "$@")
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || complain "packages are missing; as root: apt-get install" $missing
    # In a shell of its own, whose end takes the guard away whatever happens.
    (install_packages $missing) || complain "could not install:" $missing
}

absent_packages() {
    local package
    for package in "$@"; do
        dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null |
            grep --quiet --line-regexp installed || printf '%s\n' "$package"
    done
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    # No package may start a daemon here: a web server of dokuwiki's would take a port, and
    # nobody asked for one. invoke-rc.d asks this file, and 101 is its word for no.
    local guard=/usr/sbin/policy-rc.d
    if [ ! -e "$guard" ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$guard"
        chmod 755 "$guard"
    fi
    no_database_of_debians
    update_lists || printf 'the package lists could not be updated; trying those there are\n' >&2
    apt-get -o DPkg::Lock::Timeout=300 install --yes --quiet --no-install-recommends "$@"
}

# PostgreSQL's package would make a database server of its own, which runs from the next boot on.
no_database_of_debians() {
    dpkg-query --show postgresql-common >/dev/null 2>&1 && return 0
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/no-main.conf
}

# Another apt may hold the lists; it lets go sooner or later.
update_lists() {
    local try
    for try in 1 2 3 4 5 6; do
        apt-get update --quiet && return 0
        [ "$try" = 6 ] || sleep 10
    done
    return 1
}
