"""Nights on a cluster: the scripts of jobs/ on a real SLURM of two nodes, and everything that happens to jobs there.

    python3 tests/slurm/scenarios_test.py --program BUILD/drivers/diffphase [NAME...] [--list]

Every scenario ends with results that are identical to those of an undisturbed run. Without names, all of them run; the
exit code is 77 where SLURM cannot start.
"""

import argparse
import math
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
# pylint: disable=wrong-import-position
from cluster import CannotStart, Cluster, end_process, process_environment
from requirement import require, require_identical
from started_program import SKIPPED
import compare_results
import journals

ROOT = pathlib.Path(__file__).resolve().parents[2]
WATCHDOG = 240.0  # seconds that nothing here needs
STOP_TIME = 60.0  # promised

SITE = """
sbatch_options=(--partition=normal)
ranks_per_node=2
launcher={launcher}
launcher_options=({launcher_options})
idle_starts=3
program={program}
load_software() {{ :; }}
"""

# Attempts: more tasks are killed here in one night than elsewhere in a year.
SWEEP = """
name = "night"
seed = 11
realizations = {realizations}
[process]
kind = "ornstein-uhlenbeck"
time = {{ from = 0.05, to = 6.0, count = 32, spacing = "log" }}
[ensemble]
kind = "gaussian-mixture"
representation = "explicit"
dimension = [16, 32]
classes = {classes}
centroids = "orthogonal"
[dataset]
samples = [1000, 2000]
[measure]
speciation = {{ probes = 2048 }}
collapse = {{ probes = {probes} }}
[resources]
max_attempts = {max_attempts}
"""


def stops(log, signal_name):
    """How often the log says that a run stopped for this signal, by its name where rank 0 heard of it first."""
    return len(re.findall(rf"stopped \((signal {signal_name}|a signal to another rank)\)", log))


def wait_for(condition, what, timeout=WATCHDOG):
    end = time.monotonic() + timeout
    while not condition():
        require(time.monotonic() < end, f"not within {timeout:g} s: {what}")
        time.sleep(0.05)


