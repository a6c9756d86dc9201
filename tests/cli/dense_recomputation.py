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
    from scipy.special import ive, logsumexp
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
        self.covariance = None  # of manifolds
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
        self.covariance = factor.T @ factor
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


def shift_on_half_grids(process, times, curve, level):
    """How far the crossing moves on each half of the grid; to the ends of its interval where no half has it once."""
    time = crossing(process, times, curve, level)
    moves = []
    for half in (slice(0, None, 2), slice(1, None, 2)):
        some = curve[half] - level
        if len(some) >= 4 and np.count_nonzero(some[:-1] * some[1:] < 0.0) == 1:
            moves.append(abs(crossing(process, times[half], curve[half], level) - time))
    if moves:
        return max(moves)
    above = np.searchsorted(times, time)
    return max(times[above] - time, time - times[above - 1])


def add_time(results, name, process, times, probes, level):
    """The crossing of the mean over probes, its delete-one jackknife error, and its shift on half of the grid."""
    n = len(probes)
    total = probes.sum(0)
    leave_out = [crossing(process, times, (total - one) / (n - 1), level) for one in probes]
    results[name] = crossing(process, times, total / n, level)
    results[name + "_stderr"] = math.sqrt(n - 1) * np.std(leave_out)
    results[name + "_interpolation_error"] = shift_on_half_grids(process, np.asarray(times), total / n, level)
    results[name + "_status"] = 0


def add_root(results, name, tau, process):
    """A time that is the root of a known function: NaN, never, where there is none."""
    exists = tau > 0.0
    results[name] = process.time_at(tau) if exists else math.nan
    results[name + "_status"] = 0 if exists else 5


def add_curve(results, name, probes):
    results[name] = probes.mean(0)
    results[name + "_stderr"] = probes.std(0, ddof=1) / math.sqrt(len(probes))


def add_ratio(results, name, upper, lower):
    """Of two means over probes, with the jackknife's error to first order; nothing where few probes make the lower."""
    count = len(lower)
    known = (lower.mean(0) >= 1e-6) & (lower.sum(0) ** 2 >= min(16, count / 2) * (lower**2).sum(0))
    ratio = np.where(known, upper.sum(0) / np.maximum(lower.sum(0), 1e-300), math.nan)
    influence = (upper - ratio * lower) / np.maximum(lower.mean(0), 1e-300)
    results[name] = ratio
    results[name + "_stderr"] = np.sqrt((influence**2).sum(0) / count / (count - 1))


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
    weights = [np.exp(point_posterior(data, process, t, n)) for t in times]
    agreement = np.stack([((w @ classes) ** 2).sum(1) for w in weights], 1)
    results = {}
    add_curve(results, "class_agreement", agreement)
    # Of pairs of clones that end on different points, pair by pair.
    same = (data.labels[:n, None] == data.labels[:n]) & ~np.eye(n, dtype=bool)
    agreeing = np.stack([np.einsum("pi,ij,pj->p", w, same, w, optimize=True) for w in weights], 1)
    pairs = np.stack([np.einsum("pi,ij,pj->p", w, ~np.eye(n, dtype=bool), w, optimize=True) for w in weights], 1)
    add_ratio(results, "distinct_class_agreement", agreeing, pairs)
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


# ------------------------------------------------------------------------------------------------ score Jacobians


def covariance(x, tau, centres, variances, weights):
    """C = Cov[x_0|x]/tau at one x, with noise variance tau; variances of 0 are training points."""
    v = tau + variances
    p = np.exp(log_responsibilities(x[None], centres, v, weights))[0]
    shrink = tau / v
    means = shrink[:, None] * centres + (1.0 - shrink)[:, None] * x
    deviations = np.sqrt(p)[:, None] * (means - p @ means)
    return (deviations.T @ deviations + (p * shrink * variances).sum() * np.eye(len(x))) / tau


