"""jobs/submit.sh and the batch scripts where there is no SLURM: what would be submitted, started and requeued.

    python3 tests/cli/submit_test.py --program BUILD/drivers/diffphase [NAME...]
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path

import program

SWEEP = """
name = "submitted"
[process]
kind = "ornstein-uhlenbeck"
time = [0.5, 1.0]
[ensemble]
kind = "gaussian-mixture"
dimension = 16
classes = 2
[dataset]
samples = 100
[measure]
collapse = { probes = 16 }
"""


class Submit(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        (self.folder / "a sweep.toml").write_text(SWEEP, encoding="utf-8")
        self.site("(--account=physics)")

    def site(self, options: str) -> None:
        text = (program.ROOT / "jobs/site.sh").read_text(encoding="utf-8")
        text = text.replace("sbatch_options=()", f"sbatch_options={options}")
        text = text.replace("ranks_per_node=32", "ranks_per_node=4")
        text = text.replace("program=\n", f"program={shlex.quote(str(program.program))}\n")
        (self.folder / "site.sh").write_text(text, encoding="utf-8")

    def submit(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**program.environment(), "DIFFPHASE_SITE": str(self.folder / "site.sh"), **variables}
        return subprocess.run(["bash", str(program.ROOT / "jobs/submit.sh"), *arguments], cwd=self.folder,
                              env=environment, capture_output=True, text=True, timeout=120, check=False)

    def submitted(self, *arguments: str) -> list[list[str]]:
        """The commands that a dry run shows, in words."""
        before = sorted(os.listdir(self.folder))
        ended = self.submit("a sweep.toml", "--dry-run", *arguments)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn("Nothing was submitted", ended.stdout)
        self.assertEqual(sorted(os.listdir(self.folder)), before, "something was written")
        return [shlex.split(line) for line in ended.stdout.splitlines() if line.startswith("sbatch ")]

    def refused(self, *arguments: str, says: list[str]) -> None:
        ended = self.submit(*arguments)
        self.assertEqual(ended.returncode, 2, ended.stdout + ended.stderr)
        for piece in says:
            self.assertIn(piece, ended.stderr)

    def test_one_job(self) -> None:
        (command,) = self.submitted("--nodes", "3", "--time", "2:00:00")
        for option in ("--nodes=3", "--ntasks-per-node=4", "--time=2:00:00", "--account=physics"):
            self.assertIn(option, command)
        self.assertTrue(any(word.startswith("--mem-per-cpu=") for word in command), command)
        at = command.index(str(program.ROOT / "jobs/sweep.sbatch"))
        self.assertEqual(command[at + 1:], ["a sweep.toml", "-o", "runs/submitted"])

    def test_a_name_given_on_the_command_line_names_the_folder(self) -> None:
        for option in (["--set", "name=other one"], ["--set=name='other one'"]):
            (command,) = self.submitted("--", "--set", "realizations=2", *option)
            self.assertEqual(command[command.index("-o", command.index("a sweep.toml")) + 1], "runs/other one")

    def test_the_time_is_the_predicted_one(self) -> None:
        (command,) = self.submitted()
        self.assertTrue(any(word.startswith("--time=00:") for word in command), command)

    def test_threads_have_cores(self) -> None:
        (command,) = self.submitted("--nodes", "3", "--", "--set", "resources.threads=2")
        for option in ("--nodes=3", "--ntasks-per-node=2", "--cpus-per-task=2"):
            self.assertIn(option, command)
        (command,) = self.submitted("--ranks-per-node", "3", "--", "--set", "resources.threads=8")
        self.assertIn("--ntasks-per-node=3", command)
        self.assertIn("--cpus-per-task=8", command)

    def test_array_and_collect(self) -> None:
        array, collect = self.submitted("--array", "8", "-o", "elsewhere", "--", "--set", "measure.collapse.probes=32")
        self.assertIn("--array=1-8", array)
        at = array.index(str(program.ROOT / "jobs/array.sbatch"))
        self.assertEqual(array[at + 1:],
                         ["a sweep.toml", "-o", "elsewhere", "--set", "measure.collapse.probes=32"])
        self.assertIn("--dependency=afterany:JOB", collect)
        self.assertEqual(collect[-2:], [str(program.ROOT / "jobs/collect.sbatch"), "elsewhere"])

    def test_names_and_folders_are_taken_as_they_are(self) -> None:
        sweep = self.folder / "-sbatch --time=1:00 --cpus-per-task=9 %j.toml"
        sweep.write_text(SWEEP.replace('"submitted"', '"-sbatch --time=2:00 %j \\u0041"'), encoding="utf-8")
        ended = self.submit(f"./{sweep.name}", "--dry-run")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        (command,) = [shlex.split(line) for line in ended.stdout.splitlines() if line.startswith("sbatch ")]
        script = command.index(str(program.ROOT / "jobs/sweep.sbatch"))
        self.assertEqual(command[script + 1:], [f"./{sweep.name}", "-o", "runs/-sbatch --time=2:00 %j A"])
        self.assertIn("--job-name=diffphase--sbatch --time=2:00 %j A", command)
        self.assertIn("--output=runs/-sbatch --time=2:00 %%j A/log/slurm-%j.log", command)
        self.assertEqual([word for word in command if word.startswith("--cpus-per-task")], [])
        self.assertEqual(len([word for word in command if word.startswith("--time=00:")]), 1, command)
        for option, folder in (("-o-x/", "./-x"), ("-o --help", "./--help"), ("-o runs/a%5j/", "runs/a%5j")):
            if option.startswith("-o-"):
                self.refused("a sweep.toml", option, says=["unknown option"])
                option = "-o " + option[2:]
            (command,) = self.submitted(*option.split(" "))
            self.assertEqual(command[-2:], ["-o", folder])
            self.assertIn(f"--output={folder.replace('%', '%%')}/log/slurm-%j.log", command)

    def test_what_is_printed_after_submission_can_be_pasted(self) -> None:
        stand_in(self.folder / "bin/sbatch", "echo 4711")
        ended = self.submit("a sweep.toml", "-o", "my 100%j run", PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        tail, = [shlex.split(line) for line in ended.stdout.splitlines() if line.startswith("  tail")]
        self.assertEqual(tail, ["tail", "-f", "my 100%j run/log/slurm-4711.log"])
        self.assertIn("touch my\\ 100%j\\ run/stop", ended.stdout)

    def test_refusals(self) -> None:
        self.refused("a sweep.toml", "-o", "a\\b", says=["a\\b", "backslash", "-o DIR"])
        self.refused("a sweep.toml", "--", "-o", "x", says=["-o: before the --"])
        self.refused(says=["a sweep file is needed"])
        self.refused("none.toml", says=["none.toml", "no such file"])
        self.refused("a sweep.toml", "site.sh", says=["one sweep file", "site.sh"])
        self.refused("a sweep.toml", "--nodes", "0", says=["--nodes 0", "from 1"])
        self.refused("a sweep.toml", "--array", "1-4", says=["--array 1-4", "from 1"])
        self.refused("a sweep.toml", "--time", "soon", says=["--time soon", "H:MM:SS"])
        self.refused("a sweep.toml", "--nodes", says=["--nodes: a value is missing"])
        self.refused("a sweep.toml", "--queue", "x", says=["--queue", "--ranks-per-node"])
        (self.folder / "bad.toml").write_text(SWEEP.replace("dimension", "dimensoin"), encoding="utf-8")
        self.refused("bad.toml", "--dry-run", says=["dimensoin", '"dimension"'])

    def test_a_site_without_the_program(self) -> None:
        site = self.folder / "site.sh"
        site.write_text(site.read_text(encoding="utf-8") + "program=/nowhere/diffphase\n", encoding="utf-8")
        self.refused("a sweep.toml", says=["/nowhere/diffphase", "site.sh"])

    def example(self, name: str, **variables: str) -> list[str]:
        """The command that jobs/sites/<name>.sh leads to, where what loads software is a stand-in that logs its calls."""
        site = str(program.ROOT / f"jobs/sites/{name}.sh")
        ended = self.submit("a sweep.toml", "--dry-run", DIFFPHASE_SITE=site, **variables)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        (line,) = [line for line in ended.stdout.splitlines() if line.startswith("sbatch ")]
        return shlex.split(line)

    def test_example_with_modules(self) -> None:
        installed = self.folder / "home/diffphase/bin"
        installed.mkdir(parents=True)
        (installed / "diffphase").symlink_to(program.program)
        log = self.folder / "calls.txt"
        command = self.example("modules", HOME=str(self.folder / "home"), LOG=str(log),
                               **{"BASH_FUNC_module%%": '() { printf "%s\\n" "$*" >>"$LOG"; }'})
        self.assertIn("--ntasks-per-node=48", command)
        self.assertIn("--account=physics", command)
        purge, load = log.read_text(encoding="utf-8").splitlines()
        self.assertEqual(purge, "purge")
        self.assertEqual({word.split("/")[0] for word in load.split()[1:]},
                         {"gcc", "openmpi", "petsc", "slepc", "hdf5", "boost", "openblas"})

    def test_example_with_spack(self) -> None:
        setup = self.folder / "spack/share/spack/setup-env.sh"
        setup.parent.mkdir(parents=True)
        log = self.folder / "calls.txt"
        setup.write_text('spack() { printf "%s\\n" "$*" >>"$LOG"; }\n', encoding="utf-8")
        (self.folder / "diffphase").symlink_to(program.program)
        command = self.example("spack", SPACK_ROOT=str(self.folder / "spack"), LOG=str(log),
                               PATH=f"{self.folder}:{os.environ['PATH']}")
        self.assertIn("--ntasks-per-node=64", command)
        self.assertIn("--constraint=ib", command)
        self.assertEqual(log.read_text(encoding="utf-8"), "env activate diffphase\n")

    def test_collect_job_that_is_refused(self) -> None:
        stand_in(self.folder / "bin/sbatch", 'case "$*" in *collect*) exit 1 ;; *) echo 4711 ;; esac')
        ended = self.submit("a sweep.toml", "--array", "2", "--time", "1:00:00",
                            PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("submitted, as job 4711", ended.stderr)
        self.assertIn("collect runs/submitted", ended.stderr)


class Batch(unittest.TestCase):
    """Batch scripts with stand-ins for the launcher and for scontrol, which refuses to requeue and so ends the script."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        (self.folder / "a sweep.toml").write_text(SWEEP, encoding="utf-8")
        stand_in(self.folder / "bin/scontrol", f'echo "$*" >>{self.folder}/calls; exit 1')
        site = (program.ROOT / "jobs/site.sh").read_text(encoding="utf-8")
        (self.folder / "site.sh").write_text(f"{site}\nprogram={shlex.quote(str(program.program))}\n"
                                             f"launcher={self.folder}/bin/launcher\nlauncher_options=()\n"
                                             "requeue_patience=0\n",
                                             encoding="utf-8")

    def start(self, script: str, launcher: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        stand_in(self.folder / "bin/launcher", launcher)
        environment = {**program.environment(), "DIFFPHASE_SITE": str(self.folder / "site.sh"),
                       "DIFFPHASE_ROOT": str(program.ROOT), "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
                       "SLURM_JOB_ID": "7", **variables}
        return subprocess.run(["bash", str(program.ROOT / "jobs" / script), "a sweep.toml", *options], cwd=self.folder,
                              env=environment, capture_output=True, text=True, timeout=120, check=False)

    def requeues(self) -> list[str]:
        calls = self.folder / "calls"
        return calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []

    def test_a_launcher_that_fails_is_no_end(self) -> None:
        ended = self.start("sweep.sbatch", "exit 1")
        self.assertEqual((ended.returncode, self.requeues()), (1, ["requeue 7"]), ended.stderr)

    def test_the_signal_before_the_time_limit_does_not_end_the_requeue(self) -> None:
        stand_in(self.folder / "bin/scontrol", f'kill -USR1 $PPID; sleep 0.5; echo "$*" >>{self.folder}/calls; exit 1')
        ended = self.start("sweep.sbatch", "exit 75")
        self.assertEqual((ended.returncode, self.requeues()), (75, ["requeue 7"]), ended.stderr)
        self.assertIn("SLURM does not requeue this job", ended.stderr)

    def be_patient(self) -> None:
        with open(self.folder / "site.sh", "a", encoding="utf-8") as site:
            site.write("requeue_patience=60\nrequeue_pause=0.1\n")
        stand_in(self.folder / "bin/sleep", 'case $1 in 60) ;; *) exec /bin/sleep "$@" ;; esac')

    def test_a_controller_that_is_away_is_asked_again(self) -> None:
        self.be_patient()
        for error, answers in (("Unable to contact slurm controller (connect failure)", 3), ("Unexpected message received", 1)):
            (self.folder / "calls").unlink(missing_ok=True)
            stand_in(self.folder / "bin/scontrol", f'echo "$*" >>{self.folder}/calls; '
                     f'if [ "$(wc -l <{self.folder}/calls)" -le {answers} ]; then echo "{error}" >&2; exit 1; fi')
            ended = self.start("sweep.sbatch", "exit 75")
            self.assertEqual((ended.returncode, self.requeues()), (75, ["requeue 7"] * (answers + 1)), ended.stderr)
            self.assertIn("SLURM does not answer; asking again", ended.stderr)
            self.assertIn("requeued as 7", ended.stderr)

    def test_a_requeue_whose_answer_was_lost_is_one(self) -> None:
        self.be_patient()
        stand_in(self.folder / "bin/scontrol", f'if [ -e {self.folder}/calls ]; then echo "Job is pending execution for job 7"; '
                 f'else echo "Socket timed out on send/recv operation"; fi >&2; echo "$*" >>{self.folder}/calls; exit 1')
        ended = self.start("sweep.sbatch", "exit 75")
        self.assertEqual(self.requeues(), ["requeue 7"] * 2, ended.stderr)
        self.assertIn("requeued as 7", ended.stderr)

    def test_what_slurm_refuses_is_not_asked_again(self) -> None:
        self.be_patient()
        stand_in(self.folder / "bin/scontrol",
                 f'echo "$*" >>{self.folder}/calls; echo "Requested operation is presently disabled for job 7" >&2; exit 1')
        ended = self.start("sweep.sbatch", "exit 75")
        self.assertEqual(self.requeues(), ["requeue 7"], ended.stderr)
        self.assertIn("presently disabled", ended.stderr)
        self.assertIn("submit it again", ended.stderr)

    def test_links_in_the_folder_are_not_followed(self) -> None:
        folder = self.folder / "runs/submitted"
        folder.mkdir(parents=True)
        target = self.folder / "precious"
        target.write_text("7 2\n", encoding="utf-8")
        (folder / "starts-7").symlink_to(target)
        ended = self.start("sweep.sbatch", "exit 1")
        self.assertEqual(self.requeues(), ["requeue 7"], ended.stderr)
        self.assertEqual(target.read_text(encoding="utf-8"), "7 2\n")
        self.assertFalse((folder / "starts-7").is_symlink())
        self.assertEqual((folder / "starts-7").read_text(encoding="utf-8"), "7 1\n")
        self.assertEqual([name for name in os.listdir(folder) if name.startswith(".")], [])

    def test_fifos_in_the_folder_are_not_waited_for(self) -> None:
        folder = self.folder / "runs/submitted"
        (folder / "log").mkdir(parents=True)
        os.mkfifo(folder / "starts-7")
        os.mkfifo(folder / "log/now-1of1-host-1.jsonl")
        ended = self.start("sweep.sbatch", "exit 1")
        self.assertEqual(self.requeues(), ["requeue 7"], ended.stderr)

    def test_the_name_of_a_sweep_is_no_option_of_commands(self) -> None:
        for name, folder in (("-e evil", "runs/-e evil"), ("a %j", "runs/a %j")):
            (self.folder / "a sweep.toml").write_text(SWEEP.replace("submitted", name), encoding="utf-8")
            ended = self.start("sweep.sbatch", 'printf "%s\\n" "$@"; exit 75')
            self.assertIn(folder, ended.stdout.splitlines())
            self.assertTrue((self.folder / folder / "starts-7").is_file(), ended.stderr)
        ended = self.start("sweep.sbatch", 'printf "%s\\n" "$@"; exit 75', "-o", "-x")
        self.assertTrue((self.folder / "-x" / "starts-7").is_file(), ended.stderr)
        (self.folder / "a sweep.toml").write_text(SWEEP.replace("submitted", "a\\\\b"), encoding="utf-8")
        ended = self.start("sweep.sbatch", "exit 75")
        self.assertEqual(ended.returncode, 2)
        self.assertIn("say where results go, with -o DIR", ended.stderr)

    def test_a_launcher_that_always_fails_is_given_up(self) -> None:
        for start in (1, 2, 3):
            ended = self.start("sweep.sbatch", "exit 1")
            self.assertEqual("not requeued: 3 starts in a row" in ended.stderr, start == 3, ended.stderr)
        self.assertEqual(self.requeues(), ["requeue 7", "requeue 7"])

    def test_a_part_of_the_sweep_that_ends_with_failed_tasks_is_one(self) -> None:
        begin = "mkdir -p runs/submitted/journal; touch runs/submitted/journal/now-%s-host-1.journal; exit 1"
        for options, part in ((["--points", "0"], "1of1"), (["--shard", "2/3"], "2of3"), (["--shard=3/3"], "3of3")):
            ended = self.start("sweep.sbatch", begin % part, *options)
            self.assertEqual((ended.returncode, self.requeues()), (1, []), ended.stderr)

    def test_a_program_that_ends_with_failed_tasks_is_one(self) -> None:
        ended = self.start("sweep.sbatch", '"$@"; exit 1', "--stop-after", "1h")
        self.assertEqual((ended.returncode, self.requeues()), (1, []), ended.stderr)

    def test_bad_input_is_one(self) -> None:
        ended = self.start("sweep.sbatch", "exit 2")
        self.assertEqual((ended.returncode, self.requeues()), (2, []), ended.stderr)

    def test_an_element_of_an_array_counts_what_it_ended_itself(self) -> None:
        element = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_MAX": "2"}
        log = self.folder / "runs/submitted/log"
        line = """mkdir -p %s; echo '{"outcome": "done"}' >>%s/now-%s-host-1.jsonl; exit 75"""
        for start in (1, 2, 3):
            ended = self.start("array.sbatch", line % (log, log, "2of2"), **element)
            self.assertEqual("not requeued: 3 starts in a row" in ended.stderr, start == 3, ended.stderr)
        self.assertEqual(self.requeues(), ["requeue 7_1", "requeue 7_1"])
        ended = self.start("array.sbatch", line % (log, log, "1of2"), **element)
        self.assertEqual(self.requeues(), ["requeue 7_1"] * 3, ended.stderr)

    def test_the_folder_is_given_once(self) -> None:
        for options in (["-oelsewhere"], ["-o", "elsewhere"], ["--output=elsewhere"], []):
            ended = self.start("sweep.sbatch", 'printf "%s\\n" "$@"; exit 2', *options)
            given = [word for word in ended.stdout.splitlines() if word.startswith(("-o", "--output"))]
            self.assertEqual(len(given), 1, ended.stdout)


def stand_in(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


if __name__ == "__main__":
    program.main(workers=2)
