#!/usr/bin/env bash
# From a clone to a first result: installs what is missing, builds the program, runs jobs/quickstart.toml on 2 ranks,
# prints the table of critical times and draws the figures.
#
#   bash jobs/quickstart.sh                 on Debian or Ubuntu, as root or with sudo
#   bash jobs/quickstart.sh --no-install    where modules or Spack have the packages
#
# The exit code is that of the run (README.md lists them), or 1 when a step before or after it fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=jobs/environment.sh
. jobs/environment.sh

install=true
case "${1:-}" in
  '') ;;
  --no-install) install=false ;;
  *) say "quickstart: unknown option $1 (known: --no-install)"; exit 2 ;;
esac

if $install; then bash jobs/install-deps.sh; fi
python=$(choose_python)
set_mpi_environment

say "Building build/release/drivers/diffphase (the first time, a minute or two) ..."
mkdir -p build
if ! { cmake --preset release && cmake --build --preset release --target diffphase_cli; } >build/quickstart.log 2>&1; then
  tail -n 40 build/quickstart.log >&2
  say "The build failed; all of its output is in build/quickstart.log"
  exit 1
fi

results=runs/quickstart
code=0
on_ranks 2 build/release/drivers/diffphase run jobs/quickstart.toml -o "$results" || code=$?
# 1 and 75 leave results of everything that was finished.
case $code in
  0 | 1 | 75) ;;
  *) exit "$code" ;;
esac

"$python" -m analysis table "$results"
"$python" -m analysis report "$results"

cat <<TEXT

Next:
  open $results/figures/index.html in a browser
  in Python: xarray.open_dataset("$results/results.h5", engine="h5netcdf")
  edit jobs/quickstart.toml, for example lengthen a list, and run this again: only what is new is computed
TEXT
exit "$code"