class SetScore:
    """Of the first n rows."""

    def __init__(self, data, n, single=False):
        self.rows = data.rows[:n].astype(np.float32).astype(float) if single else data.rows[:n]
        self.noise = data.noise
        self.starts = data.starts(n)

    def spectrum(self, probe, tau):
        x = self.rows[self.starts[probe]] + math.sqrt(tau) * self.noise[probe]
        n = len(self.rows)
        return np.linalg.eigvalsh(covariance(x, tau, self.rows, np.zeros(n), np.full(n, 1.0 / n)))[::-1]


class ClassesScore:
    """Of the mixture."""

    def __init__(self, data, single=False):
        self.data = data
        self.centroids = data.centroids.astype(np.float32).astype(float) if single else data.centroids

    def spectrum(self, probe, tau):
        x = self.data.rows[probe] + math.sqrt(tau) * self.data.noise[probe]
        return np.linalg.eigvalsh(covariance(x, tau, self.centroids, self.data.sigma**2, self.data.weights))[::-1]


class ManifoldScore:
    """Of Gaussian data on a linear manifold."""

    def __init__(self, data):
        self.variances = np.linalg.eigvalsh(data.covariance)[::-1].clip(0.0)

    def spectrum(self, _, tau):
        return self.variances / (self.variances + tau)


class SphereScore:
    """Of the uniform law on a sphere: a von Mises-Fisher posterior."""

    def __init__(self, data, point):
        self.data = data
        self.p = point["sphere_dimension"] + 1
        self.radius = float(point["radius"])

    def spectrum(self, probe, tau):
        x = self.data.rows[probe] + math.sqrt(tau) * self.data.noise[probe]
        kappa = self.radius * np.linalg.norm(x[:self.p]) / tau
        ratio = ive(self.p / 2.0, kappa) / ive(self.p / 2.0 - 1.0, kappa)
        across = ratio / kappa
        along = 1.0 - ratio**2 - (self.p - 1) * across
        normal = [0.0] * (self.data.dimension - self.p)
        return np.array([across] * (self.p - 1) + [along] + normal) * self.radius**2 / tau


def spectrum(score, process, times, probes, dimension):
    """At most 8 eigenvalues, or as many as there are dimensions."""
    largest = min(8, dimension)
    values = np.full((len(times), probes, 8), math.nan)
    trace = np.empty((len(times), probes))
    for i, t in enumerate(times):
        for probe in range(probes):
            c = score.spectrum(probe, process.tau(t))
            values[i, probe, :largest] = c[:largest]
            trace[i, probe] = dimension - c.sum()
    return {"jacobian_eigenvalue": values, "jacobian_trace": trace, "spectrum_status": np.zeros(trace.shape)}


def bands(point):
    """Sizes of the variance blocks from the largest sigma, those of one sigma together."""
    sizes = {}
    for block in point["blocks"]:
        sizes[block["sigma"]] = sizes.get(block["sigma"], 0) + block["size"]
    return [sizes[sigma] for sigma in sorted(sizes, reverse=True)]


def padded(values, axis, length):
    """With NaN up to `length`."""
    shape = list(values.shape)
    shape[axis] = length - shape[axis]
    return np.concatenate([values, np.full(shape, math.nan)], axis)


def gap_curves(score, process, times, probes, point):
    """Edges of bands, gaps and final gap for each probe: [probe][time] and a last index."""
    ends = np.cumsum(bands(point))
    c = np.array([[score.spectrum(probe, process.tau(t)) for t in times] for probe in range(probes)])
    begins = np.concatenate([[0], ends[:-1]])
    return {"block_eigenvalue_lower": padded(1.0 - c[:, :, begins], 2, 2),
            "block_eigenvalue_upper": padded(1.0 - c[:, :, ends - 1], 2, 2),
            "gap": padded(c[:, :, ends[:-1] - 1] - c[:, :, ends[:-1]], 2, 1),
            "final_gap": c[:, :, ends[-1] - 1] - c[:, :, ends[-1]], "spread": c[:, :, 0] - c[:, :, -1]}


