"""Compares two results.h5: prints the first differences, exit code 1 if there are any.

    python3 tests/support/compare_results.py A.h5 B.h5 [--bits]

Identical results have the same dimensions and coordinates. Measured variables are equal bit for bit where both say that
each task ran once, and on as many ranks; else to 1e-10 of the variable's largest magnitude, critical times and their
errors to 1e-8. With --bits, bit for bit everywhere. NaN equals NaN. Left out: task_* and provenance, and
where the bits may differ residuals and asymmetries (they are rounding errors) and what a solver says of its effort.
Biases and errors, which may be rounding errors too, are compared on the scale of what they belong to.
"""

import argparse
import sys

import h5netcdf
import numpy as np

CURVE_TOLERANCE = 1e-10
TIME_TOLERANCE = 1e-8


NOT_NUMBERS = ("_residual", "jacobian_asymmetry", "spectrum_iterations", "spectrum_products")
ACCURACIES = ("_stderr", "_bias", "_bound")


class Results:
    """The root group of a results file."""

    def __init__(self, path):
        with h5netcdf.File(path, "r") as file:
            self.variables = {name: (tuple(variable.dimensions), np.asarray(variable[...]))
                              for name, variable in file.variables.items()}
            self.attributes = dict(file.attrs)
        self.coordinates = {name for name, (dims, _) in self.variables.items() if dims == (name,)}

    def dims(self, name):
        return self.variables[name][0]

    def values(self, name):
        return self.variables[name][1]

    def measured(self):
        """Names of the variables that are compared with care for ranks and rounding."""
        return sorted(name for name in self.variables
                      if name not in self.coordinates and not name.startswith("task_"))


def first_place(mask, dims):
    """The first true element, as text."""
    index = np.unravel_index(int(np.argmax(mask)), mask.shape)
    return ", ".join(f"{dim}={i}" for dim, i in zip(dims, index)) or "the value"


def same_group(a, b, dims, shape):
    """Where both files say that every measure ran once, and on equally many ranks."""
    task_dims = a.dims("task_ranks")[:-1]
    equal = (a.values("task_ranks") == b.values("task_ranks")) & (a.values("task_attempts") == 1) \
        & (b.values("task_attempts") == 1)
    equal = equal.all(axis=-1)
    for axis in reversed(range(len(task_dims))):
        if task_dims[axis] not in dims:
            equal = equal.all(axis=axis)
    kept = [dim for dim in task_dims if dim in dims]
    order = [kept.index(dim) for dim in dims if dim in kept]
    equal = np.transpose(equal, order)
    return np.broadcast_to(equal.reshape([shape[i] if dim in kept else 1 for i, dim in enumerate(dims)]), shape)


def largest_magnitude(*arrays):
    magnitudes = [np.abs(x[np.isfinite(x)]).max(initial=0.0) for x in arrays]
    return max(magnitudes)


def is_no_number(name):
    """Whether the values are rounding errors or effort."""
    return any(part in name for part in NOT_NUMBERS)


def scale_of(a, b, name):
    """The largest magnitude of the variable, or of the one that it is the accuracy of."""
    for ending in ACCURACIES:
        base = name.removesuffix(ending)
        if base != name and base in a.variables:
            return max(scale_of(a, b, base), largest_magnitude(a.values(name), b.values(name)))
    return largest_magnitude(a.values(name), b.values(name))


def difference(a, b, name, bits):
    """What is wrong with one variable; None if nothing is."""
    dims, x = a.variables[name]
    y = b.values(name)
    if dims != b.dims(name) or x.shape != y.shape:
        return f"{name}: dimensions {dims} {x.shape} and {b.dims(name)} {y.shape}"
    if x.dtype != y.dtype:
        return f"{name}: {x.dtype} and {y.dtype}"
    if x.dtype.kind != "f":
        wrong = np.asarray(x != y)
        return f"{name}[{first_place(wrong, dims)}]: {x[wrong][0]} and {y[wrong][0]}" if wrong.any() else None
    both_nan = np.isnan(x) & np.isnan(y)
    exact = np.asarray((x.view(np.int64) == y.view(np.int64)) | both_nan)
    must_be_exact = np.ones(x.shape, bool) if bits or "realization" not in dims else same_group(a, b, dims, x.shape)
    is_time = "_time" in name and "time" not in dims
    tolerance = (TIME_TOLERANCE if is_time else CURVE_TOLERANCE) * scale_of(a, b, name)
    with np.errstate(invalid="ignore"):
        near = np.asarray(both_nan | (np.abs(x - y) <= tolerance))
    wrong = np.where(must_be_exact, ~exact, ~near)
    if is_no_number(name) and not bits:
        wrong = np.isnan(x) != np.isnan(y)
    if not wrong.any():
        return None
    how = "must have equal bits" if must_be_exact[wrong][0] else f"may differ by {tolerance:.2g}"
    return (f"{name}[{first_place(wrong, dims)}]: {x[wrong][0]!r} and {y[wrong][0]!r}, {how}; "
            f"{int(wrong.sum())} of {wrong.size} values")


def differences(path_a, path_b, bits=False):
    """All differences of two files as texts, one per variable."""
    a, b = Results(path_a), Results(path_b)
    found = []
    for name in sorted(a.variables.keys() ^ b.variables.keys()):
        found.append(f"{name}: only in {path_a if name in a.variables else path_b}")
    for name in sorted(a.coordinates & b.coordinates):
        x, y = a.values(name), b.values(name)
        if x.shape != y.shape or not np.array_equal(x, y):
            found.append(f"coordinate {name}: {x} and {y}")
    if found:
        return found
    checks = (difference(a, b, name, bits) for name in a.measured())
    return [text for text in checks if text]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs=2)
    parser.add_argument("--bits", action="store_true", help="equal bits everywhere")
    arguments = parser.parse_args()
    found = differences(*arguments.files, bits=arguments.bits)
    for text in found[:20]:
        print(text)
    print(f"{len(found)} variables differ" if found else "identical")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
