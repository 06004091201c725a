#!/bin/sh
# sh tools/quickstart.sh: from a fresh Debian 12 to a network trained on light, its table, its run file and its plot.
# Works from any folder; a second call only trains. $LIGHTLOOP_BUILD names another build folder, $JOBS the parallel jobs,
# $CMAKE_ARGS more options for CMake.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${LIGHTLOOP_BUILD:-$root/build/quickstart}
out=$root/quickstart

sh "$root/tools/install_packages.sh" build plot
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! (cd "$root" && cmake --preset quickstart -B "$build" ${CMAKE_ARGS:-} && cmake --build "$build" --target lightloop_command -j "${JOBS:-$(nproc)}") > "$log" 2>&1; then
  cat "$log" >&2
  echo "quickstart.sh: the build failed; its output is above" >&2
  exit 1
fi
mkdir -p "$out"
lightloop=$build/bin/lightloop
"$lightloop" train --dataset digits --rule tdfa --device sim:opu --baseline dfa,bp --lr 3e-3 --set rule.dead_zone=0.2 --force --out "$out/run.h5"
"$lightloop" plot "$out/run.h5" "$out/run-dfa.h5" "$out/run-bp.h5" -o "$out/run.png"
echo
echo "The command is $lightloop; try: $lightloop --help"
