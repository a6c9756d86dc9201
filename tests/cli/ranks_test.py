"""Results do not depend on the number of ranks, the size of the groups, the partition, or what else is in the lists.

    python3 tests/cli/ranks_test.py --program BUILD/drivers/diffphase [--every]

Of the combinations of ranks, groups and partitions a few stand for all, or all run (--every).
"""

import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
# pylint: disable=wrong-import-position
from requirement import require, require_identical
from started_program import Program
import compare_results
import numpy as np

SWEEP = """
name = "ranks"
seed = 11
realizations = 2
[process]
kind = "ornstein-uhlenbeck"
time = {{ from = 0.05, to = 6.0, count = 16, spacing = "log" }}
[ensemble]
kind = "gaussian-mixture"
dimension = [24, 50]
classes = [2, 3]
centroids = "orthogonal"
[dataset]
samples = {samples}
[measure]
speciation = {{ probes = 700 }}
collapse = {{ probes = 300, partition = "{partition}" }}
[resources]
ranks_per_task = {ranks_per_task}
"""

SPECTRAL = """
name = "spectral"
seed = 11
realizations = 2
[process]
kind = "variance-exploding"
time = {{ from = 0.05, to = 6.0, count = 6, spacing = "log" }}
[ensemble]
kind = "linear-manifold"
dimension = 16
blocks = [{{ size = 4, sigma = 1.0 }}, {{ size = 3, sigma = 0.2 }}]
[dataset]
samples = {samples}
[measure]
gap = {{ probes = 3 }}
dimension = {{ probes = 2 }}
lost_directions = {{ sets = 4, probes = 4 }}
[measure.spectrum]
probes = 2
largest = 10
times = [0.1, 2.0]
density_probes = 4
hutchinson_probes = 4
count_below = 0.5
partition = "{partition}"
[resources]
ranks_per_task = {ranks_per_task}
"""

STREAMED = """
name = "streamed"
seed = 11
[process]
kind = "ornstein-uhlenbeck"
time = {{ from = 8.0, to = 9.5, count = 4, spacing = "log" }}
[ensemble]
kind = "gaussian-mixture"
dimension = 1000000000
classes = 2
centroids = "opposite"
representation = "streaming"
[dataset]
samples = {samples}
[measure]
speciation = {{ probes = 100 }}
collapse = {{ probes = 3, partition = "{partition}" }}
[resources]
ranks_per_task = {ranks_per_task}
"""

EXTREME = """
name = "extreme"
seed = 11
[process]
kind = "variance-exploding"
time = {{ from = 1.15, to = 1.3, count = 12, spacing = "log" }}
[ensemble]
kind = "gaussian-mixture"
dimension = [1000, 10000]
classes = 2
centroids = "opposite"
separation = 0.01
[dataset]
samples = {samples}
[measure]
collapse = {{ probes = 200, partition = "{partition}" }}
[resources]
ranks_per_task = {ranks_per_task}
"""

# Sizes of the groups at each level of the tree of so many ranks: the smallest group of the level where a task of
# ranks_per_task ranks runs, and the largest there.
GROUPS = {(1, 1): (1, 1), (1, 2): (1, 1), (1, 3): (1, 1), (2, 1): (1, 1), (2, 2): (2, 2), (2, 3): (2, 2),
          (3, 1): (1, 1), (3, 2): (3, 3), (3, 3): (3, 3), (4, 1): (1, 1), (4, 2): (2, 2), (4, 3): (4, 4)}
FEW_GROUPS = [(2, 2), (3, 2), (4, 3)]  # one group of 2, 3 and 4


