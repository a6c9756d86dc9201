#!/usr/bin/env bash
# Submits a sweep to SLURM: shows what it is predicted to cost, submits it, and says how to watch it.
#
#   jobs/submit.sh SWEEP.toml [--nodes N] [--time T] [--array M] [--dry-run] [-o DIR] [-- options of diffphase run]
#
#   --nodes N             of the job, or of each element of an array (default 1)
#   --time T              of a start, as sbatch takes it (default: what is predicted); a job that is not complete by then
#                         requeues itself
#   --array M             M independent jobs that share the sweep, and one that collects their results
#   --ranks-per-node R    in place of the site's, which is divided by resources.threads
#   -o DIR                where results go (default: runs/<name>)
#   --dry-run             submit nothing
#
# Account, partition, modules and launcher are in jobs/site.sh. Exit codes: 0 submitted; 1 SLURM refused; 2 bad command
# line or sweep file.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=jobs/batch.sh
. "$root/jobs/batch.sh"
set -euo pipefail # only now: software of a site need not stand it
export DIFFPHASE_ROOT=$root

refuse() {
  say "submit: $1"
  exit 2
}

nodes=1
time=
shards=
ranks_given=false
dry_run=false
folder=
sweep=
run_options=()
while [ $# -gt 0 ]; do
  case $1 in
    --nodes | --time | --array | --ranks-per-node | -o | --output)
      if [ $# -lt 2 ]; then refuse "$1: a value is missing"; fi
      case $1 in
        --nodes) nodes=$2 ;;
        --time) time=$2 ;;
        --array) shards=$2 ;;
        --ranks-per-node) ranks_per_node=$2 ranks_given=true ;;
        *) folder=$2 ;;
      esac
      shift
      ;;
    --dry-run) dry_run=true ;;
    -h | --help) sed -n '2,/^root=/{/^root=/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    --) shift; run_options=("$@"); break ;;
    -*) refuse "unknown option $1 (known: --nodes, --time, --array, --ranks-per-node, -o, --dry-run; after -- those of diffphase run)" ;;
    *)
      if [ -n "$sweep" ]; then refuse "one sweep file at a time, not $sweep and $1"; fi
      sweep=$1
      ;;
  esac
  shift
done

# at_least_one NAME VALUE
at_least_one() { [[ $2 =~ ^[1-9][0-9]{0,6}$ ]] || refuse "$1 $2: a whole number from 1 is needed"; }

if [ -z "$sweep" ]; then refuse "a sweep file is needed: jobs/submit.sh SWEEP.toml"; fi
if ! [ -r "$sweep" ]; then refuse "$sweep: no such file, or not readable"; fi
at_least_one --nodes "$nodes"
at_least_one --ranks-per-node "$ranks_per_node"
if [ -n "$shards" ]; then at_least_one --array "$shards"; fi
if ! [[ $time =~ ^[0-9]*([-:][0-9]+)*$ ]]; then refuse "--time $time: minutes, H:MM:SS or D-HH:MM are needed"; fi
if given_folder ${run_options[@]+"${run_options[@]}"} >/dev/null; then refuse "-o: before the --, as the job's logs go there, too"; fi
find_program

# The folder, as sbatch takes it in the name of a log: % begins what SLURM replaces, and a backslash anywhere ends that.
log_folder() {
  case $folder in
    *\\* | *$'\n'*) refuse "the folder $folder: SLURM takes no backslash and no line end in names of logs; give another, with -o DIR" ;;
  esac
  log_folder=${folder//%/%%}/log
}

# The keys that are given after -- belong to the plan, too.
overrides=()
for ((i = 0; i < ${#run_options[@]}; ++i)); do
  case ${run_options[i]} in
    --set) overrides+=(--set "${run_options[i + 1]:-}") ;;
    --set=*) overrides+=("${run_options[i]}") ;;
  esac
done
# make_plan option...: what the program says of the sweep.
make_plan() {
  "$program" plan "$sweep" --ranks $((nodes * ranks_per_node)) ${overrides[@]+"${overrides[@]}"} "$@"
}
# planned KEY: its value in the plan for scripts.
planned() {
  local lines=$'\n'$plan value
  value=${lines#*$'\n'"$1"=}
  printf '%s\n' "${value%%$'\n'*}"
}
plan=$(make_plan --for-scripts) || exit 2
threads=$(planned threads)
if [ "$threads" -gt 1 ] && ! $ranks_given; then # the site's number is one rank for every core
  ranks_per_node=$((ranks_per_node > threads ? ranks_per_node / threads : 1))
  plan=$(make_plan --for-scripts) || exit 2
fi
folder=$(as_path "${folder:-$(planned folder)}")
while [[ $folder == ?*/ ]]; do folder=${folder%/}; done
log_folder
make_plan || exit 2
time=${time:-$(planned batch_time)}

resources=(--nodes="$nodes" --ntasks-per-node="$ranks_per_node" --time="$time")
if [ "$threads" -gt 1 ]; then resources+=(--cpus-per-task="$threads"); fi
resources+=(--mem-per-cpu="$(planned batch_memory_per_core)")
name=diffphase-${folder##*/}
if [ -n "$shards" ]; then
  export DIFFPHASE_SHARDS=$shards
  log=$log_folder/slurm-%A_%a.log
  job=(sbatch --parsable "${resources[@]}" --array="1-$shards" --job-name="$name" --output="$log"
    ${sbatch_options[@]+"${sbatch_options[@]}"} "$root/jobs/array.sbatch" "$sweep" -o "$folder"
    ${run_options[@]+"${run_options[@]}"})
else
  log=$log_folder/slurm-%j.log
  job=(sbatch --parsable "${resources[@]}" --job-name="$name" --output="$log"
    ${sbatch_options[@]+"${sbatch_options[@]}"} "$root/jobs/sweep.sbatch" "$sweep" -o "$folder"
    ${run_options[@]+"${run_options[@]}"})
fi
# collect_command JOB
collect_command() {
  collect=(sbatch --parsable --dependency="afterany:$1" --job-name="$name-collect"
    --output="$log_folder/slurm-%j.log" ${sbatch_options[@]+"${sbatch_options[@]}"} "$root/jobs/collect.sbatch" "$folder")
}

collect_command JOB
printf '\n'
printf '%q ' "${job[@]}"
printf '\n'
if [ -n "$shards" ]; then
  printf '%q ' "${collect[@]}"
  printf '\n'
fi
if $dry_run; then
  printf '\nNothing was submitted (--dry-run).\n'
  exit 0
fi

mkdir -p "$folder/log"
number=$("${job[@]}") || exit 1
number=${number%%;*}
numbers=$number
if [ -n "$shards" ]; then
  collect_command "$number"
  if ! last=$("${collect[@]}"); then
    say "the array is submitted, as job $number, but SLURM refused the job that collects its results. Do not submit it" \
      "again; when it has ended: $(printf '%q ' "$program" collect "$folder")"
    exit 1
  fi
  numbers+=,${last%%;*}
fi
printf '\nSubmitted: job %s\n' "${numbers/,/, and to collect the results job }"
log=$folder/log/slurm-$number${shards:+_1}.log
cat <<TEXT
  squeue -j $numbers
  $(printf '%q ' "$program" status "$folder")--watch
  $(printf '%q ' tail -f "$log")
To end it cleanly: $(printf '%q ' touch "$folder/stop"); at once, with nothing finished lost: scancel $numbers
TEXT
