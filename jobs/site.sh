# shellcheck shell=bash
# shellcheck disable=SC2034  # read by the scripts that source this
# What a site sets, in one place: jobs/submit.sh reads it where jobs are submitted, the batch scripts where they run.
# Edit it, or let DIFFPHASE_SITE name another such file. Worked examples: sites/modules.sh and sites/spack.sh.

# Options of sbatch for every job.
sbatch_options=() # (--account=physics --partition=compute)

# One rank for every core of a node.
ranks_per_node=32

# What starts the ranks. srun hands every signal on to them; under mpirun, scancel and preemption end them at once.
launcher=srun # or mpirun
launcher_options=(--mpi=pmix) # of mpirun, mostly ()

# A job gives up after so many starts in a row in which no task was finished.
idle_starts=3

# For so many seconds a job tries to be requeued where SLURM's controller does not answer.
requeue_patience=600

# The program; empty: the diffphase of PATH, else build/release/drivers/diffphase.
program=

# Brings compiler, MPI and libraries, before anything else is called.
load_software() { :; }
