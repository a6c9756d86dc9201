#!/usr/bin/env bash
# Fuzzes what reads bytes that others may have written: sweep files, journals (outside of and behind their checksums),
# data files, locks; and what writes the log of attempts. With address and undefined-behaviour sanitizers, by libFuzzer.
#
#   bash tests/fuzz/run.sh                     10 minutes each, as many at once as there are cores; the small ones (locks
#                                              and the log) a quarter of that
#   bash tests/fuzz/run.sh --seconds 20        20 seconds each, the small ones 5
#   bash tests/fuzz/run.sh --check             only says whether there is a compiler that can
#   bash tests/fuzz/run.sh journal_bytes ...   only these targets
#
# An input that fails is kept in build/fuzz/failures and its path printed; the target runs it alone when that path is
# its only argument. The corpus that is found grows in build/fuzz/corpus from one call to the next.
#
# Exit codes: 0 nothing found; 1 something found, or the build failed; 2 bad option; 3 no clang++ with libFuzzer here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { printf 'fuzz: %s\n' "$*" >&2; }

seconds=600
check_only=false
chosen=()
while [ $# -gt 0 ]; do
  case "$1" in
    --seconds)
      if ! [[ ${2:-} =~ ^[1-9][0-9]{0,5}$ ]]; then
        say "--seconds ${2:-}: must be an integer from 1 to 999999"
        exit 2
      fi
      seconds=$2
      shift
      ;;
    --check) check_only=true ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) say "unknown option $1 (known: --seconds, --check)"; exit 2 ;;
    *) chosen+=("${1%_fuzz}") ;;
  esac
  shift
done

known=()
for source in tests/fuzz/*_fuzz.cpp; do
  name=${source##*/}
  known+=("${name%_fuzz.cpp}")
done
for name in "${chosen[@]}"; do
  if ! [[ " ${known[*]} " == *" $name "* ]]; then
    say "no target $name (known: ${known[*]})"
    exit 2
  fi
done
if [ ${#chosen[@]} -eq 0 ]; then chosen=("${known[@]}"); fi

folder=build/fuzz
mkdir -p "$folder"
compiler=$(command -v "${CLANGXX:-clang++}") || compiler=
probe='extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }'
if [ -z "$compiler" ] ||
  ! "$compiler" -x c++ -fsanitize=address,undefined,fuzzer -o "$folder/probe" - <<<"$probe" >"$folder/probe.log" 2>&1; then
  say "no ${CLANGXX:-clang++} with libFuzzer and sanitizers here (Debian: clang libclang-rt-dev; or set CLANGXX)"
  exit 3
fi
if $check_only; then exit 0; fi

cmake -S tests/fuzz -B "$folder" -G Ninja -D CMAKE_CXX_COMPILER="$compiler" -D CMAKE_C_COMPILER="${compiler/++/}" \
  >"$folder/configure.log" || { cat "$folder/configure.log" >&2; exit 1; }
cmake --build "$folder" --target "${chosen[@]/%/_fuzz}"
"${PYTHON:-python3}" tests/fuzz/seeds.py "$folder/seeds"
mkdir -p "$folder/failures" "$folder/log"
export ASAN_OPTIONS=quarantine_size_mb=32:detect_stack_use_after_return=0 UBSAN_OPTIONS=print_stacktrace=1

# Inputs are at most 4 KiB, so that no reader needs more than its own buffers (of data files: two of 4 MiB) and what a
# gzipped input can hold (1100 times its size, as numbers of 8 bytes).
fuzz() {
  local name=$1 time=$seconds
  case "$name" in attempt_log | lock_file) time=$(((seconds + 3) / 4)) ;; esac
  mkdir -p "$folder/corpus/$name"
  exec "$folder/${name}_fuzz" "$folder/corpus/$name" "$folder/seeds/${name}_fuzz" -max_total_time="$time" -max_len=4096 \
    -timeout=30 -malloc_limit_mb=64 -rss_limit_mb=1024 -artifact_prefix="$folder/failures/$name-" -print_final_stats=1 \
    >"$folder/log/$name.log" 2>&1
}

running=()
failed=()
# Waits until fewer than `$1` targets run.
wait_for() {
  local first name
  while [ ${#running[@]} -ge "$1" ] && [ ${#running[@]} -gt 0 ]; do
    first=${running[0]}
    name=${first#*:}
    if wait "${first%%:*}"; then
      say "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/log/$name.log") inputs, nothing found"
    else
      failed+=("$name")
      tail -n 60 "$folder/log/$name.log" >&2
      say "$name FAILED; its output is in $folder/log/$name.log, the input in $folder/failures"
    fi
    running=("${running[@]:1}")
  done
}
stop_all() {
  local each
  for each in "${running[@]}"; do kill "${each%%:*}" 2>/dev/null || true; done
}
trap stop_all EXIT
trap 'exit 143' INT TERM
at_once=$(env -u OMP_NUM_THREADS nproc)
for name in "${chosen[@]}"; do
  wait_for "$at_once"
  fuzz "$name" &
  running+=("$!:$name")
done
wait_for 1
[ ${#failed[@]} -eq 0 ]
