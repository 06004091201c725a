#!/bin/sh
# sh tools/test.sh [--core] [--full] [--sanitize] [--no-install]
#   Sets everything up, builds, runs every test (Catch2 through ctest, then pytest) and ends with a line of counts.
#   --core        without gRPC, PyTorch and the benchmarks; says what that skips
#   --full        also the long tests (those tagged slow)
#   --sanitize    only the unit tests, under the address and undefined-behaviour sanitizers
#   --no-install  installs no package
# $LIGHTLOOP_BUILD names another build folder; $JOBS another number of parallel jobs.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
core=no full=no preset=ci install=yes
for option in "$@"; do
  case "$option" in
    --core) core=yes ;;
    --full) full=yes ;;
    --sanitize) preset=sanitize ;;
    --no-install) install=no ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test.sh: unknown option '$option' (--core --full --sanitize --no-install)" >&2; exit 2 ;;
  esac
done
jobs=${JOBS:-$(nproc)}
build=${LIGHTLOOP_BUILD:-$root/build/$preset}

parts="build plot python test"
[ "$core" = yes ] || parts="$parts remote torch bench"
[ "$install" = no ] || sh tools/install_packages.sh $parts

set -- --preset "$preset" -B "$build"
if command -v ccache >/dev/null 2>&1; then
  export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1
  set -- "$@" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
log=$(mktemp)
cmake "$@" > "$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; exit 1; }
grep -E 'not found|not built' "$log" || true
rm -f "$log"
cmake --build "$build" -j "$jobs"

python=$(sed -n 's/^LIGHTLOOP_PYTHON_EXECUTABLE:[A-Z]*=//p' "$build/CMakeCache.txt")
export LIGHTLOOP_BUILD="$build" PYTHONPATH="$build/python" PYTHONDONTWRITEBYTECODE=1
[ "$full" = no ] || export LIGHTLOOP_FULL=1
status=0
reports="$build/reports"
rm -rf "$reports"
mkdir -p "$reports"
ctest --test-dir "$build" -j "$jobs" --output-on-failure --output-junit "$reports/ctest.xml" || status=1
if [ "$full" = yes ]; then
  for binary in "$build"/tests/test_*; do
    [ -x "$binary" ] && [ -f "$binary" ] || continue
    "$binary" "[slow]" -r junit -o "$reports/slow-$(basename "$binary").xml" || status=1
  done
fi
if [ "$preset" != sanitize ]; then
  folders=""
  for folder in tests/lint tests/e2e tests/python; do
    if [ "$folder" = tests/e2e ] && [ ! -x "$build/bin/lightloop" ]; then
      echo "skipped: tests/e2e (the command is not built)"
    elif [ -d "$folder" ]; then
      folders="$folders $folder"
    fi
  done
  if [ -n "$folders" ]; then
    parallel=
    if "$python" -c 'import xdist' 2>/dev/null; then parallel="-n $jobs --dist loadfile"; fi   # a file's tests share their runs
    "$python" -m pytest -q -rs -p no:cacheprovider $parallel --junitxml "$reports/pytest.xml" $folders || status=1
  fi
fi
[ "$core" = no ] || echo "--core: left out devices in other processes, the comparison with PyTorch and the benchmarks (packages: $(sh tools/install_packages.sh --print remote torch bench))"
"$python" tests/count.py "$reports"/*.xml || status=1
exit $status
