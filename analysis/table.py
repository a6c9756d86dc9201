"""Measured critical times beside their predictions, as aligned text, as rows for the report, and as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np

from analysis.results import ERROR_SOURCES, Estimate, Results, at, format_value

WIDTH = 120
ALLOWED_ERRORS = 4.0  # |deviation| beyond 4 standard errors + half the finite-size shift + tolerance is marked
ROUNDING = 1e-8  # relative; errors below this are no statistics

TIMES = ("speciation_time", "superclass_speciation_time", "collapse_time", "speciation_time_spectral",
         "drift_instability_time", "curvature_instability_time", "coverage_time", "consolidation_time",
         "final_gap_opening_time", "final_gap_closing_time", "gap_opening_time", "gap_maximum_time", "gap_closing_time",
         "loss_time", "condensation_time", "condensation_time_code")


@dataclass(frozen=True)
class Cell:
    """One critical time at one point of the sweep. Missing numbers are NaN."""

    value: float
    error: float
    error_source: str  # one of ERROR_SOURCES
    found: int
    total: int
    reason: str  # why value is NaN, or why `found` is below `total`
    theory: float
    asymptotic: float
    shift: float
    tolerance: float = 0.0  # how far the prediction may be off
    interpolation: float = 0.0  # how far the measured time may be off for the time grid it was read off from
    sets_needed: float = 0.0  # training sets per realization that would tell a time that is unresolved

    @property
    def expected(self) -> float:
        return self.theory + (self.shift if np.isfinite(self.shift) else 0.0)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to say: no number of any kind."""
        return not np.isfinite([self.value, self.theory, self.asymptotic]).any()

    @property
    def deviation(self) -> float:
        """(measured - expected) in standard errors; NaN where the error is none or only rounding."""
        return (self.value - self.expected) / self.error if self.error > ROUNDING * abs(self.value) else np.nan

    @property
    def margin(self) -> float:
        """What prediction and time grid may be off by, beside the statistics."""
        return self.tolerance + self.interpolation

    @property
    def outside(self) -> bool:
        """Whether the deviation is larger than error, shift and tolerance account for."""
        shift = abs(self.shift) if np.isfinite(self.shift) else 0.0
        return self._beyond(0.5 * shift + self.margin)

    @property
    def tolerated(self) -> bool:
        """Whether the deviation is larger than the error, but not than shift and tolerance allow."""
        return self._beyond(0.0) and not self.outside

    def _beyond(self, systematic: float) -> bool:
        allowed = ALLOWED_ERRORS * self.error + systematic + ROUNDING * abs(self.value)
        return bool(abs(self.value - self.expected) > allowed)  # false where any of them is NaN

    @property
    def mark(self) -> str:
        """Stands behind the deviation."""
        return " !" if self.outside else " ~" if self.tolerated else ""


@dataclass(frozen=True)
class Row:
    parameters: dict[str, object]
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Table:
    """Critical times that have the same dimensions of their own: these make rows beside those of the sweep."""

    names: list[str]
    rows: list[Row]


@dataclass(frozen=True)
class Column:
    """A column of text: lines[0] is its heading."""

    quantity: str
    lines: list[str]

    @property
    def width(self) -> int:
        return max(map(len, self.lines))


def present_times(results: Results) -> list[str]:
    """The critical times that this file has or predicts."""
    return [name for name in TIMES if name in results.data or f"{name}_theory" in results.data]


def make_tables(results: Results) -> list[Table]:
    """One table for the times of a point of the sweep, one for those of each gap, one for those of each block."""
    by_dims: dict[tuple[str, ...], list[str]] = {}
    for name in present_times(results):
        by_dims.setdefault(results.inner_dims(name), []).append(name)
    tables = [Table(names, make_rows(results, names)) for names in by_dims.values()]
    return [table for table in tables if table.rows]


