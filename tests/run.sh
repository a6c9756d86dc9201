#!/usr/bin/env bash
# Builds and tests everything that continuous integration does, from a clone.
#
#   bash tests/run.sh            release build with warnings as errors and all tests but the slow ones; 20 s of each
#                                fuzz target; the sanitizer set; clang-format on every file, clang-tidy on the files of
#                                the last commit
#   bash tests/run.sh --full     also the slow tests, every unit test under the sanitizers, clang-tidy on every file,
#                                and every sweep file of jobs/ (each for at most 5 minutes)
#   ... --no-install             do not look for Debian packages (modules or Spack have them)
#
# Every phase runs, also after one has failed, but for what needs a build that failed. The last line counts what passed,
# failed and was skipped: each test of ctest is one, each build, check and sweep file is one. What was skipped is named,
# also where it is part of a test that passed. The exit code is 1 if anything failed. Output of every phase: build/log/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=jobs/environment.sh
. jobs/environment.sh

full=false
install=true
for argument in "$@"; do
  case "$argument" in
    --full) full=true ;;
    --no-install) install=false ;;
    *) say "tests/run.sh: unknown option $argument (known: --full, --no-install)"; exit 2 ;;
  esac
done

if $install; then bash jobs/install-deps.sh --tests; fi
PYTHON=$(choose_python)
export PYTHON OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
set_mpi_environment
jobs_at_once=$(env -u OMP_NUM_THREADS nproc) # nproc counts no more than that
tests_at_once=$((2 * jobs_at_once)) # many wait for processes to start or to end
# A hundred programs are linked: by what links fastest, for builds that begin here.
if command -v ld.gold >/dev/null; then export LDFLAGS="${LDFLAGS:-} -fuse-ld=gold"; fi
mkdir -p build/log

passed=0
failed=0
skipped=0
succeeded=true # the last phase
summary=()

# skips LOG: what a phase did not run and why, a line each; of ctest, whole tests and those inside of test programs.
skips() {
  local folder
  sed -n 's/^not run: /skipped: /p' "$1"
  folder=$(sed -n 's/^Test project //p' "$1" | tail -n 1)
  if [ -z "$folder" ]; then return; fi
  sed -n 's/^.* Test *#[0-9]*: \([^ ]*\) .*\*\*\*Skipped.*/skipped: \1/p' "$1"
  sed -n -e 's/^\[  SKIPPED \] \([^ ]*\) (.*/skipped inside of a test: \1/p' -e 's/^skipped: /  because: /p' \
    "$folder/Testing/Temporary/LastTest.log"
}

