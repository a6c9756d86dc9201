# shellcheck shell=bash
# What the scripts of this project share; to be sourced. It changes no shell option and prints nothing by itself.

say() { printf '%s\n' "$*" >&2; }

# Prints the first of $PYTHON, python3 and /usr/bin/python3 that can open and draw results, and says which on standard
# error. Fails, with the reason, when there is none.
choose_python() {
  local candidate path
  for candidate in "${PYTHON:-}" python3 /usr/bin/python3; do
    if ! path=$(command -v "${candidate:-/}"); then continue; fi
    if "$path" -c 'import numpy, h5netcdf, xarray, matplotlib' 2>/dev/null; then
      say "Python: $path ($("$path" -c 'import platform; print(platform.python_version())'))"
      printf '%s\n' "$path"
      return 0
    fi
  done
  say "No Python with numpy, h5netcdf, xarray and matplotlib. Set PYTHON to one, or run: bash jobs/install-deps.sh"
  return 1
}

# The cores that Open MPI counts as slots: physical cores, of those that this process may use.
count_cores() {
  local usable physical=0
  usable=$(env -u OMP_NUM_THREADS nproc) # nproc counts no more threads than that
  if command -v lscpu >/dev/null; then
    physical=$(lscpu -p=CORE,SOCKET 2>/dev/null | grep -v '^#' | sort -u | wc -l) || physical=0
  fi
  if [ "$physical" -gt 0 ] && [ "$physical" -lt "$usable" ]; then usable=$physical; fi
  printf '%s\n' "$usable"
}

# Open MPI refuses to start as root unless told twice. Of the ways in which SLURM's PMIx plugin makes ranks of several
# nodes wait for each other, the one by a tree (22.05, seen with two nodes on one host) lets some go before all have
# come: MPI_Init then is no barrier, and where nodes are connected by TCP a rank that is still in it crashes over what
# others send.
set_mpi_environment() {
  export SLURM_PMIX_FENCE=${SLURM_PMIX_FENCE:-ring}
  if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
}

# on_ranks N command...: runs a command on N ranks, also where there are fewer cores.
on_ranks() {
  local ranks=$1
  shift
  if [ "$(count_cores)" -lt "$ranks" ]; then
    mpirun --oversubscribe -n "$ranks" "$@"
  else
    mpirun -n "$ranks" "$@"
  fi
}