def make_rows(results: Results, names: list[str] | None = None) -> list[Row]:
    """Rows of the named times, which have the same dimensions of their own; by default of those that have none."""
    if names is None:
        names = [name for name in present_times(results) if not results.inner_dims(name)]
    averages = {name: results.average(name) for name in names if name in results.data}
    dims = results.inner_dims(names[0]) if names else ()
    rows = []
    for point in results.grid_points():
        for inner in results.inner_points(dims):
            here = point | inner
            own = {dim: results.inner_label(dim, here) for dim in dims}
            row = Row(results.parameters(point) | own,
                      {name: make_cell(results, name, averages.get(name), here) for name in names})
            if not dims or not beyond_blocks(results, here, row):
                rows.append(row)
    return rows


def beyond_blocks(results: Results, point: dict[str, int], row: Row) -> bool:
    """Whether a row is of a block that the manifold at this point does not have: others in the sweep have more."""
    count = len(results.variance_blocks(point))
    past = point.get("block", -1) >= count or point.get("block_gap", -1) >= count - 1
    return past and all(cell.empty for cell in row.cells.values())


def make_cell(results: Results, name: str, average: Estimate | None, point: dict[str, int]) -> Cell:
    def number(variable: str) -> float:
        return float(at(results.data[variable], point)) if variable in results.data else np.nan

    if average is not None and "realization" not in results.data[name].dims:  # itself a prediction
        return Cell(np.nan, np.nan, "none", 0, 0, "", number(name), np.nan, np.nan)
    predictions = [number(name + suffix) for suffix in ("_theory", "_theory_asymptotic", "_shift")]
    if average is None:
        return Cell(np.nan, np.nan, "none", 0, results.realizations, "not measured", *predictions)
    value, error, source, found = (float(at(a, point)) for a in
                                   (average.mean, average.error, average.source, average.found))
    reason = results.missing_reason(name, point) if found < average.total else ""
    return Cell(value, error, ERROR_SOURCES[int(source)], int(found), average.total, reason, *predictions,
                known_mean(results, f"{name}_tolerance", point), known_mean(results, f"{name}_interpolation_error", point),
                known_mean(results, f"{name}_sets_needed", point))


def known_mean(results: Results, variable: str, point: dict[str, int]) -> float:
    """The mean of what is known at a point, over realizations where the variable has them; 0 where nothing is."""
    values = at(results.data[variable], point).values.astype(float) if variable in results.data else np.zeros(1)
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else 0.0


def decimals(error: float, value: float) -> int:
    """Decimals that show two digits of the error, but at most five digits of a value below 1."""
    scale = error if error > 0 else abs(value) * 1e-3
    if not scale > 0:
        return 4
    most = 5 if not abs(value) > 0 else 5 + max(0, -int(np.floor(np.log10(abs(value)))) - 1)
    return int(np.clip(1 - np.floor(np.log10(scale)), 0, most))


def format_number(value: float, places: int, sign: str = "") -> str:
    return f"{value:{sign}.{places}f}" if np.isfinite(value) else "-"


def format_measured(cell: Cell) -> str:
    if not np.isfinite(cell.value):
        needed = f" ({cell.sets_needed:.0f})" if cell.reason == "unresolved" and cell.sets_needed > 0 else ""
        return (cell.reason or "missing") + needed
    places = decimals(cell.error, cell.value)
    text = format_number(cell.value, places)
    if cell.error >= 0.5 * 10.0**-places:
        text += f" ± {format_number(cell.error, places)} {cell.error_source[0]}"
    return text if cell.found == cell.total else f"{text} {cell.found}/{cell.total}"


def format_cell(cell: Cell) -> dict[str, str]:
    """The texts of one cell, by column heading."""
    known = next((x for x in (cell.value, cell.theory, cell.asymptotic) if np.isfinite(x)), np.nan)
    places = decimals(cell.error, known)
    return {"measured": format_measured(cell),
            "prediction": format_prediction(cell.theory, places),
            "large size": format_prediction(cell.asymptotic, places),
            "shift": format_number(cell.shift, places, "+"),
            "tolerance": format_margin(cell.margin, places),
            "dev/se": format_number(cell.deviation, 1, "+") + cell.mark}


