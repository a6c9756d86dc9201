"""Runs the cases of a test script that are functions of one folder each, all of them or those that are named."""

import pathlib
import tempfile
import time

from started_program import Program


def run_named(cases, names, make_case, program_path, prefix):
    """`make_case(program, scratch, name)` makes what a case gets. Prints a line for each; returns the exit code."""
    failed = []
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        scratch = pathlib.Path(folder)
        program = Program(program_path, scratch)
        for case in cases:
            if names and case.__name__ not in names:
                continue
            start = time.monotonic()
            try:
                case(make_case(program, scratch, case.__name__))
                print(f"{case.__name__}: passed in {time.monotonic() - start:.1f} s", flush=True)
            except AssertionError as error:
                failed.append(case.__name__)
                print(f"{case.__name__}: FAILED: {error}", flush=True)
    print(f"failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0
