"""Command line: `python3 -m analysis {report,table} DIR`. Exit codes: 0 done, 2 bad command line or unreadable file."""

from __future__ import annotations

import argparse
import sys

from analysis import interpreter


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m analysis", description="Tables and figures of a diffphase sweep.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{report,table}")
    report = commands.add_parser("report", help="write figures and index.html")
    report.add_argument("path", metavar="DIR", help="folder of a run, or its results.h5")
    report.add_argument("-o", "--output", metavar="OUT", help="folder to write to (default: DIR/figures)")
    table = commands.add_parser("table", help="print measured and predicted critical times")
    table.add_argument("path", metavar="DIR", help="folder of a run, or its results.h5")
    table.add_argument("--csv", action="store_true", help="comma-separated values, every column, full precision")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> int:
    from analysis.results import ResultsError, open_results

    try:
        results = open_results(options.path)
        if options.command == "table":
            from analysis.table import csv_table, text_table

            print_text(csv_table(results) if options.csv else text_table(results))
        else:
            from analysis.page import write_report

            print(write_report(results, options.output))
    except ResultsError as error:
        print(f"analysis: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
    except OSError as error:
        print(f"analysis: {error.strerror}: {error.filename}", file=sys.stderr)
        return 2
    return 0


def print_text(text: str) -> None:
    """Prints with ASCII in place of the plus-minus sign where the terminal has no such character."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = text.replace("±", "+-").encode("ascii", "replace").decode()
    print(text, end="" if text.endswith("\n") else "\n", flush=True)


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse_arguments(arguments)
    problem = interpreter.ensure_packages(arguments)
    if problem:
        print(f"analysis: {problem}", file=sys.stderr)
        return 2
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
