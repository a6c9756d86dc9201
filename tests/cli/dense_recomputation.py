"""Runs small sweeps with the program and computes every measured number again, densely, from the definitions.

    python3 tests/cli/dense_recomputation.py --program BUILD/drivers/diffphase [--mpiexec mpirun]

Shares nothing with the program but the published definition of its random numbers: Philox4x64-10 keyed by the
name-based UUID of a text, Box-Muller. All else is written down from the formulas: full matrices of distances, softmax,
eigenvalues by LAPACK, roots by Brent's method. Two ranks, each of the four processes, every kind of centroids, linear
manifolds, a hypersphere, and labelled rows from a file.
"""

import argparse
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import uuid

try:
    import h5netcdf
    import numpy as np
    from scipy.integrate import quad
    from scipy.interpolate import CubicHermiteSpline
    from scipy.optimize import brentq
    from scipy.special import logsumexp
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

SEED = 20240228
REALIZATIONS = 2
SAMPLES = [20, 60]
PROBES = 70

# ---------------------------------------------------------------------------------------------- random numbers

MASK = (1 << 64) - 1
NAMES = uuid.uuid5(uuid.NAMESPACE_URL, "diffphase")


def hash_text(text):
    """The name-based UUID of a text, as an integer."""
    return uuid.uuid5(NAMES, text).int


def philox(key, row, block):
    """Four 64-bit words of Philox4x64-10 (Salmon et al. 2011)."""
    x0, x1, x2, x3 = block, row, 0, 0
    k0, k1 = key >> 64, key & MASK
    for _ in range(10):
        first = 0xD2E7470EE14C6C93 * x0
        second = 0xCA5A826395121157 * x2
        x0, x1, x2, x3 = (second >> 64) ^ x1 ^ k0, second & MASK, (first >> 64) ^ x3 ^ k1, first & MASK
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return x0, x1, x2, x3


