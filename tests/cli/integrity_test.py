"""What somebody does to the files of a run: the program never calls complete what is not there, and `check` tells.

    python3 tests/cli/integrity_test.py --program BUILD/drivers/diffphase [NAME...]
"""

import argparse
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
# pylint: disable=wrong-import-position
from named_cases import run_named
from requirement import require, require_identical
import compare_results
import journals
import numpy as np

SWEEP = """
name = "integrity"
realizations = {realizations}
[process]
kind = "ornstein-uhlenbeck"
time = {{ from = 0.05, to = 6.0, count = 16, spacing = "log" }}
[ensemble]
kind = "gaussian-mixture"
dimension = {dimension}
classes = 2
[dataset]
samples = [2000]
[measure]
collapse = {{ probes = {probes} }}
"""

FILE_SWEEP = """
name = "integrity"
[process]
kind = "ornstein-uhlenbeck"
time = { from = 0.05, to = 6.0, count = 16, spacing = "log" }
[ensemble]
kind = "file"
[dataset]
file = "x.npy"
[measure]
collapse = { probes = 64 }
"""


class Case:
    """One run folder; its run takes a few seconds."""

    def __init__(self, program, scratch, name):
        self.program = program
        self.scratch = scratch / name
        self.scratch.mkdir()
        self.folder = self.scratch / "run"
        self.file = self.scratch / "sweep.toml"
        self.values = {"realizations": 20, "dimension": "[16, 32]", "probes": 1024}
        self.write()

    def write(self, **values):
        self.values.update(values)
        self.file.write_text(SWEEP.format(**self.values), encoding="utf-8")

    def start(self, *options, ranks=2, folder=None):
        return self.program.start(["run", self.file, "-o", folder or self.folder, "-q", *options], ranks)

    def run(self, *options, expect=0, ranks=2, folder=None):
        ended = self.start(*options, ranks=ranks, folder=folder).end()
        require(ended.code == expect, f"exit code {expect} expected: {ended}")
        return ended

    def finished(self):
        return sum(record.kind == journals.DONE for record in journals.records(self.folder))

    def run_and(self, damage, finished=6):
        """A run in which something is done to the folder once so many tasks are finished; returns how it ended."""
        running = self.start()
        require(running.wait_for(lambda: self.finished() >= finished), "nothing was finished")
        damage()
        require(running.alive(), "the run ended before it could be damaged: make it longer")
        return running.end()

    def check(self, expect):
        ended = self.program.run(["check", self.folder])
        require(ended.code == expect, f"check: {expect} expected: {ended}")
        return ended.out

    def require_whole(self, ended):
        """Complete, in the results and in the journals."""
        require(ended.code == 0 and "complete" in ended.last_line, str(ended))
        require((compare_results.Results(self.folder / "results.h5").values("task_status") == 1).all(), "results.h5")
        clean = self.scratch / "clean"
        self.run(folder=clean)
        require_identical(self.folder / "results.h5", clean / "results.h5", "the run and an undisturbed one")
        (self.folder / "results.h5").unlink()
        require(self.program.run(["collect", self.folder]).code == 0, "collect")
        require_identical(self.folder / "results.h5", clean / "results.h5", "the journals and an undisturbed run")

    def journals(self):
        return journals.files(self.folder)


def own_journal_removed(case):
    ended = case.run_and(lambda: [path.unlink() for path in case.journals()])
    require("written again" in ended.err, str(ended))
    case.require_whole(ended)


def own_journal_emptied(case):
    case.require_whole(case.run_and(lambda: [os.truncate(path, 0) for path in case.journals()]))


