"""Runs every sample run in the header comments of the drivers.

    python3 tests/cli/sample_runs_test.py --path BUILD/drivers drivers/*.cpp

A sample run is a comment line before the first #include that begins with `//   $ `; one that ends with a backslash goes
on in the next comment line. The sample runs of one driver run in their order, in one empty folder that has `jobs` and
`analysis` of the source tree in it, each with the given folders first on PATH. A driver without sample runs, or a
sample run that ends with another code than 0, fails the test.
"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = re.compile(r"//   \$ (?P<command>.*)")
COMMENT = re.compile(r"//\s*(?P<text>.*)")


def sample_runs(text):
    """The commands in the header comment of a source text."""
    header = text.split("#include", 1)[0].splitlines()
    runs = []
    lines = iter(header)
    for line in lines:
        match = SAMPLE.fullmatch(line.rstrip())
        if not match:
            continue
        command = match["command"]
        while command.endswith("\\"):
            following = COMMENT.fullmatch(next(lines, "").rstrip())
            if not following:
                raise ValueError(f"nothing follows the backslash of: {command}")
            command = command[:-1] + following["text"]
        runs.append(command)
    return runs


def environment(folders):
    """The environment of a sample run: the program on PATH, Open MPI as root and on any number of cores."""
    values = dict(os.environ)
    first = [str(pathlib.Path(folder).resolve()) for folder in folders] + [os.path.dirname(sys.executable)]
    values["PATH"] = os.pathsep.join([*first, values["PATH"]])
    values["OMPI_ALLOW_RUN_AS_ROOT"] = values["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    values["OMPI_MCA_rmaps_base_oversubscribe"] = "1"
    return values


def run(command, folder, values, timeout):
    """Runs one command; returns its exit code, or a text when it took too long, and its output."""
    with subprocess.Popen(["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=values,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return f"none after {timeout:g} s", output


def run_driver(driver, values, timeout):
    """Runs the sample runs of one driver; returns how many there were and which failed."""
    runs = sample_runs(driver.read_text(encoding="utf-8"))
    failed = []
    if not runs:
        failed.append(f"{driver}: no sample run in the header comment")
    with tempfile.TemporaryDirectory(prefix="sample_runs_") as scratch:
        for folder in ("jobs", "analysis"):
            (pathlib.Path(scratch) / folder).symlink_to(ROOT / folder)
        for command in runs:
            start = time.monotonic()
            code, output = run(command, scratch, values, timeout)
            print(f"{driver.name}: $ {command}   [code {code}, {time.monotonic() - start:.1f} s]", flush=True)
            if code != 0:
                print(output, flush=True)
                failed.append(f"{driver}: exit code {code}: {command}")
    return len(runs), failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("drivers", nargs="+", type=pathlib.Path)
    parser.add_argument("--path", action="append", default=[], help="folder with built programs; may be repeated")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for one sample run")
    arguments = parser.parse_args()
    values = environment(arguments.path)
    total = 0
    failed = []
    for driver in arguments.drivers:
        count, failures = run_driver(driver, values, arguments.timeout)
        total += count
        failed += failures
    for failure in failed:
        print(failure)
    print(f"{total} sample runs of {len(arguments.drivers)} drivers, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