class Runs:
    """Runs of one sweep in many ways; in all of them if `every`."""

    def __init__(self, program, scratch, every):
        self.program = program
        self.scratch = scratch
        self.every = every

    def of(self, everything, few):
        return everything if self.every else few

    def run(self, name, ranks, ranks_per_task=1, samples="[300, 700]", partition="component", folder=None,
            sweep=SWEEP):
        """Returns the results file."""
        file = self.scratch / f"{name}.toml"
        file.write_text(sweep.format(samples=samples, partition=partition, ranks_per_task=ranks_per_task),
                        encoding="utf-8")
        folder = self.scratch / (folder or name)
        ended = self.program.run(["run", file, "-o", folder, "-q"], ranks)
        require(ended.code == 0, f"{name}: {ended}")
        return folder / "results.h5"


def require_groups(path, ranks, ranks_per_task):
    sizes = set(np.unique(compare_results.Results(path).values("task_ranks")))
    smallest, largest = GROUPS[ranks, ranks_per_task]
    require(sizes == {smallest, largest}, f"{ranks} ranks, {ranks_per_task} per task: groups of {sizes} ranks")


def ranks_and_groups(runs):
    reference = runs.run("1-1", ranks=0)
    by_group = {}
    combinations = runs.of(list(GROUPS), FEW_GROUPS)
    for ranks, per_task in combinations:
        size, _ = GROUPS[ranks, per_task]
        path = runs.run(f"ranks-{ranks}-{per_task}", ranks, per_task)
        require_groups(path, ranks, per_task)
        require_identical(reference, path, f"{ranks} ranks, {per_task} per task")
        require_identical(by_group.setdefault(size, path), path, f"{ranks} ranks, {per_task} per task", bits=True)
    print(f"{len(combinations)} combinations of ranks and ranks per task, groups of {sorted(by_group)}: identical",
          flush=True)


def partitions(runs):
    reference = runs.run("component", ranks=1)
    for ranks, per_task in runs.of([(1, 1), (2, 2), (3, 3), (4, 3)], [(1, 1), (2, 2), (4, 3)]):
        path = runs.run(f"dimension-{ranks}", ranks, per_task, partition="dimension")
        require_groups(path, ranks, per_task)
        # Another order of summation, so equal bits are not to be expected at any group size.
        found = [text for text in compare_results.differences(reference, path) if "must have equal bits" not in text]
        require(not found, "\n".join(found[:8]))
        require_close(reference, path)
    print("partition by dimension: the same numbers as by component", flush=True)


def require_close(path_a, path_b):
    """All measured variables to 1e-10 (critical times 1e-8) of their largest magnitude, also at equal group size."""
    a, b = compare_results.Results(path_a), compare_results.Results(path_b)
    for name in a.measured():
        x, y = a.values(name), b.values(name)
        if x.dtype.kind != "f" or compare_results.is_no_number(name):
            continue
        is_time = "_time" in name and "time" not in a.dims(name)
        scale = compare_results.scale_of(a, b, name)
        tolerance = (compare_results.TIME_TOLERANCE if is_time else compare_results.CURVE_TOLERANCE) * scale
        require(np.allclose(x, y, rtol=0.0, atol=tolerance, equal_nan=True),
                f"{name}: {compare_results.largest_magnitude(x - y):.3g} apart, {tolerance:.3g} allowed")


def extension(runs):
    """More sample counts do not change the numbers of the others."""
    for ranks, per_task in runs.of([(2, 1), (2, 2)], [(2, 2)]):
        few = runs.run(f"few-{per_task}", ranks, per_task, samples="[300, 700]", folder=f"grown-{per_task}")
        before = compare_results.Results(few)
        grown = runs.run(f"grown-{per_task}", ranks, per_task, samples="[100, 300, 500, 700, 900]")
        after = compare_results.Results(grown)
        for name in before.measured():
            x, y = before.values(name), after.values(name)
            if "samples" in after.dims(name):
                y = np.take(y, [1, 3], axis=after.dims(name).index("samples"))
            require(np.array_equal(x, y, equal_nan=x.dtype.kind == "f"), f"{name} changed when samples were added")
        at_once = runs.run(f"at-once-{per_task}", ranks, per_task, samples="[100, 300, 500, 700, 900]")
        require_identical(grown, at_once, "samples added one after another or at once", bits=True)
    print("more sample counts leave the numbers of the others as they are, to the last bit", flush=True)