def own_journal_shortened(case):
    case.require_whole(case.run_and(
        lambda: [os.truncate(path, path.stat().st_size // 2) for path in case.journals()]))


def own_journal_overwritten(case):
    def damage():
        for path in case.journals():
            with path.open("r+b") as file:
                file.seek(path.stat().st_size // 2)
                file.write(bytes(16))
    case.require_whole(case.run_and(damage))


def own_journal_replaced(case):
    def damage():
        for path in case.journals():
            other = path.with_name("other")
            shutil.copy(path, other)
            os.replace(other, path)
    case.require_whole(case.run_and(damage))


def journal_folder_removed(case):
    case.require_whole(case.run_and(lambda: shutil.rmtree(case.folder / "journal")))


def earlier_journal_removed(case):
    """Of a start that finished half of the sweep."""
    case.run("--points", "0")
    earlier = case.journals()
    require(len(earlier) == 1, "one start, one journal")
    case.require_whole(case.run_and(earlier[0].unlink, finished=case.finished() + 6))


def folder_removed(case):
    ended = case.run_and(lambda: shutil.rmtree(case.folder, ignore_errors=True))
    require(ended.code not in (0, 1, 75), str(ended))
    require("complete" not in ended.out and "finished so far is in" not in ended.out, str(ended))
    require("removed or renamed" in ended.out, str(ended))


def folder_renamed(case):
    other = case.folder.with_name("other")
    ended = case.run_and(lambda: case.folder.rename(other))
    require(ended.code not in (0, 1, 75) and "removed or renamed" in ended.out, str(ended))
    require(not case.folder.exists(), "the folder was made again")
    case.folder = other
    case.require_whole(case.run())


def shorter_list(case):
    """results.h5 is replaced by less only with a word, and the former one is kept."""
    case.write(realizations=3, probes=64)
    case.run()
    before = (case.folder / "results.h5").read_bytes()
    case.write(dimension="[16]")
    ended = case.run()
    kept = list(case.folder.glob("results-*.h5"))
    require(len(kept) == 1 and kept[0].read_bytes() == before, f"the former results are not kept: {kept}")
    require("6 results" in ended.err and kept[0].name in ended.err and "collect --all" in ended.err, str(ended))
    ended = case.run()
    require("kept as" not in ended.err, f"nothing disappears the second time: {ended}")
    case.write(dimension="[16, 32, 48]")
    require("kept as" not in case.run().err, "a longer list is no loss")
    case.run("--set", "measure.collapse.probes=32")
    require(len(list(case.folder.glob("results-*.h5"))) == 2, "other options of a measure, without a word")
    shutil.rmtree(case.scratch / "all", ignore_errors=True)
    for path in case.folder.glob("results*.h5"):
        path.unlink()
    require(case.program.run(["collect", case.folder, "--all"]).code == 0, "collect --all")
    files = sorted(case.folder.glob("results-*.h5"))
    require(len(files) == 4, f"one file for each sweep: {files}")
    sizes = sorted(compare_results.Results(path).values("task_status").size for path in files)
    require(sizes == [3, 6, 9, 9], f"tasks in them: {sizes}")


def changed_data(case):
    """A data file replaced under its name is refused, with the remedy."""
    data = case.scratch / "x.npy"
    points = np.random.default_rng(1).standard_normal((200, 4))
    np.save(data, points)
    case.file.write_text(FILE_SWEEP, encoding="utf-8")
    case.run()
    case.run()
    np.save(data, 5 * points)
    ended = case.run(expect=2)
    require(str(data) in ended.err and "--accept-changed-data" in ended.err and "hash" in ended.err, str(ended))
    require(case.journals()[1].stem in ended.err, f"the start that read the former file is not named: {ended}")
    require("has changed" in case.check(expect=1), "check does not see it")
    case.run("--accept-changed-data")
    case.run()
    data.unlink()
    for command in ("status", "collect", "check"):
        ended = case.program.run([command, case.folder])
        require(ended.code == 0, f"{command} needs no data file: {ended}")


def check_tells(case):
    """`diffphase check` finds what is wrong, changes nothing, and says what can be done."""
    case.write(realizations=3, probes=64)
    case.run()
    state = lambda: {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in case.folder.rglob("*")
                     if path.is_file()}
    before = state()
    require("6 of its 6 tasks" in case.check(expect=0), "a whole folder")
    require(state() == before, "check changed something")
    results = case.folder / "results.h5"
    kept = results.read_bytes()
    results.write_bytes(kept[:len(kept) // 2])
    require("results.h5" in case.check(expect=1) and "collect" in case.check(expect=1), "half a results file")
    results.unlink()
    require("no results.h5" in case.check(expect=1), "no results")
    results.write_bytes(kept)
    journal = case.journals()[0]
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20] + bytes(20))
    out = case.check(expect=1)
    require("checksum" in out and "5 of its 6 tasks" in out and "do not agree" in out, out)
    journal.unlink()
    require("no journal" in case.check(expect=1), "no journal")
    journal.write_bytes(whole)
    case.check(expect=0)
    ended = case.program.run(["check", case.scratch / "absent"])
    require(ended.code == 2 and "no such folder" in ended.err, str(ended))


CASES = [own_journal_removed, own_journal_emptied, own_journal_shortened, own_journal_overwritten, own_journal_replaced,
         journal_folder_removed, earlier_journal_removed, folder_removed, folder_renamed, shorter_list, changed_data,
         check_tells]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    return run_named(CASES, arguments.names, Case, arguments.program, "integrity_")


if __name__ == "__main__":
    sys.exit(main())
