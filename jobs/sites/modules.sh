# shellcheck shell=bash
# shellcheck disable=SC2034  # read by the scripts that source this
# A site with environment modules. Copy it over jobs/site.sh, or: export DIFFPHASE_SITE=$PWD/jobs/sites/modules.sh

sbatch_options=(--account=physics --partition=compute)
ranks_per_node=48
launcher=srun
launcher_options=(--mpi=pmix)
idle_starts=3
program=$HOME/diffphase/bin/diffphase # cmake --install build/release --prefix $HOME/diffphase

load_software() {
  module purge
  module load gcc/12.2 openmpi/4.1.5 petsc/3.18-real slepc/3.18 hdf5/1.12-mpi boost/1.81 openblas/0.3.21
}