def phases(curves):
    """0 trivial, 1 coverage, 2 consolidation, from means over probes."""
    others = np.fmax(np.nan_to_num(curves["gap"]).max(2), 0.1)
    lead = (curves["final_gap"] - others).mean(0)
    return np.where(lead >= 0.0, 2, np.where(curves["spread"].mean(0) < 0.1, 0, 1))


def gaps_of_set(score, process, times, probes, point):
    curves = gap_curves(score, process, times, probes, point)
    results = {"geometric_phase": phases(curves)}
    for name, values in curves.items():
        if name != "spread":
            add_curve(results, name, values)
    return results


def roots(above, below, threshold=0.1):
    """The largest and the smallest tau at which tau/(tau + below) - tau/(tau + above) is the threshold."""
    b = (above - below) / threshold - (above + below)
    square = b * b - 4.0 * above * below
    if b < 0.0 or square < 0.0:
        return math.nan, math.nan
    largest = 0.5 * (b + math.sqrt(square))
    return largest, above * below / largest


def gaps_of_law(score, process, times, point):
    curves = gap_curves(score, process, times, 1, point)
    results = {name: values[0] for name, values in curves.items() if name != "spread"}
    results["geometric_phase"] = phases(curves)
    ends = np.cumsum(bands(point))
    v = score.variances

    def add(name, tau, shape=None):
        time = process.time_at(tau) if tau > 0.0 else math.nan
        results[name] = np.full(shape, time) if shape else time
        results[name + "_status"] = np.full(shape, 0 if tau > 0.0 else 5) if shape else 0 if tau > 0.0 else 5

    if len(ends) > 1:
        above, below = v[ends[0] - 1], v[ends[0]]
        opening, closing = roots(above, below)
        add("gap_opening_time", opening, (1,))
        add("gap_closing_time", closing, (1,))
        add("gap_maximum_time", math.sqrt(above * below), (1,))
        results["gap_maximum"] = [(math.sqrt(above) - math.sqrt(below)) / (math.sqrt(above) + math.sqrt(below))]
    else:
        results["gap_maximum"] = [math.nan]
        for name in ("gap_opening_time", "gap_closing_time", "gap_maximum_time"):
            results[name], results[name + "_status"] = [math.nan], [6]  # not measured
    last = v[ends[-1] - 1]
    add("final_gap_opening_time", 9.0 * last)
    add("final_gap_closing_time", 0.0)
    add("coverage_time", 9.0 * v[0])

    def lead(log_tau):
        c = score.spectrum(0, math.exp(log_tau))
        other = max([0.1] + [c[e - 1] - c[e] for e in ends[:-1]])
        return c[ends[-1] - 1] - c[ends[-1]] - other

    add("consolidation_time", math.exp(brentq(lead, -25.0, math.log(9.0 * last) + 1e-9, xtol=1e-15, rtol=1e-15)))
    return results


def dimensions(score, process, times, probes):
    """By largest gap (0 below 1e-6), by threshold 1/2, and nothing for the score matrix."""
    values = np.full((probes, len(times), 3), math.nan)
    for probe in range(probes):
        for i, t in enumerate(times):
            c = score.spectrum(probe, process.tau(t))
            falls = c[:-1] - c[1:]
            values[probe, i, 0] = falls.argmax() + 1 if falls.max() >= 1e-6 else 0
            values[probe, i, 1] = (c > 0.5).sum()
    results = {}
    add_curve(results, "intrinsic_dimension", values)
    return results