def format_prediction(value: float, places: int) -> str:
    """Two digits where the decimals of the measured error would leave fewer."""
    return f"{value:.2g}" if 0 < abs(value) < 10.0**(1 - places) else format_number(value, places)


def format_margin(margin: float, places: int) -> str:
    """With one digit more where it would be rounded to nothing."""
    if not margin > 0:
        return "-"
    return f"{margin:.{places}f}" if margin >= 0.5 * 10.0**-places else f"{margin:.1g}"


def headings(rows: list[Row], quantity: str) -> list[str]:
    """The columns of a quantity that say anything."""
    cells = [row.cells[quantity] for row in rows]
    predicted = any(np.isfinite(cell.theory) for cell in cells)
    shifted = any(np.isfinite(cell.shift) for cell in cells)
    judged = any(np.isfinite(cell.deviation) or cell.mark for cell in cells)
    tolerant = any(cell.margin > 0 for cell in cells)
    only_law = any(np.isfinite(cell.asymptotic) and not np.isfinite(cell.theory) for cell in cells)
    measured = any(cell.total > 0 for cell in cells)
    wanted = {"measured": measured, "prediction": predicted, "large size": only_law, "shift": shifted,
              "tolerance": tolerant, "dev/se": judged}
    return [heading for heading, present in wanted.items() if present]


def parameter_columns(rows: list[Row]) -> list[Column]:
    return [Column("", [key] + [format_value(row.parameters[key]) for row in rows]) for key in rows[0].parameters]


def quantity_columns(rows: list[Row], quantity: str) -> list[Column]:
    texts = [format_cell(row.cells[quantity]) for row in rows]
    return [Column(quantity, [heading] + [text[heading] for text in texts]) for heading in headings(rows, quantity)]


def width_of(columns: list[Column]) -> int:
    return sum(column.width + 2 for column in columns)


def group_width(columns: list[Column]) -> int:
    return max(width_of(columns), len(columns[0].quantity) + 2)


def arrange(parameters: list[Column], groups: list[list[Column]]) -> list[list[list[Column]]]:
    """Spreads the groups over as many blocks as the page width asks for."""
    blocks: list[list[list[Column]]] = []
    room = 0
    for group in groups:
        needed = group_width(group) + 2
        if not blocks or needed > room:
            blocks.append([])
            room = WIDTH - width_of(parameters)
        blocks[-1].append(group)
        room -= needed
    return blocks


def format_group(group: list[Column]) -> list[str]:
    """A group's lines, with its name above; all of the same length."""
    lines = ["  ".join(column.lines[i].rjust(column.width) for column in group) for i in range(len(group[0].lines))]
    width = max(len(lines[0]), len(group[0].quantity))
    return [line.rjust(width) for line in [group[0].quantity.center(width), *lines]]


def format_block(parameters: list[Column], groups: list[list[Column]]) -> str:
    first = ["  ".join(column.lines[i].rjust(column.width) for column in parameters)
             for i in range(len(groups[0][0].lines))]
    width = max(map(len, first))
    parts = [[line.ljust(width) for line in ["", *first]]] if parameters else []
    parts += [format_group(group) for group in groups]
    lines = ["  | ".join(pieces).rstrip() for pieces in zip(*parts)]
    return "\n".join([*lines[:2], "-" * max(map(len, lines)), *lines[2:]])


def text_table(results: Results) -> str:
    """All tables with their heading and the explanation of their marks."""
    tables = make_tables(results)
    lines = [describe(results)]
    for table in tables:
        parameters = parameter_columns(table.rows)
        groups = [group for group in (quantity_columns(table.rows, name) for name in table.names) if group]
        lines += [format_block(parameters, block) + "\n" for block in arrange(parameters, groups)]
    lines.append("\n".join(legend([row for table in tables for row in table.rows])) if tables
                 else "no critical times in this file")
    return "\n".join(lines) + "\n"


