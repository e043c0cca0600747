#!/bin/sh
# Name the Debian packages of "$@" that are missing, and install them as root or through sudo. Silent when all is there.
set -eu
missing=
for p in "$@"; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "Missing Debian packages:$missing"
if [ "$(id -u)" = 0 ]; then
    sudo=
elif command -v sudo >/dev/null 2>&1; then
    sudo=sudo
else
    echo "Install them as root, then run this again:  apt-get install$missing" >&2
    exit 1
fi
echo "Installing them now:  ${sudo:+sudo }apt-get install$missing"
# Servers that a package brings must not start by themselves: the tests and the demo run their own.
policy=/usr/sbin/policy-rc.d made=
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
    made=1
fi
trap '[ -z "$made" ] || $sudo rm -f "$policy"' EXIT
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$sudo apt-get update -q >/dev/null && $sudo apt-get install -y -q --no-install-recommends $missing
