# shellcheck shell=bash
# What the batch scripts share; to be sourced where `root` is the folder of the project. Loads the site's software.

: "${root:?}"
# shellcheck source=jobs/environment.sh
. "$root/jobs/environment.sh"
# shellcheck source=jobs/site.sh
. "${DIFFPHASE_SITE:-$root/jobs/site.sh}"

load_software
set_mpi_environment
# HDF5 files on parallel file systems, where locks may not work; the program keeps its own.
export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1} OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
export HDF5_USE_FILE_LOCKING=${HDF5_USE_FILE_LOCKING:-FALSE}

# Sets `program` where the site does not.
find_program() {
  if [ -z "$program" ]; then program=$(command -v diffphase) || program=$root/build/release/drivers/diffphase; fi
  if ! [ -x "$program" ]; then
    say "no program at $program: build it, or set \`program\` in ${DIFFPHASE_SITE:-$root/jobs/site.sh}"
    exit 2
  fi
}

# given_folder option...: the folder that they name; 1 if they name none.
given_folder() {
  while [ $# -gt 0 ]; do
    case $1 in
      -o | --output) as_path "${2:-}"; return ;;
      --output=*) as_path "${1#*=}"; return ;;
      -o*) as_path "${1#-o}"; return ;;
    esac
    shift
  done
  return 1
}

# as_path TEXT: a path that no command takes for an option.
as_path() {
  case $1 in
    -*) printf './%s\n' "$1" ;;
    *) printf '%s\n' "$1" ;;
  esac
}

# given_name option...: the name that --set gives the sweep, if any; the last one counts.
given_name() {
  local name=''
  while [ $# -gt 0 ]; do
    case $1 in
      --set) case ${2:-} in name=*) name=${2#name=} ;; esac ;;
      --set=name=*) name=${1#--set=name=} ;;
    esac
    shift
  done
  name=${name#[\"\']}
  printf '%s\n' "${name%[\"\']}"
}

# run_folder SWEEP.toml option...: where such a run keeps its files.
run_folder() {
  local sweep=$1 name
  if given_folder "$@"; then return; fi
  name=$(given_name "$@")
  if [ -z "$name" ]; then # before the first table
    name=$(sed -n "/^ *\[/q; s/^ *name *= *\"\([^\"\\\\]*\)\".*/\1/p; s/^ *name *= *'\([^']*\)'.*/\1/p" <"$sweep" | head -n 1)
  fi
  if [ -z "$name" ]; then
    say "$sweep: no line name = \"...\" without backslashes; say where results go, with -o DIR"
    return 2
  fi
  printf 'runs/%s\n' "$name"
}

# has_option NAME option...: whether NAME is among them.
has_option() {
  local name=$1 option
  shift
  for option in "$@"; do
    case $option in "$name" | "$name"=*) return 0 ;; esac
  done
  return 1
}

# option_value NAME option...: the value of NAME; 1 if it is not among them.
option_value() {
  local name=$1
  shift
  while [ $# -gt 0 ]; do
    case $1 in
      "$name") printf '%s\n' "${2:-}"; return ;;
      "$name"=*) printf '%s\n' "${1#*=}"; return ;;
    esac
    shift
  done
  return 1
}

given_shard='' # I/M, where the options name it

# The part of the files of a run that this job writes, I of M.
own_files() {
  if [ -n "$given_shard" ]; then
    printf '%s\n' "${given_shard/\//of}"
  else
    printf '%sof%s\n' "${SLURM_ARRAY_TASK_ID:-1}" "${shards:-1}"
  fi
}

# Attempts at tasks of this job that have ended, by its own log: those of other elements of an array do not count.
ended_attempts() {
  find "$1/log" -maxdepth 1 -type f -name "*-$(own_files)-*.jsonl" -exec cat {} + 2>/dev/null |
    grep -c '"outcome": "\(done\|failed\)"' || true
}

# has_failed_tasks_only FOLDER JOURNALS option...: whether exit code 1 is the program's: nothing is left but failed
# tasks. Launchers that fail return 1, too. Of a part of the sweep, whether this start has begun: what is left is that of
# all.
has_failed_tasks_only() {
  local folder=$1 journals=$2
  if [ -n "${SLURM_ARRAY_TASK_ID:-}" ] || has_option --points "$@" || has_option --shard "$@"; then
    [ "$(count_journals "$folder")" -gt "$journals" ]
  else
    [ "$("$program" status "$folder" 2>/dev/null | awk '$1 == "left" { print $2 }')" = 0 ]
  fi
}

count_journals() { find "$1/journal" -name "*-$(own_files)-*.journal" 2>/dev/null | wc -l; }

# Runs a command on every rank and waits for its end. Sets `code`, and `told_to_end` if SLURM or scancel ended the job.
run_on_ranks() {
  local pid next signalled=true cores=()
  told_to_end=false
  if [ "${SLURM_CPUS_PER_TASK:-1}" -gt 1 ]; then # cores for the threads of every rank
    export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK
    if [ "${launcher##*/}" = mpirun ]; then cores=(--map-by "slot:PE=$SLURM_CPUS_PER_TASK"); fi
  fi
  "$launcher" "${launcher_options[@]}" ${cores[@]+"${cores[@]}"} "$@" </dev/null &
  pid=$!
  # Both launchers hand SIGUSR1 on to every rank. SIGTERM comes to the ranks, and to this shell, from SLURM.
  trap 'signalled=true; kill -USR1 "$pid" 2>/dev/null' USR1
  trap 'signalled=true; told_to_end=true' TERM
  code=127
  while $signalled; do # a trapped signal ends `wait` early
    signalled=false
    next=0
    wait "$pid" || next=$?
    if [ "$next" -ne 127 ]; then code=$next; fi
  done
  trap - TERM
  trap : USR1 # one that comes late must not end the requeue; `:`, for what is ignored programs inherit
}

