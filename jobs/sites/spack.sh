# shellcheck shell=bash
# shellcheck disable=SC2034  # read by the scripts that source this
# A site where Spack installed the libraries of jobs/sites/spack.yaml, once:
#   spack env create diffphase jobs/sites/spack.yaml && spack -e diffphase install
#   spack env activate diffphase && cmake --preset release && cmake --build --preset release --target diffphase_cli
# Copy it over jobs/site.sh, or: export DIFFPHASE_SITE=$PWD/jobs/sites/spack.sh

sbatch_options=(--account=physics --partition=compute --constraint=ib)
ranks_per_node=64
launcher=mpirun # of the Open MPI that Spack built, which knows SLURM
launcher_options=()
idle_starts=3
program=

load_software() {
  # shellcheck source=/dev/null
  . "${SPACK_ROOT:-$HOME/spack}/share/spack/setup-env.sh"
  spack env activate diffphase
}