def lost_directions(kind, point, realization, process, times, n):
    """Two sets of three planted probes each; blocks from the largest sigma, those of one sigma together."""
    sigmas = np.concatenate([np.full(block["size"], float(block["sigma"])) for block in point["blocks"]])
    blocks = [(sigma, np.flatnonzero(sigmas == sigma)) for sigma in sorted(set(sigmas), reverse=True)]
    fractions = np.full((2, len(times), 3, 2), math.nan)
    opens = np.zeros((2, len(times), 3))
    for one in range(2):
        data = ManifoldData(kind, point, 2 * realization + one)
        rows = data.rows[:n]
        for i, t in enumerate(times):
            tau = process.tau(t)
            planted = [rows[p % n] + math.sqrt(tau) * data.noise[p] for p in range(3)]
            for b, (sigma, part) in enumerate(blocks):
                def fraction(x, tau=tau, sigma=sigma, part=part, rows=rows):
                    c = covariance(x, tau, rows, np.zeros(n), np.full(n, 1.0 / n))
                    return np.diag(c)[part].mean() * (sigma**2 + tau) / sigma**2

                def open_at(x, tau=tau, rows=rows):
                    c = covariance(x, tau, rows, np.zeros(n), np.full(n, 1.0 / n))
                    return (np.linalg.eigvalsh(c) > 0.5).sum()

                aside = np.zeros(data.dimension)
                aside[part[0]] = math.sqrt(tau)
                opens[one, i, :2] = [np.mean([open_at(x) for x in planted]), open_at(np.zeros(data.dimension))]
                opens[one, i, 2] += open_at(aside) / len(blocks)
                fractions[one, i, :, b] = [np.mean([fraction(x) for x in planted]),
                                           fraction(np.zeros(data.dimension)), fraction(aside)]
    results = {}
    add_curve(results, "retained_fraction", fractions)
    add_curve(results, "open_directions", opens)
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

# Blocks of different numbers: what has an index of blocks is padded. Two of one sigma are one.
BLOCKS = [[{"size": 3, "sigma": 1.0}], [{"size": 4, "sigma": 0.2}, {"size": 3, "sigma": 1.0}],
          [{"size": 3, "sigma": 1.0}, {"size": 2, "sigma": 1.0}]]
SPECTRUM = "spectrum = { probes = 3, largest = 8, times = [%s]%s }"
DIMENSION = 'dimension = { probes = 2, score_matrix = "off" }'
SPECTRAL_SWEEPS = [
    {"process": "variance-exploding", "time": (0.01, 30.0), "ranks": 2, "kind": "linear-manifold", "samples": True,
     "ensemble": {"dimension": 12, "blocks": BLOCKS}, "spectrum_times": [0.03, 0.5, 4.0],
     "measures": [SPECTRUM % ("0.03, 0.5, 4.0", ""), "gap = { probes = 3 }", DIMENSION,
                  "lost_directions = { sets = 2, probes = 3 }"]},
    {"process": "ornstein-uhlenbeck", "time": (0.001, 2.5), "ranks": 1, "kind": "linear-manifold", "samples": False,
     "ensemble": {"dimension": 12, "blocks": BLOCKS, "factor": "gaussian"}, "spectrum_times": [0.03, 0.5, 2.0],
     "measures": [SPECTRUM % ("0.03, 0.5, 2.0", ""), "gap = {}", DIMENSION]},
    {"process": "flow-matching", "time": (0.05, 0.9), "ranks": 2, "kind": "hypersphere", "samples": False,
     "ensemble": {"dimension": [6, 11], "sphere_dimension": 4, "radius": 1.7}, "spectrum_times": [0.2, 0.5, 0.8],
     "measures": [SPECTRUM % ("0.2, 0.5, 0.8", ""), DIMENSION]},
    {"process": "ddpm-linear", "time": (50.0, 900.0), "ranks": 2, "samples": False, "precision": "mixed",
     "ensemble": {"dimension": [6, 20], "classes": 4, "centroids": "random", "class_sigma": [0.5, 1.0, 1.25, 0.1]},
     "spectrum_times": [60.0, 250.0, 800.0], "measures": [SPECTRUM % ("60, 250, 800", "")]},
    {"process": "ornstein-uhlenbeck", "time": (0.05, 3.0), "ranks": 2, "samples": True, "precision": "mixed",
     "ensemble": {"dimension": [6, 20], "classes": 3, "centroids": "random"}, "spectrum_times": [0.1, 0.8, 2.0],
     "measures": [SPECTRUM % ("0.1, 0.8, 2.0", ', partition = "dimension"')]},
]


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


