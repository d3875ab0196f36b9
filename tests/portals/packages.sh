# Sourced by the start scripts: installs Debian packages that are missing, without starting
# any service. Where that takes rights we lack, it says which package is missing.

cache="${XDG_CACHE_HOME:-$HOME/.cache}/portcullis-tests"
mkdir -p "$cache"

# Runs a command while no other start script runs one under the same name.
alone() {
    local name=$1
    shift
    (
        flock 9
        "$@" >&2
    ) 9>"$cache/$name.lock"
}

# Debian starts a service as soon as it is installed, unless this file says no.
forbid_services() {
    [ ! -e /usr/sbin/policy-rc.d ] || return 0
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

need_packages() {
    local missing=() package
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "missing Debian packages: ${missing[*]} (apt-get install ${missing[*]})" >&2
        exit 1
    fi
    alone apt install_packages "${missing[@]}"
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    forbid_services
    local get=(apt-get -q -y -o DPkg::Lock::Timeout=300)
    "${get[@]}" install --no-install-recommends "$@" ||
        { "${get[@]}" update && "${get[@]}" install --no-install-recommends "$@"; }
}

# Has Debian's set-up of a package make no database and ask nothing: answer_no PACKAGE QUESTION.
answer_no() {
    is_installed "$1" || [ "$(id -u)" != 0 ] || ! command -v debconf-set-selections >/dev/null ||
        echo "$1 $2 boolean false" | debconf-set-selections
}

# Runs a command that fills a folder of the cache, once: install_once FOLDER COMMAND... . The
# mark is made last, so that an interrupted installation is done again.
install_once() {
    alone "${1##*/}" fill_folder "$@"
}

fill_folder() {
    local folder=$1
    shift
    [ ! -e "$folder/complete" ] || return 0
    rm -rf "$folder"
    mkdir -p "$folder"
    "$@"
    touch "$folder/complete"
}

# Makes a Python of its own with these packages, once: python_once FOLDER PACKAGE... .
python_once() {
    python3 -c 'import ensurepip' 2>/dev/null || need_packages python3 python3-venv
    install_once "$1" make_python "$@"
}

make_python() {
    local folder=$1
    shift
    python3 -m venv "$folder"
    PIP_DISABLE_PIP_VERSION_CHECK=1 "$folder/bin/pip" install -q "$@"
}