class Night:
    """One scenario: a folder, a sweep file, the jobs that are submitted for it."""

    undisturbed_results = {}  # by the text of the sweep file

    def __init__(self, cluster, program, scratch, launcher="srun"):
        self.cluster = cluster
        self.program = program
        self.scratch = scratch
        self.folder = scratch / "run"
        self.sweep = scratch / "night.toml"
        self.values = {"realizations": 6, "classes": "[2, 4]", "probes": 3000, "max_attempts": 3}  # the default
        self.write()
        site = scratch / "site.sh"
        options = "--mpi=pmix" if launcher == "srun" else ""
        site.write_text(SITE.format(launcher=launcher, launcher_options=options, program=program), encoding="utf-8")
        self.environment = {**cluster.environment, "DIFFPHASE_SITE": str(site)}
        self.witness = journals.Witness(self.folder)
        self.released = set()

    def write(self, **values):
        self.values.update(values)
        self.sweep.write_text(SWEEP.format(**self.values), encoding="utf-8")

    def write_for(self, seconds):
        """As many realizations as keep one rank of this machine busy for so long, when nothing else does."""
        self.write(realizations=2)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        self.run_undisturbed(self.scratch / "rate")
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        self.write(realizations=math.ceil(2 * seconds / used))

    def cut_short(self, job):
        """Ends a job and computes what is left of fewer realizations, on all nodes."""
        self.command("scancel", job)
        wait_for(lambda: self.state(job) == "CANCELLED" and not self.ranks(job), f"job {job} ends")
        self.write(realizations=6)
        rest, = self.submit("--nodes", 2)
        self.wait_end(rest)

    def command(self, *command, expect=0):
        ended = subprocess.run([str(part) for part in command], cwd=self.scratch, env=self.environment, text=True,
                               capture_output=True, timeout=WATCHDOG, check=False)
        require(ended.returncode == expect,
                f"{command}: exit code {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
        return ended.stdout

    def submit(self, *options):
        """Submits with jobs/submit.sh; returns the job numbers."""
        out = self.command("bash", ROOT / "jobs/submit.sh", self.sweep, "-o", self.folder, "--time", "10", *options)
        numbers = re.search(r"^  squeue -j ([\d,]+)$", out, re.MULTILINE)
        require(numbers, f"no job numbers in\n{out}")
        return numbers.group(1).split(",")

    def state(self, job):
        return self.cluster.job(job).get("JobState", "")

    def restarts(self, job):
        return int(self.cluster.job(job).get("Restarts", 0))

    def log(self):
        return "\n".join(path.read_text(encoding="utf-8", errors="replace")
                         for path in sorted((self.folder / "log").glob("slurm-*.log")))

    def finished(self):
        wrong = self.witness.look()
        require(not wrong, "\n".join(wrong[:5]))
        return len(self.witness.finished)

    def look_at(self, job):
        """The state of a job; where it waits for two minutes after a requeue, these are cut short. Not to nothing: SLURM
        refuses a job in the second in which it ended the last start of it."""
        fields = self.cluster.job(job)
        start = (job, fields.get("Restarts"))
        if fields.get("JobState") == "PENDING" and fields.get("Reason") == "BeginTime" and start not in self.released:
            self.released.add(start)
            self.cluster.ask("scontrol", "update", f"JobId={job}", "StartTime=now+2")
        return fields.get("JobState", "")

    def wait_running(self, job):
        """Until a job runs; where it waits after a requeue, it starts soon."""
        def runs():
            state = self.look_at(job)
            require(state in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED"),
                    f"job {job} is {state}\n{self.log()}")
            return state == "RUNNING"
        wait_for(runs, f"job {job} runs")

    def wait_progress(self, job):
        """Until a task was finished after now, in a job that runs."""
        self.wait_running(job)
        before = self.finished()
        wait_for(lambda: self.finished() > before or self.state(job) != "RUNNING", f"job {job} finishes a task")
        require(self.state(job) == "RUNNING", f"job {job} is {self.state(job)}, too early\n{self.log()}")

    def wait_requeued(self, job, restarts, timeout=STOP_TIME):
        wait_for(lambda: self.restarts(job) > restarts, f"job {job} is requeued\n{self.log()}", timeout)

    def wait_end(self, job, expect="COMPLETED"):
        """Until a job has ended, through all requeues."""
        def ended():
            return self.look_at(job) in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        wait_for(ended, f"job {job} ends")
        state = self.state(job)
        require(state == expect, f"job {job} is {state}, not {expect}\n{self.log()}")

    def signal_batch(self, job):
        """As SLURM does before the time limit."""
        self.command("scancel", "--batch", "--signal=USR1", job)

    def ranks(self, job):
        """Process of every rank of a job."""
        found = {}
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            values = process_environment(path.name)
            if values.get("SLURM_CONF") != self.environment["SLURM_CONF"] or values.get("SLURM_JOB_ID") != str(job):
                continue
            try:
                if os.path.samefile(path / "exe", self.program) and "SLURM_PROCID" in values:
                    found[int(values["SLURM_PROCID"])] = int(path.name)
            except OSError:
                pass
        return found

    def undisturbed(self):
        """Results of the same sweep that nothing happens to, on one rank outside of SLURM; computed once."""
        text = self.sweep.read_text(encoding="utf-8")
        if text not in Night.undisturbed_results:
            fresh = self.scratch / "undisturbed"
            self.run_undisturbed(fresh)
            Night.undisturbed_results[text] = fresh / "results.h5"
        return Night.undisturbed_results[text]

    def run_undisturbed(self, folder):
        subprocess.run([self.program, "run", self.sweep, "-o", folder, "-q"], cwd=self.scratch, check=True,
                       stdout=subprocess.DEVNULL, timeout=10 * WATCHDOG)

    def require_identical(self):
        self.finished()
        require_identical(self.folder / "results.h5", self.undisturbed(), "not the results of an undisturbed run")
        statuses = compare_results.Results(self.folder / "results.h5").values("task_status")
        require((statuses == 1).all(), f"task_status {statuses}")


def early_signal(night):
    """The signal before the time limit, three times: the job stops, requeues itself and goes on, until all is done."""
    job, = night.submit("--nodes", 2)
    for restarts in range(3):
        night.wait_progress(job)
        night.signal_batch(job)
        night.wait_requeued(job, restarts)
    night.wait_end(job)
    log = night.log()
    require(stops(log, "SIGUSR1") == 3, log)
    require(log.count("diffphase: complete") == 1, log)


def status(night, environment):
    """What `status` says of the run, from outside of its jobs."""
    return subprocess.run([night.program, "status", night.folder], env=environment, text=True, capture_output=True,
                          timeout=WATCHDOG, check=False).stdout


def array(night):
    """Four shards, one of which is stopped and requeued; `status --watch` from outside; a job that collects."""
    night.write_for(8.0)  # shards are at work together while the status is read more than once
    jobs = night.submit("--array", 4)
    number, collect = jobs
    first = f"{number}_1"
    wait_for(lambda: night.state(first) == "RUNNING", "the first shard runs")
    wait_for((night.folder / "sweep.toml").exists, "a shard has begun")
    login = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "OMPI", "PMIX"))}
    with open(night.scratch / "watch.txt", "w+", encoding="utf-8") as output, subprocess.Popen(
            [night.program, "status", night.folder, "--watch"], env=login, stdout=output, stderr=output) as watch:
        try:
            wait_for(lambda: status(night, login).count("at work: process") > 1, "two shards are at work at once")
            wait_for(lambda: any("-1of4-" in record.place[0] for record in journals.records(night.folder)),
                     "the first shard has begun a task")
            night.signal_batch(first)
            night.wait_requeued(first, 0)
            for shard in range(1, 5):
                night.wait_end(f"{number}_{shard}")
            night.wait_end(collect)
            watch.wait(WATCHDOG)
        finally:
            watch.kill()
        require(watch.returncode == 0, f"status --watch: exit code {watch.returncode}")
        output.seek(0)
        reports = output.read().split("Sweep night in ")[1:]
    require(len(reports) > 1 and " 0 %" not in reports[-1] and "(100 %)" in reports[-1], "\n".join(reports))
    require(len(list((night.folder / "journal").glob("*-3of4-*"))) == 1, "journals of the third shard")
    log = night.log()
    require(stops(log, "SIGUSR1") > 0 and "tasks collected into" in log, log)