def spectra(runs):
    """The measures of spectra: ranks, both partitions, and samples added later."""
    reference = runs.run("spectral", ranks=0, sweep=SPECTRAL)
    ways = [(1, "dimension"), (2, "component"), (2, "dimension"), (3, "component"), (3, "dimension")]
    for ranks, partition in runs.of(ways, [(2, "dimension"), (3, "component")]):
        path = runs.run(f"spectral-{ranks}-{partition}", ranks, ranks, partition=partition, sweep=SPECTRAL)
        if partition == "component":
            require_identical(reference, path, f"spectra on {ranks} ranks")
        require_close(reference, path)
    print("spectra: the same numbers by component and by dimension, alone and on several ranks", flush=True)


def spectra_extension(runs):
    reference = runs.run("spectral-2", ranks=2, sweep=SPECTRAL)
    few = runs.run("spectral-few", 2, samples="[700]", folder="spectral-grown", sweep=SPECTRAL)
    before = compare_results.Results(few)
    after = compare_results.Results(runs.run("spectral-grown", 2, folder="spectral-grown", sweep=SPECTRAL))
    require_identical(reference, runs.scratch / "spectral-grown" / "results.h5", "spectra, samples added", bits=True)
    for name in before.measured():
        x, y = before.values(name), after.values(name)
        if "samples" in after.dims(name):
            y = np.take(y, [1], axis=after.dims(name).index("samples"))
            x = x.reshape(y.shape)
        require(np.array_equal(x, y, equal_nan=x.dtype.kind == "f"), f"{name} changed when samples were added")
    print("spectra: more sample counts leave the numbers of the others as they are", flush=True)


def streamed(runs):
    """A million points in a thousand million dimensions: the same on any number of ranks."""
    counts = "[1000, 1000000]"
    reference = runs.run("streamed", ranks=0, samples=counts, sweep=STREAMED)
    path = runs.run("streamed-3", 3, 3, samples=counts, sweep=STREAMED)
    require_identical(reference, path, "streamed training sets on 3 ranks")
    require_close(reference, path)
    found = compare_results.Results(reference)
    weights = found.values("participation").ravel()
    require(np.all((weights > 0.0) & (weights <= 1.0)) and weights.min() < 0.5 < weights.max(),
            f"participation of streamed training sets: {weights}")
    require(np.all(found.values("collapse_representation") == 1), "the collapse was not streamed")
    print("a million streamed points in 10^9 dimensions: the same numbers on 1 and 3 ranks", flush=True)


def extreme(runs):
    """exp(300) and exp(3000) points: the same on any number of ranks."""
    reference = runs.run("extreme", ranks=0, samples='"exp(0.3*d)"', sweep=EXTREME)
    path = runs.run("extreme-3", 3, 3, samples='"exp(0.3*d)"', sweep=EXTREME)
    require_identical(reference, path, "extreme training sets on 3 ranks")
    found = compare_results.Results(reference)
    require(np.all(found.values("collapse_representation") == 2), "the collapse was not extreme")
    deviation = found.values("collapse_time").ravel() - found.values("collapse_time_theory").ravel()
    require(np.all(np.abs(deviation) < 5.0 * found.values("collapse_time_stderr").ravel()),
            f"collapse of extreme training sets: {deviation}")
    print("exp(0.3 d) points in 1000 and 10000 dimensions: the same numbers on 1 and 3 ranks", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--every", action="store_true", help="every combination of ranks, groups and partitions")
    arguments = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ranks_", ignore_cleanup_errors=True) as folder:
        runs = Runs(Program(arguments.program, folder), pathlib.Path(folder), arguments.every)
        ranks_and_groups(runs)
        partitions(runs)
        extension(runs)
        spectra(runs)
        if arguments.every:
            spectra_extension(runs)
        streamed(runs)
        extreme(runs)
    print(f"passed in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
