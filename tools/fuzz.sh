#!/bin/sh
# sh tools/fuzz.sh [SECONDS]: builds the fuzz targets with clang and runs each for so long (10), as many at a time as there are
# cores, from its seeds, what was found once (tests/fuzz/findings) and what it has met before (build/fuzz/corpus). A finding is
# left in build/fuzz/findings and is a failure.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
seconds=${1:-10}
jobs=${JOBS:-$(nproc)}
build=${LIGHTLOOP_FUZZ_BUILD:-$root/build/fuzz}
set -- --preset fuzz -B "$build"
if command -v ccache >/dev/null 2>&1; then
  export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1
  set -- "$@" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
log=$(mktemp)
if ! (cmake "$@" && cmake --build "$build" --target fuzzers -j "$jobs") > "$log" 2>&1; then
  tail -40 "$log" >&2
  rm -f "$log"
  exit 1
fi
rm -f "$log"
mkdir -p "$build/findings"
fuzz() {
  word=${1##*/fuzz_}
  corpus=$build/corpus/$word
  found=$root/tests/fuzz/findings/$word
  mkdir -p "$corpus"
  [ -d "$found" ] || found=
  if [ -x "$build/tests/fuzz/seeds_$word" ]; then "$build/tests/fuzz/seeds_$word" "$corpus/seeds"; fi
  if "$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$build/findings/$word-" \
      -print_final_stats=1 "$corpus" "$corpus/seeds" ${found:+"$found"} > "$build/$word.log" 2>&1; then
    echo "$word: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$word.log") inputs, nothing found"
  else
    tail -30 "$build/$word.log" >&2
    echo "$word: a finding, see $build/findings" >&2
    return 1
  fi
}

status=0
running=
for target in "$build"/tests/fuzz/fuzz_*; do
  [ -f "$target" ] && [ -x "$target" ] || continue
  fuzz "$target" &
  running="$running $!"
  set -- $running
  [ $# -lt "$jobs" ] && continue
  wait "$1" || status=1
  shift
  running=$*
done
for one in $running; do wait "$one" || status=1; done
exit $status
