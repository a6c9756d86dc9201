"""A small sweep on 2 ranks under address, leak and undefined-behaviour sanitizers, stopped once and taken up again.

    python3 tests/faults/sanitized_sweep_test.py --program BUILD/asan/drivers/diffphase --library BUILD/asan/tests/keep_loaded.so
"""

import argparse
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
# pylint: disable=wrong-import-position
from started_program import Program, Running

SUPPRESSIONS = pathlib.Path(__file__).with_name("leaks_of_libraries.txt")

SWEEP = """
name = "sanitized"
[process]
kind = "ornstein-uhlenbeck"
time = { from = 0.05, to = 6.0, count = 8, spacing = "log" }
[ensemble]
kind = "gaussian-mixture"
dimension = [8, 16]
classes = [2, 3]
[dataset]
samples = [20, 50]
[measure]
speciation = { probes = 64 }
collapse = { probes = 64 }
spectrum = { probes = 1, largest = 3, times = [0.5], method = "krylov" }
dimension = { probes = 1 }
clones = { trajectories = 100, steps = 50 }
"""

REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:")


def run(program, library, file, folder, ranks, *options):
    command = ["env", f"LD_PRELOAD={library}", program.path, "run", str(file), "-o", str(folder), *options]
    ended = Running(command, program.scratch, program.scratch, ranks).end(600.0)
    found = [line for line in ended.err.splitlines() if any(report in line for report in REPORTS)]
    if found or ended.code != (75 if options else 0):
        raise AssertionError(f"{len(found)} reports: {ended}")
    # Proves that leaks were looked for: Open MPI always has some.
    if ranks and "Suppressions used" not in ended.err:
        raise AssertionError(f"leaks were not looked for: {ended}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--library", required=True, help="the built keep_loaded")
    arguments = parser.parse_args()
    os.environ["ASAN_OPTIONS"] = "detect_leaks=1:detect_stack_use_after_return=1:verify_asan_link_order=0:fast_unwind_on_malloc=0"
    os.environ["LSAN_OPTIONS"] = f"suppressions={SUPPRESSIONS}:print_suppressions=1"
    os.environ["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
    with tempfile.TemporaryDirectory(prefix="sanitized_", ignore_cleanup_errors=True) as folder:
        scratch = pathlib.Path(folder)
        file = scratch / "sanitized.toml"
        file.write_text(SWEEP, encoding="utf-8")
        library = pathlib.Path(arguments.library).resolve()
        program = Program(arguments.program, scratch)
        try:
            run(program, library, file, scratch / "run", 2, "--stop-after", "0s")
            run(program, library, file, scratch / "run", 2)
        except AssertionError as error:
            print(f"FAILED: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
