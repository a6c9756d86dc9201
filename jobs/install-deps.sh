#!/usr/bin/env bash
# Installs what diffphase is built on, on Debian 12 or newer and on Ubuntu 23.04 or newer. Does and prints nothing when
# all of it is there.
#
#   bash jobs/install-deps.sh            what the program and the analysis need
#   bash jobs/install-deps.sh --tests    and what the tests and the checks need
#   bash jobs/install-deps.sh --check    only say what is missing
#
# Exit codes: 0 everything is there; 1 something is missing (--check) or could not be installed; 2 not a system, or not
# a user, for which this script can do it, or a bad option.
set -euo pipefail

build_packages=(
  git cmake ninja-build g++ pkg-config
  libopenmpi-dev openmpi-bin libboost-serialization-dev libboost-dev
  libpetsc-real-dev libslepc-real-dev libopenblas-dev librandom123-dev
  libhdf5-openmpi-dev hdf5-tools zlib1g-dev
  libtomlplusplus-dev libcli11-dev libspdlog-dev libfmt-dev
  python3-xarray python3-h5netcdf python3-matplotlib python3-scipy
)
test_packages=(
  libgtest-dev libgmock-dev libbenchmark-dev clang-format clang-tidy shellcheck clang libclang-rt-dev slurm-wlm
)

say() { printf 'install-deps: %s\n' "$*" >&2; }

other_system() {
  say "$1"
  cat >&2 <<'TEXT'
On other systems load modules, or install with Spack, these:
  a C++20 compiler (GCC 12, clang 14 or newer), CMake 3.23 or newer, Ninja, pkg-config, git
  MPI, HDF5, BLAS and LAPACK, zlib
  PETSc and SLEPc 3.18 or newer (real, double precision; `PETSc` and `SLEPc` known to pkg-config)
  Boost 1.74 or newer with Boost.Serialization
  Random123, toml++ 3, CLI11 2, spdlog and fmt
  Python with numpy, scipy, xarray, h5netcdf and matplotlib
  for the tests: GoogleTest with GoogleMock, Google Benchmark
With Spack: spack install boost+serialization petsc~complex slepc hdf5+mpi openblas random123 \
                          tomlplusplus cli11 spdlog fmt cmake ninja googletest benchmark py-xarray py-h5netcdf \
                          py-matplotlib py-scipy
Then give --no-install to jobs/quickstart.sh and tests/run.sh.
TEXT
  exit 2
}

packages=("${build_packages[@]}")
check_only=false
for argument in "$@"; do
  case "$argument" in
    --tests) packages+=("${test_packages[@]}") ;;
    --check) check_only=true ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) say "unknown option $argument (known: --tests, --check)"; exit 2 ;;
  esac
done

# Debian and its derivatives, by what the system says of itself.
system_file=${DIFFPHASE_OS_RELEASE:-/etc/os-release}
[ -r "$system_file" ] || other_system "this system has no /etc/os-release"
system_value() { sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$system_file"; }
id=$(system_value ID)
like=$(system_value ID_LIKE)
version=$(system_value VERSION_ID)
name=$(system_value PRETTY_NAME)
case " $id $like " in
  *" debian "* | *" ubuntu "*) ;;
  *) other_system "${name:-this system} is not Debian or Ubuntu" ;;
esac
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  other_system "no dpkg-query and apt-get here"
fi
case "$id" in
  debian) oldest=12 ;;
  ubuntu) oldest=23 ;;
  *) oldest=0 ;;
esac
if [ -n "$version" ] && [ "${version%%.*}" -lt "$oldest" ]; then
  other_system "$name is too old: its PETSc is older than 3.18 (Debian 12 or Ubuntu 23.04 is the first that will do)"
fi

# The packages of a list that are not installed, one a line.
missing_packages() {
  local known
  known=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
  printf '%s\n' "${packages[@]}" | while read -r package; do
    grep -qxF "$package installed" <<<"$known" || printf '%s\n' "$package"
  done
}

mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -gt 0 ] || exit 0
if $check_only; then
  say "missing: ${missing[*]}"
  exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    say "needs root or sudo to install: ${missing[*]}"
    say "ask an administrator for: apt-get install ${missing[*]}"
    exit 2
  fi
  as_root=(sudo)
  if ! [ -t 0 ]; then as_root+=(-n); fi
  if ! "${as_root[@]}" true; then
    say "sudo refused; needed for: apt-get install ${missing[*]}"
    exit 2
  fi
fi

say "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 "$@" >>"$log" 2>&1; }
if ! { apt update && apt install -y --no-install-recommends "${missing[@]}"; }; then
  tail -n 20 "$log" >&2
  say "apt-get failed; its last lines are above"
  exit 1
fi
mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -gt 0 ]; then
  say "still missing after apt-get: ${missing[*]}"
  exit 1
fi
say "done"
