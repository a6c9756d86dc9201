#!/usr/bin/env python3
"""What handing out and recording a task costs, and how well `diffphase plan` predicts a queue.

    python3 tests/bench/queue_overhead.py [--bench build/release/drivers/bench/diffphase_bench]
                                          [--ranks 1 2 16 32] [--tasks 100000] [--realizations 100]
                                          [--predict 1 2 4 8] [--failing-calls build/.../failing_calls.so]

First a table of runs of tasks that return at once, on each number of ranks: a whole run, the same run over its complete
journal, and of that the time to read the grid and the journal and to write the results; rank 0's resident memory.
With --failing-calls, the same runs with every fsync and fdatasync left out: what durability costs. Then tasks that
sleep, beside what the simulation of the queue predicts. Ranks may be more than cores: tasks that sleep need none.
"""

import argparse
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def bench(program: str, ranks: int, points: int, realizations: int, *options: str,
          preloaded: str = "") -> dict[str, float]:
    environment = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", OMPI_MCA_mpi_yield_when_idle="1")
    if os.geteuid() == 0:
        environment.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    without_sync = ["env", f"LD_PRELOAD={preloaded}", "FAULT_NO_SYNC=1"] if preloaded else []
    output = subprocess.run(["mpirun", "--oversubscribe", "-n", str(ranks), *without_sync, program, "queue", "--points",
                             str(points), "--realizations", str(realizations), *options], check=True, env=environment,
                            capture_output=True, text=True).stdout
    return json.loads(next(line for line in output.splitlines() if line.startswith("{")))


def print_overhead(program: str, arguments: argparse.Namespace) -> None:
    print(f"{arguments.tasks} tasks that return at once, {arguments.realizations} realizations of a point")
    print(f"{'ranks':>5}{'run':>9}{'tasks/s':>9}{'resume':>9}{'grid':>8}{'journal':>9}{'results':>9}"
          f"{'memory':>10}{'per task':>10}")
    for ranks in arguments.ranks:
        run = bench(program, ranks, arguments.tasks // arguments.realizations, arguments.realizations)
        print(f"{ranks:>5}{run['run_seconds']:>7.2f} s{run['tasks_per_second']:>9.0f}{run['resume_seconds']:>7.2f} s"
              f"{run['grid_seconds']:>6.2f} s{run['journal_read_seconds']:>7.2f} s{run['results_seconds']:>7.2f} s"
              f"{run['memory_after_mib']:>6.0f} MiB{run['memory_bytes_per_task']:>8.0f} B", flush=True)


def print_sync_costs(program: str, arguments: argparse.Namespace) -> None:
    library = str(pathlib.Path(arguments.failing_calls).resolve())
    print("\nThe same runs with and without fsync and fdatasync, the fastest of three each")
    print(f"{'ranks':>5}{'with':>9}{'without':>9}{'with':>15}{'without':>15}")
    for ranks in arguments.ranks:
        seconds = [min(bench(program, ranks, arguments.tasks // arguments.realizations, arguments.realizations,
                             preloaded=preloaded)["run_seconds"] for _ in range(3)) for preloaded in ("", library)]
        rates = "".join(f"{arguments.tasks / one:>8.0f} tasks/s" for one in seconds)
        print(f"{ranks:>5}{seconds[0]:>7.2f} s{seconds[1]:>7.2f} s{rates}", flush=True)


def print_predictions(program: str, arguments: argparse.Namespace) -> None:
    print("\nTasks that sleep: time from the first hand-out to the last result")
    print(f"{'ranks':>5}{'tasks':>7}{'each':>9}{'predicted':>11}{'measured':>10}{'ratio':>7}")
    for seconds, count in ((0.002, 1000), (0.02, 240), (0.2, 40)):
        for ranks in arguments.predict:
            run = bench(program, ranks, 1, count, "--task-seconds", str(seconds))
            ratio = run["predicted_seconds"] / run["scheduled_seconds"]
            print(f"{ranks:>5}{count:>7}{1e3 * seconds:>6.0f} ms{run['predicted_seconds']:>9.3f} s"
                  f"{run['scheduled_seconds']:>8.3f} s{ratio:>7.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=str(ROOT / "build/release/drivers/bench/diffphase_bench"))
    parser.add_argument("--ranks", type=int, nargs="*", default=[1, 2, 16, 32])
    parser.add_argument("--tasks", type=int, default=100000)
    parser.add_argument("--realizations", type=int, default=100)
    parser.add_argument("--predict", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--failing-calls", help="the library that the tests of faults build")
    arguments = parser.parse_args()
    if arguments.ranks:
        print_overhead(arguments.bench, arguments)
    if arguments.failing_calls:
        print_sync_costs(arguments.bench, arguments)
    if arguments.predict:
        print_predictions(arguments.bench, arguments)


if __name__ == "__main__":
    main()
