"""The report: every figure as PNG and PDF, the table as CSV, and an index.html that holds them."""

from __future__ import annotations

from html import escape
from pathlib import Path

from analysis.figures import FIGURES
from analysis.figures.drawing import Drawing
from analysis.results import Results, ResultsError, format_value
from analysis.table import Table, csv_table, describe, format_cell, headings, legend, make_tables

PROVENANCE = ("program", "version", "git_revision", "libraries", "layout_version", "seed", "mpi_size", "start_time",
              "end_time", "command_line")
SWEEP_TEXT = "sweep"
# Measures without which a figure is not to be expected; what only an option or a kind of ensemble brings is not listed.
MEASURES_SHOWN = {"class_agreement": {"speciation"}, "collapse": {"collapse"}, "critical_times": {"speciation", "collapse"},
                  "phase_diagram": {"speciation", "collapse"}, "spectrum": {"spectrum", "gap"}, "gaps": {"gap"},
                  "dimension": {"dimension"}, "retained_fraction": {"lost_directions"}}
INTERNAL = ("_NCProperties", "Conventions")

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
figure { margin: 1.2rem 0 2rem; break-inside: avoid; } figure img { max-width: 100%; height: auto; }
figcaption, .note { color: #444; font-size: 0.92rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.15rem 0.7rem; text-align: right; white-space: nowrap; }
th { border-bottom: 1px solid #888; } td.left, th.left { text-align: left; }
td.first, th.first { border-left: 1px solid #ccc; } tr:nth-child(even) td { background: #f6f6f6; }
td.mark { color: #b03000; font-weight: 600; }
pre { background: #f6f6f6; padding: 0.8rem; overflow-x: auto; font-size: 0.85rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 1.2rem; font-size: 0.92rem; } dd { margin: 0; }
"""


def write_report(results: Results, output: str | Path | None = None) -> str:
    """Writes the report and returns one sentence that says where it is and what it could not show."""
    directory = Path(output) if output else results.directory / "figures"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        drawings = {name: draw(results) for name, draw in FIGURES.items()}
        drawn = {name: drawing for name, drawing in drawings.items() if drawing}
        for name, drawing in drawn.items():
            drawing.save(directory, name)
        for name in drawings.keys() - drawn.keys():  # of an earlier report
            for suffix in ("png", "pdf"):
                (directory / f"{name}.{suffix}").unlink(missing_ok=True)
        (directory / "table.csv").write_text(csv_table(results), encoding="utf-8")
        (directory / "index.html").write_text(page(results, drawn), encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"cannot write the report to {directory}: {error.strerror}") from error
    missing = missing_parts(results, drawn)
    return f"{directory / 'index.html'}: {len(drawn)} figures" + "".join(f"\n  {line}" for line in missing)


def missing_parts(results: Results, drawn: dict[str, Drawing]) -> list[str]:
    """What a complete report would show and this file does not hold."""
    asked = results.measures()
    lines = [f"no figure {name}: the file does not hold its data" for name, measures in MEASURES_SHOWN.items()
             if name not in drawn and (not asked or asked & measures)]
    tasks = results.task_counts()
    lines += [f"{count} tasks {word}" for word, count in tasks.items() if word != "done" and count]
    return lines


def page(results: Results, drawn: dict[str, Drawing]) -> str:
    title = escape(results.name)
    sections = [f"<h1>{title}</h1>", f"<p>{escape(describe(results).split(': ', 1)[-1].strip())}.</p>",
                missing_section(results, drawn), "<h2>Parameters</h2>", parameter_list(results),
                "<h2>Critical times</h2>", table_section(results), "<h2>Figures</h2>",
                *(figure_section(name, drawing) for name, drawing in drawn.items()),
                "<h2>Provenance</h2>", provenance(results)]
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
            f"<style>{STYLE}</style>\n</head>\n<body>\n" + "\n".join(filter(None, sections)) + "\n</body>\n</html>\n")


def missing_section(results: Results, drawn: dict[str, Drawing]) -> str:
    lines = missing_parts(results, drawn)
    return "<ul class=\"note\">" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def definition_list(items: dict[str, str]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in items.items()) + "</dl>"


def parameter_list(results: Results) -> str:
    """What varies, with its values, then what does not."""
    items = {}
    for axis in results.axes:
        for key, values in axis.parameters.items():
            label = key if not axis.compound else f"{key} (along {axis.name})"
            items[label] = ", ".join(map(format_value, values))
    if "time" in results.data:
        times = results.data["time"].values
        items["time"] = f"{len(times)} values, {times.min():g} to {times.max():g}"
    items["realizations"] = str(results.realizations)
    hidden = {*PROVENANCE, SWEEP_TEXT, *INTERNAL, "name"}
    attributes = {key: format_value(value) for key, value in results.data.attrs.items() if key not in hidden}
    return definition_list(items | {k: v for k, v in attributes.items() if "\n" not in v and k not in items
                                    and not is_provenance(k)})


def is_provenance(key: str) -> bool:
    return key in PROVENANCE or key.endswith(("_version", "_time", "_revision")) or key in ("host", "date", "user")


def table_section(results: Results) -> str:
    tables = make_tables(results)
    if not tables:
        return "<p>This file holds no critical times.</p>"
    notes = "<br>".join(map(escape, legend([row for table in tables for row in table.rows])))
    return ("".join(map(html_table, tables))
            + f'<p class="note">{notes}<br><a href="table.csv">table.csv</a> holds every column in full precision.</p>')


def html_table(table: Table) -> str:
    groups = {name: headings(table.rows, name) for name in table.names}
    groups = {name: columns for name, columns in groups.items() if columns}
    top = "".join(f'<th class="left" rowspan="2">{escape(key)}</th>' for key in table.rows[0].parameters)
    top += "".join(f'<th class="first" colspan="{len(columns)}">{escape(name)}</th>' for name, columns in groups.items())
    second = "".join(cell("th", text, i == 0) for columns in groups.values() for i, text in enumerate(columns))
    body = "".join(table_row(row, groups) for row in table.rows)
    return (f'<div class="scroll"><table><thead><tr>{top}</tr><tr>{second}</tr></thead><tbody>{body}</tbody></table>'
            "</div>")


def cell(tag: str, text: str, first: bool, mark: bool = False) -> str:
    classes = " ".join(word for word, on in (("first", first), ("mark", mark)) if on)
    return f'<{tag}{f" class={chr(34)}{classes}{chr(34)}" if classes else ""}>{escape(text)}</{tag}>'


def table_row(row: object, groups: dict[str, list[str]]) -> str:
    cells = "".join(f'<td class="left">{escape(format_value(value))}</td>' for value in row.parameters.values())
    for name, columns in groups.items():
        texts = format_cell(row.cells[name])
        cells += "".join(cell("td", texts[heading], i == 0, texts[heading].endswith("!"))
                         for i, heading in enumerate(columns))
    return f"<tr>{cells}</tr>"


def figure_section(name: str, drawing: Drawing) -> str:
    notes = "".join(f" {escape(note[0].upper() + note[1:])}." for note in drawing.notes)
    width = int(drawing.figure.get_size_inches()[0] * 96)
    return (f'<figure id="{name}"><img src="{name}.png" width="{width}" alt="{escape(drawing.title)}">'
            f"<figcaption><b>{escape(drawing.title)}.</b> {drawing.caption}{notes} "
            f'(<a href="{name}.pdf">PDF</a>)</figcaption></figure>')


def provenance(results: Results) -> str:
    attributes = results.data.attrs
    keys = [key for key in PROVENANCE if key in attributes]
    keys += [key for key in attributes if is_provenance(key) and key not in keys and key not in INTERNAL]
    items = {key.replace("_", " "): ", ".join(format_value(attributes[key]).splitlines()) for key in keys}
    items["results file"] = results.path.name
    sources = sorted({format_value(v.attrs["source"]) for v in results.data.data_vars.values() if v.attrs.get("source")})
    if sources:
        items["sources of predictions"] = "; ".join(sources)
    text = attributes.get(SWEEP_TEXT)
    return definition_list(items) + (f"<h3>Sweep file</h3><pre>{escape(format_value(text))}</pre>" if text is not None else "")
