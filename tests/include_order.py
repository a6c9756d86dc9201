#!/usr/bin/env python3
"""Every folder of src/ includes only itself and folders above it in the list of src/CMakeLists.txt."""

import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "src"


def main() -> int:
    listed = re.search(r"set\(DIFFPHASE_FOLDERS([^)]*)\)", (SOURCE / "CMakeLists.txt").read_text())
    assert listed is not None
    folders = listed.group(1).split()
    on_disk = {path.name for path in SOURCE.iterdir() if path.is_dir()}
    problems = [f"src/{name} is not in the list of src/CMakeLists.txt" for name in sorted(on_disk - set(folders))]
    for path in sorted(SOURCE.glob("*/*.?pp")):
        allowed = folders[: folders.index(path.parent.name) + 1] if path.parent.name in folders else folders
        for included in re.findall(r'^#include "([^"/]+)/', path.read_text(), re.MULTILINE):
            if included not in allowed:
                problems.append(f"{path.relative_to(SOURCE)} includes {included}/, which is below it")
    print("\n".join(problems) if problems else f"{len(folders)} folders in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
