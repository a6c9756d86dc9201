"""A SLURM of two nodes on this machine, without munge, cgroups, systemd or a database; for tests only.

It trusts everybody (auth/none). Its daemons end when the process that started it ends, however that happens; the steps of
jobs, when that is told to end.
"""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

NODES = ("n1", "n2")
PR_SET_PDEATHSIG = 1

# Spool and TmpFS by node: both nodes are this host, and would find each other's files.
CONFIGURATION = """
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
MpiDefault=pmix
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdSpoolDir={folder}/spool_%n
TmpFS={folder}/tmp_%n
SlurmdPidFile={folder}/slurmd_%n.pid
SlurmdLogFile={folder}/log/slurmd_%n.log
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
JobRequeue=1
MinJobAge=3600
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cpus} RealMemory=8000
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} CPUs={cpus} RealMemory=8000
PartitionName=normal Nodes=n1,n2 Default=YES DefMemPerCPU=100 PriorityTier=1 PreemptMode=REQUEUE GraceTime=20
PartitionName=urgent Nodes=n1,n2 DefMemPerCPU=100 PriorityTier=9 PreemptMode=OFF
"""


class CannotStart(Exception):
    """SLURM is not installed, or does not start here."""


def die_with_parent():
    """In a child, before it becomes another program: SIGTERM when the parent is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def process_environment(pid):
    """Environment variables of a process; none where it is gone or somebody else's."""
    try:
        entries = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    return dict(entry.decode(errors="replace").split("=", 1) for entry in entries if b"=" in entry)


def end_process(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Cluster:
    """Use it in a `with` statement; raises CannotStart on entering."""

    def __init__(self, folder, cpus=4):
        self.folder = pathlib.Path(folder)
        self.cpus = cpus
        self.daemons = []
        values = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))}
        values.update(SLURM_CONF=str(self.folder / "slurm.conf"), PATH=f"{values.get('PATH', '')}:/usr/sbin",
                      # The nodes share one host, and shared memory between them is not what MPI takes it for.
                      OMPI_MCA_btl="self,tcp", OMPI_MCA_mpi_yield_when_idle="1",
                      OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_ALLOW_RUN_AS_ROOT="1",
                      OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
        self.environment = values

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def program(self, name):
        path = shutil.which(name, path=self.environment["PATH"])
        if path is None:
            raise CannotStart(f"{name} is not installed (Debian: slurm-wlm)")
        return path

    def start(self):
        for folder in ("state", "log", *(f"spool_{n}" for n in NODES), *(f"tmp_{n}" for n in NODES)):
            (self.folder / folder).mkdir(parents=True)
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(folder=self.folder, user=user, ports=free_ports(3), cpus=self.cpus), encoding="utf-8")
        for name in ("sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo"):
            self.program(name)
        self.start_daemon([self.program("slurmctld"), "-D"], "slurmctld")
        for node in NODES:
            self.start_daemon([self.program("slurmd"), "-D", "-N", node], node)
        end = time.monotonic() + 30
        while self.ask("sinfo", "--noheader", "--format=%t %D").splitlines()[:1] != ["idle 2"]:
            gone = [daemon.args[0] for daemon in self.daemons if daemon.poll() is not None]
            if gone or time.monotonic() > end:
                raise CannotStart(f"{', '.join(gone) or 'the nodes'} did not start:\n{self.logs(lines=5)}")
            time.sleep(0.1)

    def start_daemon(self, command, name):
        with open(self.folder / "log" / f"{name}.out", "wb") as log:
            self.daemons.append(subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=die_with_parent))

    def stop(self):
        """Ends all jobs, then the daemons, then what is still there of this cluster, by process number."""
        if self.daemons and all(daemon.poll() is None for daemon in self.daemons):
            self.ask("scancel", "--signal=KILL", "--full", *self.jobs(), timeout=10)
            self.ask("scancel", *self.jobs(), timeout=10)
            end = time.monotonic() + 10
            while self.leftovers() and time.monotonic() < end:
                time.sleep(0.1)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for daemon in reversed(self.daemons):
                if daemon.poll() is None:
                    daemon.send_signal(number)
                    try:
                        daemon.wait(5)
                    except subprocess.TimeoutExpired:
                        pass
        for pid in self.leftovers():
            end_process(pid, signal.SIGKILL)
        self.daemons = []

    def leftovers(self):
        """Processes of this cluster's jobs, their keepers included."""
        daemons = {daemon.pid for daemon in self.daemons}
        mine = self.environment["SLURM_CONF"]
        return [int(path.name) for path in pathlib.Path("/proc").glob("[0-9]*")
                if int(path.name) not in daemons | {os.getpid()}
                and process_environment(path.name).get("SLURM_CONF") == mine]

    def ask(self, *command, timeout=30):
        """What a command of SLURM prints; empty if it fails."""
        try:
            return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=timeout,
                                  check=False).stdout.strip()
        except subprocess.TimeoutExpired:
            return ""

    def jobs(self):
        return self.ask("squeue", "--noheader", "--format=%i").split()

    def job(self, number):
        """The fields that scontrol shows of a job, or of one element of an array."""
        text = self.ask("scontrol", "show", "job", "--oneliner", str(number)).splitlines()
        return dict(re.findall(r"(\w+)=(\S*)", text[0])) if text else {}

    def logs(self, lines=20):
        texts = []
        for path in sorted((self.folder / "log").glob("*")):
            last = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
            texts.append("\n".join([f"-- {path.name}", *last]))
        return "\n".join(texts)