class Stream:
    """A matrix of random numbers: entry (row, column) belongs to word column % 4 of block column // 4."""

    def __init__(self, ensemble, realization, purpose):
        self.key = hash_text(f"stream|{SEED}|{ensemble:032x}|{realization}|{purpose}")

    def uniform(self, row, column):
        return (philox(self.key, row, column // 4)[column % 4] >> 11) * 2.0**-53

    def normals(self, rows, columns):
        numbers = np.empty((rows, columns + 3))
        for row in range(rows):
            for block in range((columns + 3) // 4):
                u = [(word >> 11) * 2.0**-53 for word in philox(self.key, row, block)]
                for pair in (0, 2):
                    radius = math.sqrt(-2.0 * math.log(1.0 - u[pair]))
                    numbers[row, 4 * block + pair] = radius * math.cos(2.0 * math.pi * u[pair + 1])
                    numbers[row, 4 * block + pair + 1] = radius * math.sin(2.0 * math.pi * u[pair + 1])
        return numbers[:, :columns]


# ------------------------------------------------------------------------------------------------------ process


class Process:
    """a(t) and b(t) of a clock, and the time at which b^2/a^2 = tau."""

    def __init__(self, kind):
        self.kind = kind
        beta = np.linspace(1e-4, 2e-2, 1000)
        self.steps = np.concatenate([[0.0], -0.5 * np.cumsum(np.log1p(-beta))])

    def signal_noise(self, t):
        if self.kind == "variance-exploding":
            return 1.0, math.sqrt(t)
        if self.kind == "flow-matching":
            return 1.0 - t, t
        if self.kind == "ddpm-linear":
            t = np.interp(t, np.arange(1001.0), self.steps)
        return math.exp(-t), math.sqrt(-math.expm1(-2.0 * t))

    def tau(self, t):
        a, b = self.signal_noise(t)
        return (b / a) ** 2

    def time_at(self, tau):
        if self.kind == "variance-exploding":
            return tau
        if self.kind == "flow-matching":
            return math.sqrt(tau) / (1.0 + math.sqrt(tau))
        t = 0.5 * math.log1p(tau)
        return np.interp(t, self.steps, np.arange(1001.0)) if self.kind == "ddpm-linear" else t


# ----------------------------------------------------------------------------------------------------- ensemble


def number_text(value):
    """The shortest text that reads back as this number."""
    return repr(float(value)).removesuffix(".0")


def identity_value(value):
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ",".join(map(identity_value, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{k}={number_text(v)}" for k, v in value.items()) + "}"
    return str(value) if isinstance(value, int) else number_text(value)


DEFAULTS = {"classes": 1, "centroids": "random", "sigma": 1.0, "separation": 1.0, "class_fraction": 0.5,
            "scaling": "raw", "factor": "orthonormal", "normalisation": "columns", "ambient_noise": 0.0, "radius": 1.0}


def ensemble_hash(kind, table, point):
    keys = {f"{table}.{k}": identity_value(v) for k, v in point.items() if DEFAULTS.get(k) != v}
    keys["ensemble.kind"] = f'"{kind}"'
    return hash_text("".join(f"{k}={v}\n" for k, v in sorted(keys.items())))


class MixtureData:
    """One draw of the centroids and the rows drawn from them."""

    def __init__(self, point, realization):
        self.dimension = d = point["dimension"]
        branches = point.get("branches", [0, 1])
        self.classes = K = point.get("classes", branches[0] * branches[1])
        self.superclass = np.arange(K) // branches[1]
        self.hash = ensemble_hash("gaussian-mixture", "ensemble", point)
        self.realization = realization
        self.sigma = np.array(point.get("class_sigma", [point.get("sigma", 1.0)] * K))
        weights = np.array(point.get("weights", [1.0] * K))
        self.weights = weights / weights.sum()
        self.centroids = self.make_centroids(point, d, K, branches)
        self.labels = self.make_labels(max(PROBES, max(SAMPLES)), "weights" not in point)
        z = self.stream("training").normals(len(self.labels), d)
        self.rows = self.centroids[self.labels] + self.sigma[self.labels, None] * z
        self.noise = self.stream("noise").normals(PROBES, d)

    def stream(self, purpose):
        return Stream(self.hash, self.realization, purpose)

    def starts(self, n):
        """Row of the training set of n rows at which each probe starts."""
        return np.arange(PROBES) % n

    def make_centroids(self, point, d, K, branches):
        separation = point.get("separation", 1.0)
        norm = separation * math.sqrt(d)
        kind = point.get("centroids", "random")
        if kind == "random":
            return separation * self.stream("centroids").normals(K, d)
        if kind == "opposite":
            return separation * np.array([[1.0], [-1.0]]) * np.ones(d)
        centroids = np.zeros((K, d))
        if kind == "orthogonal":
            centroids[:, :K] = norm * np.eye(K)
        elif kind == "simplex":
            # Corner 0 at equal coordinates; the others are its images under the symmetry of the simplex:
            # e_c sqrt(1 + 1/m) shifted along (1, ..., 1) so that all sum to zero, m = K - 1.
            m = K - 1
            others = math.sqrt(1.0 + 1.0 / m) * np.eye(m)
            centroids[0, :m] = norm / math.sqrt(m)
            centroids[1:, :m] = norm * (others - (others.sum(0) + 1.0 / math.sqrt(m)) / m)
            gram = centroids @ centroids.T / norm**2
            assert np.allclose(gram, (1.0 + 1.0 / m) * np.eye(K) - 1.0 / m)
        else:
            fraction = point["class_fraction"]
            for c in range(K):
                centroids[c, self.superclass[c]] = norm * math.sqrt(1.0 - fraction)
                centroids[c, branches[0] + c] = norm * math.sqrt(fraction)
        return centroids

    def make_labels(self, rows, uniform):
        u = np.array([self.stream("classes").uniform(row, 0) for row in range(rows)])
        if uniform:
            return (u * self.classes).astype(int)
        return np.searchsorted(np.cumsum(self.weights)[:-1], u, side="right")


class DrawnData:
    """Rows without classes, drawn from a law."""

    def __init__(self, kind, point, realization):
        self.hash = ensemble_hash(kind, "ensemble", point)
        self.realization = realization
        self.dimension = point["dimension"]
        self.rows = self.make_rows(point, max(PROBES, max(SAMPLES)))
        self.noise = self.normals("noise", PROBES, self.dimension)

    def normals(self, purpose, rows, columns):
        return Stream(self.hash, self.realization, purpose).normals(rows, columns)

    def starts(self, n):
        return np.arange(PROBES) % n


class ManifoldData(DrawnData):
    def make_rows(self, point, rows):
        sigma = np.concatenate([np.full(block["size"], float(block["sigma"])) for block in point["blocks"]])
        m = len(sigma)
        if point.get("factor") == "gaussian":
            divisor = {"columns": m, "dimension": self.dimension, "none": 1}[point.get("normalisation", "columns")]
            factor = self.normals("factor", m, self.dimension) * sigma[:, None] / math.sqrt(divisor)
        else:
            factor = np.eye(m, self.dimension) * sigma[:, None]
        return (self.normals("latents", rows, m) @ factor
                + point.get("ambient_noise", 0.0) * self.normals("ambient", rows, self.dimension))


class SphereData(DrawnData):
    def make_rows(self, point, rows):
        p = point["sphere_dimension"] + 1
        directions = np.zeros((rows, self.dimension))
        directions[:, :p] = self.normals("directions", rows, p)
        return point.get("radius", 1.0) * directions / np.linalg.norm(directions, axis=1, keepdims=True)


class FileData:
    """Labelled rows that were written to a file, scaled."""

    def __init__(self, point, realization, folder):
        self.hash = ensemble_hash("file", "dataset", point)
        self.realization = realization
        self.rows = np.load(folder / point["file"]).astype(float)
        if point["scaling"] == "standardised":
            self.rows = (self.rows - self.rows.mean()) / self.rows.std()
        self.labels = np.load(folder / point["labels"])
        self.noise = Stream(self.hash, realization, "noise").normals(PROBES, self.rows.shape[1])

    def starts(self, n):
        stream = Stream(self.hash, self.realization, f"starts {n}")
        return np.array([int(stream.uniform(probe, 0) * n) for probe in range(PROBES)])


def write_rows(folder):
    """Three clouds of points in nine dimensions, stored as float, and their labels."""
    generator = np.random.default_rng(SEED)
    labels = generator.integers(0, 3, max(SAMPLES))
    rows = 2.0 + 3.0 * generator.standard_normal((3, 9))[labels] + generator.standard_normal((len(labels), 9))
    np.save(folder / "rows.npy", rows.astype(np.float32))
    np.save(folder / "labels.npy", labels)


# ---------------------------------------------------------------------------------------------------- posterior


def log_responsibilities(x, centres, variances, weights):
    """log p(c | x) for every point: log of weight, of the normal density's norm, and of its exponential."""
    distance2 = ((x[:, None, :] - centres[None]) ** 2).sum(2)
    logits = np.log(weights) - 0.5 * x.shape[1] * np.log(variances) - distance2 / (2.0 * variances)
    return logits - logsumexp(logits, axis=1, keepdims=True)


def jacobian_eigenvalue(ensemble, tau):
    """Largest eigenvalue of the Hessian of log P at the weighted centre, where a = 1 and b^2 = tau."""
    x = (ensemble.weights @ ensemble.centroids)[None]
    v = tau + ensemble.sigma**2
    p = np.exp(log_responsibilities(x, ensemble.centroids, v, ensemble.weights))[0]
    g = (ensemble.centroids - x) / v[:, None]
    mean = p @ g
    hessian = (g.T * p) @ g - np.outer(mean, mean) - (p / v).sum() * np.eye(ensemble.dimension)
    return np.linalg.eigvalsh(hessian)[-1]


def instability(ensemble, offset):
    """Largest tau at which the score Jacobian on the Ornstein-Uhlenbeck clock has the eigenvalue -offset."""

    def excess(log_tau):
        tau = math.exp(log_tau)
        return (1.0 + tau) * jacobian_eigenvalue(ensemble, tau) + offset

    grid = np.arange(12.0, -12.0, -0.05)
    for above, below in zip(grid, grid[1:]):
        if excess(below) >= 0.0:
            return math.exp(brentq(excess, below, above, xtol=1e-14, rtol=1e-15))
    return math.nan


# --------------------------------------------------------------------------------------------------------- times


def slopes(x, y):
    """Derivatives at the nodes of the polynomials through five neighbours, limited so that the curve is monotone."""
    n = len(x)
    secants = np.diff(y) / np.diff(x)
    result = np.empty(n)
    for i in range(n):
        first = min(max(i - 2, 0), n - 5)
        part = slice(first, first + 5)
        scale = x[first + 4] - x[first]
        vandermonde = np.vander((x[part] - x[i]) / scale, 5, increasing=True)
        slope = np.linalg.solve(vandermonde, y[part] - y[i])[1] / scale
        left, right = secants[max(i - 1, 0)], secants[min(i, n - 2)]
        bound = 3.0 * min(abs(left), abs(right))
        result[i] = 0.0 if left * right <= 0.0 else np.clip(slope, *((0.0, bound) if left > 0.0 else (-bound, 0.0)))
    return result


def crossing(process, times, curve, level):
    x = np.log([process.tau(t) for t in times])
    spline = CubicHermiteSpline(x, curve, slopes(x, curve))
    cell = np.flatnonzero((curve[:-1] - level) * (curve[1:] - level) < 0.0)
    assert len(cell) == 1, "the grid of this test must hold each crossing once"
    return process.time_at(math.exp(brentq(lambda s: spline(s) - level, x[cell[0]], x[cell[0] + 1], xtol=1e-14)))


def add_time(results, name, process, times, probes, level):
    """The crossing of the mean over probes, and its delete-one jackknife error."""
    n = len(probes)
    total = probes.sum(0)
    leave_out = [crossing(process, times, (total - one) / (n - 1), level) for one in probes]
    results[name] = crossing(process, times, total / n, level)
    results[name + "_stderr"] = math.sqrt(n - 1) * np.std(leave_out)
    results[name + "_status"] = 0


def add_root(results, name, tau, process):
    """A time that is the root of a known function: NaN, before_grid, where there is none."""
    exists = tau > 0.0
    results[name] = process.time_at(tau) if exists else math.nan
    results[name + "_status"] = 0 if exists else 1


def add_curve(results, name, probes):
    results[name] = probes.mean(0)
    results[name + "_stderr"] = probes.std(0, ddof=1) / math.sqrt(len(probes))


# ------------------------------------------------------------------------------------------------------ measures


def speciation_level(weights):
    middle = quad(lambda g: math.tanh(1.0 + g) ** 2 * math.exp(-g * g / 2) / math.sqrt(2 * math.pi), -12, 12,
                  epsabs=1e-13, epsrel=1e-13)[0]
    lowest = (weights**2).sum()
    return lowest + middle * (1.0 - lowest)


def speciation(ensemble, process, times):
    agreement = np.empty((PROBES, len(times)))
    upper = np.empty_like(agreement)
    superclasses = ensemble.superclass[:, None] == np.arange(ensemble.superclass[-1] + 1)
    for i, t in enumerate(times):
        a, b = process.signal_noise(t)
        x = a * ensemble.rows[:PROBES] + b * ensemble.noise
        p = np.exp(log_responsibilities(x, a * ensemble.centroids, b**2 + (a * ensemble.sigma) ** 2,
                                        ensemble.weights))
        agreement[:, i] = (p**2).sum(1)
        upper[:, i] = ((p @ superclasses) ** 2).sum(1)
    results = {}
    add_root(results, "drift_instability_time", instability(ensemble, 0.5), process)
    add_root(results, "curvature_instability_time", instability(ensemble, 0.0), process)
    add_curve(results, "class_agreement", agreement)
    add_time(results, "speciation_time", process, times, agreement, speciation_level(ensemble.weights))
    if superclasses.shape[1] > 1 and superclasses.shape[1] < ensemble.classes:
        add_curve(results, "superclass_agreement", upper)
        add_time(results, "superclass_speciation_time", process, times, upper,
                 speciation_level(ensemble.weights @ superclasses))
    return results


def labelled_speciation(data, process, times, n):
    """The same for the labels of a training set: responsibilities of its points, summed by label."""
    classes = data.labels[:n, None] == np.arange(data.labels.max() + 1)
    agreement = np.stack([((np.exp(point_posterior(data, process, t, n)) @ classes) ** 2).sum(1) for t in times], 1)
    results = {}
    add_curve(results, "class_agreement", agreement)
    add_time(results, "speciation_time", process, times, agreement, speciation_level(classes.mean(0)))
    return results


def point_posterior(data, process, t, n):
    """log w of the first n rows at each probe."""
    a, b = process.signal_noise(t)
    x = a * data.rows[data.starts(n)] + b * data.noise
    return log_responsibilities(x, a * data.rows[:n], np.full(n, b**2), np.full(n, 1.0 / n))


def spectral(data, process, n):
    rows = data.rows[:n] - data.rows[:n].mean(0)
    largest = np.linalg.eigvalsh(rows.T @ rows / n)[-1]
    results = {"covariance_eigenvalue": largest}
    add_root(results, "speciation_time_spectral", largest - 1.0, process)
    return results


def collapse(data, process, times, n):
    shape = (PROBES, len(times))
    participation, entropy, parent, largest = (np.empty(shape) for _ in range(4))
    for i, t in enumerate(times):
        logs = point_posterior(data, process, t, n)
        w = np.exp(logs)
        participation[:, i] = (w**2).sum(1)
        entropy[:, i] = -(w * logs).sum(1) / math.log(n)
        parent[:, i] = w[np.arange(PROBES), data.starts(n)]
        largest[:, i] = w.max(1)
    results = {}
    add_curve(results, "participation", participation)
    add_curve(results, "weight_entropy", entropy)
    add_curve(results, "parent_weight", parent)
    add_curve(results, "largest_weight", largest)
    add_time(results, "collapse_time", process, times, participation, 0.5)
    return results


# -------------------------------------------------------------------------------------------------------- sweeps

SWEEPS = [
    {"process": "ornstein-uhlenbeck", "time": (0.02, 4.0), "ranks": 2, "partition": "component",
     "ensemble": {"dimension": [8, 24], "classes": 3, "centroids": "orthogonal", "weights": [0.5, 0.3, 0.2]}},
    {"process": "variance-exploding", "time": (0.03, 900.0), "ranks": 2, "partition": "dimension",
     "ensemble": {"dimension": [12, 17], "branches": [2, 3], "centroids": "hierarchical", "class_fraction": 0.4,
                  "sigma": 0.8, "separation": 1.2}},
    {"process": "flow-matching", "time": (0.1, 0.97), "ranks": 1, "partition": "component",
     "ensemble": {"dimension": 10, "classes": 2, "centroids": ["random", "opposite"], "sigma": 0.9}},
    {"process": "ddpm-linear", "time": (20.0, 950.0), "ranks": 2, "partition": "component",
     "ensemble": {"dimension": [8, 20], "classes": 3, "centroids": "simplex", "class_sigma": [0.5, 1.0, 1.25],
                  "separation": 1.5}},
    {"process": "ornstein-uhlenbeck", "time": (0.02, 5.0), "ranks": 2, "partition": "component",
     "file": {"file": "rows.npy", "labels": "labels.npy", "scaling": ["raw", "standardised"]}},
    {"process": "variance-exploding", "time": (1e-3, 300.0), "ranks": 2, "partition": "component",
     "kind": "linear-manifold",
     "ensemble": {"dimension": 30, "factor": "gaussian", "ambient_noise": 0.05,
                  "blocks": [[{"size": 6, "sigma": 1.0}], [{"size": 3, "sigma": 2}, {"size": 8, "sigma": 0.3}]]}},
    {"process": "ornstein-uhlenbeck", "time": (1e-3, 5.0), "ranks": 2, "partition": "dimension",
     "kind": "linear-manifold",
     "ensemble": {"dimension": 21, "factor": "gaussian", "normalisation": ["columns", "dimension", "none"],
                  "blocks": [{"size": 10, "sigma": 1.0}, {"size": 9, "sigma": 0.5}]}},
    {"process": "flow-matching", "time": (0.01, 0.97), "ranks": 2, "partition": "dimension",
     "kind": "linear-manifold",
     "ensemble": {"dimension": [11, 24], "blocks": [{"size": 4, "sigma": 1.0}, {"size": 7, "sigma": 0.1}]}},
    {"process": "variance-exploding", "time": (1e-3, 300.0), "ranks": 2, "partition": "component",
     "kind": "hypersphere",
     "ensemble": {"dimension": [11, 16], "sphere_dimension": 10, "radius": 3.3}},
]
TIMES = 14


def toml(value):
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
    return "[" + ", ".join(toml(v) for v in value) + "]" if isinstance(value, list) else repr(value)


def kind_of(sweep):
    return sweep.get("kind", "gaussian-mixture" if "ensemble" in sweep else "file")


def sweep_text(sweep):
    first, last = sweep["time"]
    keys = {table: [f"{k} = {toml(v)}" for k, v in sweep.get(table, {}).items()] for table in ("ensemble", "file")}
    kind = kind_of(sweep)
    speciation_line = [] if "kind" in sweep else [f"speciation = {{ probes = {PROBES} }}"]
    lines = ['name = "dense"', f"seed = {SEED}", f"realizations = {REALIZATIONS}", "[process]",
             f'kind = "{sweep["process"]}"', f"time = {{ from = {first}, to = {last}, count = {TIMES} }}", "[ensemble]",
             f'kind = "{kind}"', *keys["ensemble"], "[dataset]", *keys["file"], f"samples = {SAMPLES}",
             "[measure]", *speciation_line,
             f'collapse = {{ probes = {PROBES}, partition = "{sweep["partition"]}" }}', "[resources]",
             f'ranks_per_task = {sweep["ranks"]}']
    return "\n".join(lines) + "\n"


def points(table):
    """The points of the sweep's one axis (vectors and lists of tables are values), with the axis."""
    axes = {k: v for k, v in table.items()
            if isinstance(v, list) and k not in ("weights", "branches", "class_sigma") and not isinstance(v[0], dict)}
    assert len(axes) == 1
    (axis, values), = axes.items()
    return axis, [{**table, axis: value} for value in values]


class Comparison:
    """Counts what was compared and remembers the worst deviation of each variable."""

    def __init__(self, variables, axis):
        self.variables = variables
        self.axis = axis
        self.worst = {}
        self.compared = {}

    def add(self, name, expected, **at):
        variable = self.variables[name]
        index = tuple(at.get("point" if dim == self.axis else dim, slice(None)) for dim in variable.dimensions)
        measured = np.asarray(variable[...])[index]
        expected = np.asarray(expected)
        assert measured.shape == expected.shape, f"{name}: {measured.shape} {expected.shape}"
        deviation = np.abs(measured - expected) / max(1.0, np.abs(expected).max())
        self.worst[name] = max(self.worst.get(name, 0.0), np.nanmax(np.append(deviation, 0.0)))
        if not np.array_equal(np.isnan(measured), np.isnan(expected)):
            self.worst[name] = math.inf
        self.compared[name] = self.compared.get(name, 0) + measured.size

    def add_all(self, results, **at):
        for name, value in results.items():
            self.add(name, value, **at)

    def failures(self):
        """Names that deviate, and measured variables that were not compared in full."""
        allowed = {"covariance_residual"}
        bad = [f"{name} deviates by {worst:.2e}" for name, worst in self.worst.items() if not worst <= 1e-9]
        for name, variable in self.variables.items():
            measured = "realization" in variable.dimensions and not name.startswith("task_") and name != "realization"
            if measured and name not in allowed and self.compared.get(name) != np.prod(variable.shape):
                bad.append(f"{name}: compared {self.compared.get(name, 0)} of {np.prod(variable.shape)}")
        return bad


def check(sweep, arguments, scratch):
    name = f'{sweep["process"]}, {kind_of(sweep)}'
    folder = pathlib.Path(scratch) / name.replace(", ", "-")
    file = folder.with_suffix(".toml")
    file.write_text(sweep_text(sweep), encoding="utf-8")
    command = [arguments.mpiexec, "-n", "2", arguments.program, "run", str(file), "-o", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240,
                          check=False)
    if done.returncode != 0:
        return [f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}"]
    process = Process(sweep["process"])
    axis, grid = points(sweep.get("ensemble") or sweep["file"])
    with h5netcdf.File(folder / "results.h5", "r") as results:
        times = np.asarray(results.variables["time"][...])
        expected_times = np.geomspace(*sweep["time"], TIMES)
        compare = Comparison(results.variables, axis)
        for i, point in enumerate(grid):
            for realization in range(REALIZATIONS):
                at = {"point": i, "realization": realization}
                if "file" in sweep:
                    data = FileData(point, realization, pathlib.Path(scratch))
                elif "kind" in sweep:
                    data = (ManifoldData if sweep["kind"] == "linear-manifold" else SphereData)(
                        sweep["kind"], point, realization)
                else:
                    data = MixtureData(point, realization)
                    compare.add_all(speciation(data, process, times), **at)
                for k, n in enumerate(SAMPLES):
                    if "kind" not in sweep:
                        compare.add_all(spectral(data, process, n), samples=k, **at)
                    compare.add_all(collapse(data, process, times, n), samples=k, **at)
                    if "file" in sweep:
                        compare.add_all(labelled_speciation(data, process, times, n), samples=k, **at)
        failures = compare.failures()
        if not np.allclose(times, expected_times, rtol=1e-13):
            failures.append("time is not the grid of the sweep file")
    count = sum(compare.compared.values())
    worst = max(compare.worst, key=compare.worst.get)
    print(f"{name}: {count} numbers of {len(compare.worst)} variables, "
          f"largest deviation {compare.worst[worst]:.1e} ({worst})", flush=True)
    return [f"{name}: {failure}" for failure in failures]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the built diffphase")
    parser.add_argument("--mpiexec", default="mpirun")
    arguments = parser.parse_args()
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                      OMPI_MCA_rmaps_base_oversubscribe="1")
    failures = []
    with tempfile.TemporaryDirectory(prefix="dense_recomputation_") as scratch:
        write_rows(pathlib.Path(scratch))
        for sweep in SWEEPS:
            failures += check(sweep, arguments, scratch)
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