def second_start(night):
    """A second job on the same folder refuses and names the first, which is cancelled in the middle, and submitted
    again on other nodes and ranks."""
    night.write(realizations=18)  # the first must still run when SLURM begins the second
    first, = night.submit("--nodes", 2)
    night.wait_progress(first)
    second, = night.submit("--nodes", 1, "--ranks-per-node", 1)
    night.wait_end(second, "FAILED")
    require(night.cluster.job(second)["ExitCode"] == "2:0", f"{night.cluster.job(second)}")
    require(f"(SLURM job {first})" in night.log(), night.log())
    night.wait_progress(first)
    night.command("scancel", first)
    night.wait_end(first, "CANCELLED")
    wait_for(lambda: not night.ranks(first), "the ranks have gone")
    require(night.restarts(first) == 0, "a cancelled job is not requeued")
    before = night.finished()
    third, = night.submit("--nodes", 1, "--ranks-per-node", 3)
    night.wait_end(third)
    require(night.finished() > before > 0, "both jobs have finished tasks")


def time_limit(night):
    """SLURM's own time limit and early signal, on one rank: three requeues."""
    night.write_for(150.0)
    job, = night.submit("--ranks-per-node", 1, "--time", 1)
    for restarts in range(3):
        night.wait_running(job)
        night.wait_requeued(job, restarts, timeout=120.0)
    night.wait_running(job)
    night.cut_short(job)
    log = night.log()
    require(log.count("stopped (") >= 3 and "DUE TO TIME LIMIT" not in log, log)


def deadline(night):
    """--stop-after auto without an early signal (SIGURG changes nothing): the run ends by itself before the time is up."""
    night.write_for(100.0)
    (night.folder / "log").mkdir(parents=True)
    night.environment["DIFFPHASE_ROOT"] = str(ROOT)
    out = night.command("sbatch", "--parsable", "--time=1", "--signal=B:URG@1", "--ntasks=1",
                        f"--output={night.folder}/log/slurm-%j.log", ROOT / "jobs/sweep.sbatch", night.sweep,
                        "-o", night.folder)
    job = out.strip()
    night.wait_running(job)
    night.wait_requeued(job, 0, timeout=120.0)
    night.cut_short(job)
    log = night.log()
    require("time limit" in log and "DUE TO TIME LIMIT" not in log and "SIGUSR1" not in log, log)