def describe(results: Results) -> str:
    tasks = results.task_counts()
    unfinished = [f"{count} {word}" for word, count in tasks.items() if word != "done" and count]
    tally = f"; tasks: {tasks.get('done', 0)} done, {', '.join(unfinished)}" if unfinished else ""
    clock = results.process or "its own"
    number = f"{results.realizations} realization{'s' if results.realizations != 1 else ''}"
    return f"{results.name}: critical times on the {clock} clock{' (steps)' if results.in_steps else ''}, {number}{tally}\n"


def legend(rows: list[Row]) -> list[str]:
    """Explains the marks that occur in these rows."""
    cells = [cell for row in rows for cell in row.cells.values()]
    sources = {cell.error_source for cell in cells}
    lines = []
    if "spread" in sources:
        lines.append("s: standard error from the spread of the realizations (Student's factor below 20 of them)")
    if "probes" in sources:
        lines.append("p: standard error over probes, combined over the realizations (conditional on the data drawn)")
    if any(0 < cell.found < cell.total for cell in cells):
        lines.append("k/R: only k of R realizations have a value; the mean is over those")
    if any(np.isfinite(cell.deviation) for cell in cells):
        lines.append("dev/se: (measured - prediction - shift) in standard errors; shift: expected at this finite size")
    if any(np.isfinite(cell.asymptotic) and not np.isfinite(cell.theory) for cell in cells):
        lines.append("large size: the law of large sizes, where there is no prediction for this size")
    if any(cell.tolerance > 0 for cell in cells):
        lines.append("tolerance: how far the prediction, which approximates, may itself be off")
    if any(cell.interpolation > 0 for cell in cells):
        lines.append("tolerance: of a time read off a curve, also how far it moves on a time grid half as fine")
    if any(cell.tolerated for cell in cells):
        lines.append(f"~: more than {ALLOWED_ERRORS:g} standard errors, but not more than these + half the shift + tolerance")
    if any(cell.outside for cell in cells):
        lines.append(f"!: more than {ALLOWED_ERRORS:g} standard errors + half the shift + tolerance")
    if any(cell.reason == "never" for cell in cells):
        lines.append("never: there is no such time")
    if any(cell.reason == "unresolved" for cell in cells):
        lines.append("unresolved: what was measured cannot tell; in brackets, how many training sets per realization could")
    return lines


def csv_table(results: Results) -> str:
    """One line per point of the sweep, every column, numbers that read back exactly."""
    fields = ("value", "error", "error_source", "found", "total", "reason", "theory", "asymptotic", "shift", "tolerance",
              "interpolation", "sets_needed", "deviation")
    columns = [(name, inner) for name in present_times(results)
               for inner in results.inner_points(results.inner_dims(name))]
    averages = {name: results.average(name) for name in {name for name, _ in columns} if name in results.data}
    points = list(results.grid_points())
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*results.parameters(points[0]),
                     *(csv_heading(results, name, inner, field) for name, inner in columns for field in fields)])
    for point in points:
        cells = [make_cell(results, name, averages.get(name), point | inner) for name, inner in columns]
        values = [getattr(cell, field) for cell in cells for field in fields]
        writer.writerow([*map(format_value, results.parameters(point).values()), *map(csv_value, values)])
    return stream.getvalue()


def csv_heading(results: Results, name: str, inner: dict[str, int], field: str) -> str:
    """Headings follow the names of the results file; `[planted,0]`: the place on dimensions of the variable's own."""
    renamed = {"value": "", "error": "_stderr", "reason": "_status", "asymptotic": "_theory_asymptotic",
               "interpolation": "_interpolation_error"}
    place = ",".join(results.coordinate(dim, index) for dim, index in inner.items())
    return name + renamed.get(field, f"_{field}") + (f"[{place}]" if place else "")


def csv_value(value: object) -> str:
    if isinstance(value, float):
        return repr(value) if np.isfinite(value) else ""
    return str(value)
