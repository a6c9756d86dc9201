"""Finds a Python that has what the analysis needs. Imports nothing beyond the standard library."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys

REQUIRED = ("numpy", "scipy", "xarray", "h5netcdf", "matplotlib")


def has_packages() -> bool:
    """Whether the running interpreter finds every required package."""
    return all(importlib.util.find_spec(name) is not None for name in REQUIRED)


def find_interpreter() -> str | None:
    """The first of $PYTHON, python3 and /usr/bin/python3 that imports every required package."""
    for candidate in (os.environ.get("PYTHON"), "python3", "/usr/bin/python3"):
        path = shutil.which(candidate) if candidate else None
        if path and _imports_everything(path):
            return path
    return None


def _imports_everything(python: str) -> bool:
    command = [python, "-c", "import " + ", ".join(REQUIRED)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def ensure_packages(arguments: list[str]) -> str | None:
    """Starts the analysis again under a suitable interpreter if this one lacks a package.

    Returns None if this interpreter will do, otherwise a message that no interpreter does; does not return
    when another one takes over.
    """
    if has_packages():
        return None
    python = find_interpreter()
    if python is None:
        return (f"no Python with {', '.join(REQUIRED)} found (tried $PYTHON, python3, /usr/bin/python3); "
                "set PYTHON to one that has them")
    print(f"analysis: using {python}", file=sys.stderr, flush=True)
    os.execv(python, [python, "-m", "analysis", *arguments])