def spectral_text(sweep):
    first, last = sweep["time"]
    return "\n".join([
        'name = "spectral"', f"seed = {SEED}", f"realizations = {REALIZATIONS}", "[process]",
        f'kind = "{sweep["process"]}"', f"time = {{ from = {first}, to = {last}, count = {TIMES} }}", "[ensemble]",
        f'kind = "{kind_of(sweep)}"', *(f"{k} = {toml(v)}" for k, v in sweep["ensemble"].items()),
        *(["[dataset]", f"samples = {SAMPLES}"] if sweep["samples"] else []), "[measure]", *sweep["measures"],
        "[resources]", f'ranks_per_task = {sweep["ranks"]}', f'precision = "{sweep.get("precision", "double")}"', ""])


def spectral_results(sweep, point, realization, process, times):
    """(n or None, results) of every measure of a sweep at one point."""
    kind = kind_of(sweep)
    single = sweep.get("precision") == "mixed"
    if kind == "gaussian-mixture":
        data = MixtureData(point, realization)
    else:
        data = (ManifoldData if kind == "linear-manifold" else SphereData)(kind, point, realization)
    if sweep["samples"]:
        scores = [(n, SetScore(data, n, single)) for n in SAMPLES]
    elif kind == "gaussian-mixture":
        scores = [(None, ClassesScore(data, single))]
    else:
        scores = [(None, ManifoldScore(data) if kind == "linear-manifold" else SphereScore(data, point))]
    for n, score in scores:
        yield n, spectrum(score, process, sweep["spectrum_times"], 3, data.dimension)
        for measure in sweep["measures"]:
            if measure.startswith("gap"):
                yield n, (gaps_of_set(score, process, times, 3, point) if n else
                          gaps_of_law(score, process, times, point))
            elif measure.startswith("dimension"):
                yield n, dimensions(score, process, times, 2)
            elif measure.startswith("lost"):
                yield n, lost_directions(kind, point, realization, process, times, n)


class Comparison:
    """Counts what was compared and remembers the worst deviation of each variable."""

    def __init__(self, variables, axis, averaged_times=False):
        self.averaged_times = averaged_times
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
        # Critical times of averaged curves have tests of their own; the others say how, not what.
        allowed = {"covariance_residual", "jacobian_eigenvalue_residual", "spectrum_method", "spectrum_products",
                   "spectrum_iterations", "retained_fraction_effective_sets", "collapse_representation",
                   "collapse_representation_reason", "speciation_representation", "speciation_representation_reason"}
        if self.averaged_times:
            allowed |= {name for name in self.variables if "_time" in name or name.startswith("gap_maximum")}
        bad = [f"{name} deviates by {worst:.2e}" for name, worst in self.worst.items() if not worst <= 1e-9]
        for name, variable in self.variables.items():
            measured = "realization" in variable.dimensions and not name.startswith("task_") and name != "realization"
            if measured and name not in allowed and self.compared.get(name) != np.prod(variable.shape):
                bad.append(f"{name}: compared {self.compared.get(name, 0)} of {np.prod(variable.shape)}")
        return bad


def check(sweep, arguments, scratch):
    name = f'{sweep["process"]}, {kind_of(sweep)}{", spectra" if "measures" in sweep else ""}'
    folder = pathlib.Path(scratch) / name.replace(", ", "-")
    file = folder.with_suffix(".toml")
    file.write_text(spectral_text(sweep) if "measures" in sweep else sweep_text(sweep), encoding="utf-8")
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
        compare = Comparison(results.variables, axis, averaged_times="measures" in sweep and sweep["samples"])
        for i, point in enumerate(grid if "measures" in sweep else []):
            for realization in range(REALIZATIONS):
                for n, expected in spectral_results(sweep, point, realization, process, times):
                    at = {"samples": SAMPLES.index(n)} if n else {}
                    compare.add_all(expected, point=i, realization=realization, **at)
        for i, point in enumerate(grid if "measures" not in sweep else []):
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
        for sweep in SWEEPS + SPECTRAL_SWEEPS:
            failures += check(sweep, arguments, scratch)
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