# The name by which SLURM requeues this job, or this element of an array alone.
job_name() {
  if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
    printf '%s_%s\n' "$SLURM_ARRAY_JOB_ID" "$SLURM_ARRAY_TASK_ID"
  else
    printf '%s\n' "$SLURM_JOB_ID"
  fi
}

# count_idle_starts FOLDER BEFORE: prints how many starts of this job in a row, this one included, have ended no task.
# A file in the run's folder remembers it; 1 if it cannot be written. A link of that name is replaced, never followed.
count_idle_starts() {
  local folder=$1 before=$2 file fresh job='' idle=0 now
  file=$folder/starts-$(job_name)
  if [ -f "$file" ] && ! [ -L "$file" ]; then read -r job idle <"$file" || true; fi
  if [ "$job" != "$(job_name)" ] || ! [[ $idle =~ ^[0-9]{1,6}$ ]]; then idle=0; fi
  now=$(ended_attempts "$folder")
  if [ "$now" -gt "$before" ]; then idle=0; else idle=$((10#$idle + 1)); fi
  mkdir -p "$folder" && fresh=$(mktemp "$folder/.starts-XXXXXXXX") || return 1
  if ! { printf '%s %s\n' "$(job_name)" "$idle" >"$fresh" && mv -fT "$fresh" "$file"; }; then
    rm -f "$fresh"
    return 1
  fi
  printf '%s\n' "$idle"
}

# When the stop file was touched, nothing if never.
stop_time() { stat -c %Y.%y "$1/stop" 2>/dev/null || true; }

requeue_patience=${requeue_patience:-600} # seconds in which slurmctld should be back
requeue_pause=${requeue_pause:-15}

# Lets SLURM start this job again. Where its controller does not answer, it is asked again for some minutes: nobody else
# would do it. What it refuses for good ends that at once.
requeue() {
  local answer end=$((SECONDS + requeue_patience)) said=false
  while true; do
    if answer=$(scontrol requeue "$(job_name)" 2>&1); then return 0; fi
    if [ -n "$answer" ]; then say "$answer"; fi
    case $answer in
      *'pending execution'*) return 0 ;; # the answer to the last question was lost, the question was not
      *'Invalid job id'* | *disabled* | *[Dd]enied* | *'not supported'* | *'Invalid user id'*) return 1 ;;
    esac
    if [ "$SECONDS" -ge "$end" ]; then return 1; fi
    if ! $said; then say "SLURM does not answer; asking again every $requeue_pause s for $requeue_patience s"; fi
    said=true
    pause "$requeue_pause"
  done
}

# In the background, so that signals do not wait for its end.
pause() {
  sleep "$1" &
  wait $! || true
}

# requeue_unless_idle FOLDER BEFORE: lets SLURM start this job again, as long as starts get somewhere.
requeue_unless_idle() {
  local idle
  if ! idle=$(count_idle_starts "$1" "$2"); then
    say "not requeued: nothing can be written to $1"
    return 1
  fi
  if [ "$idle" -ge "$idle_starts" ]; then
    say "not requeued: $idle starts in a row have finished no task (exit code $code). The log above says why; more time" \
      "or more nodes may help"
    return 1
  fi
  if ! requeue; then
    say "SLURM does not requeue this job; submit it again to go on"
    return 1
  fi
  say "requeued as $(job_name), to go on from here"
  sleep 60 # until SLURM ends this start
}

# run_job SWEEP.toml option...: one start of `diffphase run`, then the end of the job or a requeue. Exits.
run_job() {
  local folder before journals stopped options=("$@")
  find_program
  folder=$(run_folder "$@") || exit 2
  if ! given_folder "$@" >/dev/null; then options+=(-o "$folder"); fi
  if ! has_option --stop-after "$@"; then options+=(--stop-after auto); fi
  given_shard=$(option_value --shard "$@") || true
  before=$(ended_attempts "$folder")
  journals=$(count_journals "$folder")
  stopped=$(stop_time "$folder")
  say "$(date +%FT%T) job $(job_name), start $((${SLURM_RESTART_COUNT:-0} + 1)), ${SLURM_NTASKS:-1} ranks on" \
    "${SLURM_JOB_NODELIST:-this node}"
  run_on_ranks "$program" run "${options[@]}"
  if [ "$code" -eq 0 ] || [ "$code" -eq 2 ] || { [ "$code" -eq 1 ] && has_failed_tasks_only "$folder" "$journals" "$@"; }; then
    exit "$code" # complete, but for failed tasks, or nothing that a requeue would mend
  fi
  if $told_to_end; then
    say "ended by SLURM or scancel; not requeued by itself"
  elif [ "$stopped" != "$(stop_time "$folder")" ]; then
    say "ended by $folder/stop; not requeued"
  else
    requeue_unless_idle "$folder" "$before" || true
  fi
  exit "$code"
}
