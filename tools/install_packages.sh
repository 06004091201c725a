#!/bin/sh
# sh tools/install_packages.sh [--print] PART...   installs the Debian packages of these parts (see packages.txt).
# Does nothing when all are there. On a system without apt it prints the list and stops.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
print=no
if [ "${1:-}" = --print ]; then
  print=yes
  shift
fi
wanted=""
for part in "$@"; do
  found=$(awk -v part="$part" '$1 == part { print $2 }' "$here/packages.txt")
  if [ -z "$found" ]; then
    echo "install_packages.sh: unknown part '$part' (parts: $(awk '!/^#/ { print $1 }' "$here/packages.txt" | uniq | tr '\n' ' '))" >&2
    exit 2
  fi
  wanted="$wanted $found"
done
wanted=$(echo $wanted)
if [ "$print" = yes ]; then
  echo "$wanted"
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
  echo "This is not a Debian system. Please install what corresponds to these Debian packages, then build with CMake:" >&2
  echo "  $wanted" >&2
  exit 3
fi
missing=""
for package in $wanted; do
  state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$state" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=""
if [ "$(id -u)" -ne 0 ]; then
  sudo=sudo
  if ! command -v sudo >/dev/null 2>&1; then
    echo "These packages are missing and there is no sudo; as root, run:" >&2
    echo "  apt-get install --no-install-recommends$missing" >&2
    exit 3
  fi
fi
echo "Installing:$missing"
apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=500 "$@"; }
# The package lists are fetched only when they do not know a package, or when a listed version has gone from the mirror.
for package in $missing; do
  if ! apt-cache show "$package" >/dev/null 2>&1; then
    apt update
    break
  fi
done
apt install --no-install-recommends $missing || { apt update && apt install --no-install-recommends $missing; }