def requeued_by_administrator(night):
    """`scontrol requeue` while the job runs."""
    job, = night.submit("--nodes", 2)
    night.wait_progress(job)
    night.command("scontrol", "requeue", job)
    night.wait_progress(job)
    require(night.restarts(job) == 1, "one restart")
    night.wait_end(job)


def killed_ranks(night):
    """SIGKILL of the last rank, of rank 0, of all: the job requeues itself and goes on."""
    job, = night.submit("--nodes", 2)
    for restarts, choose in enumerate((lambda ranks: [max(ranks)], lambda ranks: [0], list)):
        night.wait_progress(job)
        ranks = night.ranks(job)
        require(len(ranks) == 4, f"ranks {ranks}")
        for rank in choose(ranks):
            end_process(ranks[rank], signal.SIGKILL)
        night.wait_requeued(job, restarts)
    night.wait_end(job)


def crashing_task(night):
    """A task that ends its rank every time: it is given up after two attempts, the rest is done; then, mended, it is
    tried again."""
    night.write(max_attempts=2)
    culprit = []
    killed = set()
    over = threading.Event()

    def kill_at_begin(job):
        while not over.wait(0.01):
            for record in journals.records(night.folder):
                if record.kind != journals.BEGIN:
                    continue
                culprit[:] = culprit or [record.identity]
                if record.identity != culprit[0] or record.place in killed:
                    continue
                pid = night.ranks(job).get(record.leader)
                if pid is not None:
                    end_process(pid, signal.SIGKILL)
                    killed.add(record.place)

    job, = night.submit("--nodes", 2)
    crasher = threading.Thread(target=kill_at_begin, args=(job,))
    crasher.start()
    try:
        night.wait_end(job, "FAILED")
    finally:
        over.set()
        crasher.join()
    log = night.log()
    require(len(killed) == 2 and night.restarts(job) == 2, f"killed {killed}\n{log}")
    require(night.cluster.job(job)["ExitCode"] == "1:0" and "ended the program" in log, log)
    again, = night.submit("--nodes", 2, "--", "--retry-failed")
    night.wait_end(again)


def extended(night):
    """The sweep file is extended between jobs: only what is new is computed."""
    job, = night.submit("--nodes", 2)
    night.wait_end(job)
    before = night.finished()
    night.write(realizations=8, classes="[2, 4, 8]")
    job, = night.submit("--nodes", 1)
    night.wait_end(job)
    require(night.finished() == 2 * before, f"{before} and then {night.finished()} finished")  # 8 x 3 and 6 x 2


def preempted(night):
    """A more urgent job takes the nodes: SIGTERM, a requeue by SLURM, and the run goes on later."""
    job, = night.submit("--nodes", 2)
    night.wait_progress(job)
    urgent = night.command("sbatch", "--parsable", "--partition=urgent", "--nodes=2", "--ntasks-per-node=4",
                           "--output=/dev/null", "--wrap", "sleep 1").strip()
    night.wait_end(urgent)
    night.wait_progress(job)
    require(night.restarts(job) == 1 and stops(night.log(), "SIGTERM") > 0, night.log())
    night.wait_end(job)


def by_mpirun(night):
    """With mpirun in place of srun: the early signal, a requeue, and a cancelled job that loses nothing."""
    job, = night.submit("--nodes", 1)
    night.wait_progress(job)
    night.signal_batch(job)
    night.wait_requeued(job, 0)
    night.wait_progress(job)
    night.command("scancel", job)
    night.wait_end(job, "CANCELLED")
    require(stops(night.log(), "SIGUSR1") > 0, night.log())
    again, = night.submit("--nodes", 1, "--ranks-per-node", 3)
    night.wait_end(again)