# phase NAME command...: runs a command with its output in build/log/NAME.log, shown in full when it fails. Counts the
# tests of ctest when there are any, else the phase itself.
phase() {
  local name=$1 log="build/log/${1// /-}.log" start=$SECONDS code=0 counts good bad left_out line
  shift
  "$@" >"$log" 2>&1 || code=$?
  counts=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\1 \2/p' "$log" | tail -n 1)
  if [ -n "$counts" ]; then
    bad=${counts% *}
    good=$((${counts#* } - bad))
    if [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  else
    good=$((code == 0))
    bad=$((code != 0))
  fi
  left_out=$(skips "$log" | grep -c '^skipped: ' || true)
  if [ "$left_out" -gt "$good" ]; then left_out=$good; fi
  good=$((good - left_out))
  passed=$((passed + good))
  failed=$((failed + bad))
  skipped=$((skipped + left_out))
  line=$(printf '%-28s %4d passed %3d failed %3d skipped %5d s' "$name" "$good" "$bad" "$left_out" $((SECONDS - start)))
  summary+=("$line")
  say "$line"
  skips "$log" | sed 's/^/    /'
  if [ "$code" -ne 0 ]; then
    tail -n 400 "$log" >&2
    say "$name FAILED (code $code); all of its output is in $log"
  fi
  if [ "$code" -eq 0 ]; then succeeded=true; else succeeded=false; fi
}

build() { cmake --preset "$1" && cmake --build --preset "$1"; }

# The small set is built in less time than optimised code would save; the whole set is not. Left out of the small one:
# checks of every pointer for null, a quarter of that time, as the address sanitizer finds those, too; and the folders of
# the library that its tests do without.
build_sanitizers() {
  if $full; then
    build asan
  else
    local undefined=alignment,bool,bounds,builtin,enum,float-cast-overflow,integer-divide-by-zero,pointer-overflow,return
    undefined+=,shift,signed-integer-overflow,unreachable,vla-bound
    cmake --preset asan -B build/asan-small -D CMAKE_CXX_FLAGS_DEBUG="-O0 -g1" -D DIFFPHASE_SANITIZE="address,$undefined" \
      -D DIFFPHASE_FOLDERS="parallel;files;random;process;ensemble;posterior;results" &&
      cmake --build build/asan-small --target sanitizer_tests
  fi
}

# Names the lines that clang-format would change.
check_format() {
  git ls-files -z -- '*.cpp' '*.hpp' | xargs -0 -r -n 20 -P "$jobs_at_once" clang-format --dry-run --Werror
}

check_scripts() { git ls-files -z -- '*.sh' '*.sbatch' .ci/run | xargs -0 -r shellcheck -x; }

# How the ci build compiles each file, without the precompiled header, which clang does not read: a file that does not
# include what it uses is found here.
write_compile_commands() {
  mkdir -p build/tidy
  sed -E 's/ -Winvalid-pch -include (\\"[^"]*\\"|[^ ]*)//' build/ci/compile_commands.json >build/tidy/compile_commands.json
}

# The sources that the ci build compiles, of those named on standard input.
compiled_sources() {
  "$PYTHON" -c '
import json, os, sys
compiled = {os.path.realpath(unit["file"]) for unit in json.load(open("build/tidy/compile_commands.json"))}
print("".join(f + "\n" for f in sys.stdin.read().split("\n") if os.path.realpath(f) in compiled), end="")'
}

# Of the files named on standard input: sources, and for each header one that includes it, its own if there is one.
including_sources() {
  local file base
  while read -r file; do
    case $file in
      *.cpp) printf '%s\n' "$file" ;;
      *.hpp)
        base=${file%.hpp}.cpp
        if ! [ -e "$base" ]; then
          base=$(git grep -l --fixed-strings "${file##*/}\"" -- '*.cpp' | head -n 1) || true
        fi
        printf '%s\n' "$base" ;;
    esac
  done | sort -u
}

check_tidy() {
  local sources
  if $full; then
    sources=$(git ls-files -- '*.cpp')
  elif git rev-parse -q --verify HEAD~1 >/dev/null; then
    sources=$(git diff --name-only --diff-filter=d HEAD~1 -- '*.cpp' '*.hpp' | including_sources)
  else
    echo "not run: this clone has one commit only"
    return
  fi
  write_compile_commands || return
  sources=$(compiled_sources <<<"$sources") || return
  echo "clang-tidy on $(grep -c . <<<"$sources") files"
  xargs -r -n 1 -P "$jobs_at_once" clang-tidy -p build/tidy --quiet <<<"$sources"
}

# A sweep file runs to its end, or for 5 minutes and stops as it should.
run_job() {
  local file=$1 folder code=0 options=()
  folder=build/jobs/$(basename "$file" .toml)
  rm -rf "$folder"
  if grep -q '^ *file *=.*idx3' "$file"; then
    local data=../shared/data/mnist
    if ! [ -d "$data" ]; then
      echo "not run: $data is not here"
      return 0
    fi
    options+=(--set "dataset.file=$PWD/$data/t10k-images-idx3-ubyte.gz"
              --set "dataset.labels=$PWD/$data/t10k-labels-idx1-ubyte.gz")
  fi
  build/ci/drivers/diffphase plan "$file" "${options[@]}" || return
  on_ranks 2 build/ci/drivers/diffphase run "$file" -o "$folder" --stop-after 5m "${options[@]}" || code=$?
  echo "exit code $code"
  [ "$code" -eq 0 ] || [ "$code" -eq 75 ]
}

phase "format" check_format
phase "scripts" check_scripts
# What an older build left behind is not tested.
phase "build ci" build ci
built=$succeeded
if $built; then
  phase "tests" ctest --preset ci -j "$tests_at_once"
  phase "clang-tidy" check_tidy
fi
if $full && $built; then
  phase "slow tests" ctest --test-dir build/ci -L full -j "$tests_at_once" --output-on-failure
  for file in jobs/*.toml; do phase "job $(basename "$file" .toml)" run_job "$file"; done
fi

if bash tests/fuzz/run.sh --check; then
  phase "fuzz" bash tests/fuzz/run.sh --seconds "$($full && echo 60 || echo 20)"
fi

phase "build asan" build_sanitizers
if $succeeded && $full; then
  phase "sanitizer tests" ctest --test-dir build/asan -L unit -LE full -j "$tests_at_once" --output-on-failure \
    --no-tests=error
elif $succeeded; then
  phase "sanitizer tests" ctest --test-dir build/asan-small -L sanitizer -j "$tests_at_once" --output-on-failure \
    --no-tests=error
fi

printf '\n'
printf '%s\n' "${summary[@]}"
printf 'total %d s\n\n' "$SECONDS"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