def no_progress(night):
    """Starts that finish nothing: the job gives up. A stop file ends a job that is not requeued."""
    job, = night.submit("--nodes", 1, "--", "--stop-after", "0s")
    night.wait_end(job, "FAILED")
    require(night.restarts(job) == 2, f"{night.restarts(job)} restarts")
    require("not requeued: 3 starts in a row" in night.log(), night.log())
    job, = night.submit("--nodes", 1)
    night.wait_progress(job)
    (night.folder / "stop").touch()
    night.wait_end(job, "FAILED")
    require(night.restarts(job) == 0 and "stop; not requeued" in night.log(), night.log())
    job, = night.submit("--nodes", 1)
    night.wait_end(job)


def without_pmi(night):
    """srun without PMI starts four programs that do not find each other: whether MPI ends them or they refuse, the log has the
    remedy, and the folder stays as it was."""
    site = pathlib.Path(night.environment["DIFFPHASE_SITE"])
    text = site.read_text(encoding="utf-8")
    site.write_text(text.replace("--mpi=pmix", "--mpi=none"), encoding="utf-8")
    job, = night.submit("--nodes", 2)
    night.wait_end(job, "FAILED")
    log = night.log()
    require("SLURM started 4 tasks" in log and "srun --mpi=pmix" in log, log)
    require(not (night.folder / "journal").exists(), "somebody has begun")
    site.write_text(text, encoding="utf-8")
    job, = night.submit("--nodes", 2)
    night.wait_end(job)


def controller_away(night):
    """slurmctld does not answer at the moment of the requeue, in a folder whose name SLURM would change: it is asked again."""
    night.folder = night.scratch / "run %j of 100%%"
    night.witness = journals.Witness(night.folder)
    night.write_for(8.0)
    job, = night.submit("--nodes", 2)
    night.wait_progress(job)
    controller = night.cluster.daemons[0]
    controller.send_signal(signal.SIGSTOP)
    try:
        end_process(night.ranks(job)[0], signal.SIGUSR1)
        wait_for(lambda: "asking again" in night.log(), f"the controller is missed\n{night.log()}")
    finally:
        controller.send_signal(signal.SIGCONT)
    night.wait_requeued(job, 0, timeout=WATCHDOG)
    night.wait_end(job)


SCENARIOS = {function.__name__: function for function in (
    early_signal, array, second_start, time_limit, deadline, requeued_by_administrator, killed_ranks, crashing_task,
    extended, preempted, by_mpirun, no_progress, without_pmi, controller_away)}


def run_scenario(cluster, program, scratch, name):
    """Whether a scenario went well."""
    folder = scratch / name
    folder.mkdir()
    night = Night(cluster, program, folder, "mpirun" if name == "by_mpirun" else "srun")
    start = time.monotonic()
    try:
        SCENARIOS[name](night)
        night.require_identical()
        problem = ""
    except (AssertionError, subprocess.SubprocessError, OSError) as error:
        problem = str(error)
    print(f"{name}: {problem or 'ok'} ({time.monotonic() - start:.1f} s)", flush=True)
    if problem:
        print(cluster.ask("squeue"), cluster.logs(), night.log(), sep="\n", flush=True)
        for job in cluster.jobs():
            cluster.ask("scancel", job)
        wait_for(lambda: not cluster.jobs(), "jobs end")
    return not problem


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=pathlib.Path, default="diffphase", help="the built diffphase")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--timeout", type=int, default=0, help="end, and stop what was started, after so many seconds")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    options = parser.parse_args()
    if unknown := set(options.names) - set(SCENARIOS):
        parser.error(f"no scenario {', '.join(sorted(unknown))}; --list has them")
    if options.list:
        print("\n".join(f"{name:<26} {' '.join(function.__doc__.split())}" for name, function in SCENARIOS.items()))
        return 0
    # A test that is told to end still stops what it started.
    for told in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(told, lambda *_: sys.exit("told to end, or out of time"))
    signal.alarm(options.timeout)
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as scratch:
        scratch = pathlib.Path(scratch)
        try:
            with Cluster(scratch / "cluster") as cluster:
                (scratch / "nights").mkdir()
                done = [run_scenario(cluster, options.program.resolve(), scratch / "nights", name)
                        for name in options.names or SCENARIOS]
        except CannotStart as reason:
            print(f"skipped: {reason}")
            return SKIPPED
    print(f"{len(done)} scenarios, {done.count(False)} failed")
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
