"""Writes the seed corpora of the fuzz targets: one folder per target below FOLDER.

    python3 tests/fuzz/seeds.py FOLDER

The formats are spelled out here, independently of the program that reads them.
"""

import gzip
import io
import pathlib
import struct
import sys
import zipfile
import zlib

SOURCE = pathlib.Path(__file__).resolve().parents[2]

BEGIN, DONE, FAILED, ABANDONED = 1, 2, 3, 4


def word(value):
    return struct.pack("<Q", value)


def real(value):
    return struct.pack("<d", value)


def text(value):
    return word(len(value)) + value.encode()


def reals(values):
    return word(len(values)) + b"".join(map(real, values))


def identity(number):
    return word(number) + word(1000 + number)


def header(sweep="name = \"x\"\n", seed=1):
    return word(0x0102030405060708) + word(1) + word(seed) + word(1) + text("0.1.0") + text(sweep)


def header_with_data(files=1):
    """Of the second layout: path, size, time and hash of each data file, and what was seen in them."""
    seen = b"".join(text(f"/data/{i}.npy") + word(100 + i) + real(1.7e9) + word(i) + word(2 * i) for i in range(files))
    return (word(0x0102030405060708) + word(2) + word(1) + word(1) + text("0.1.0") + text("name = \"x\"\n")
            + word(files) + seen + text("summary"))


def begin(task, leader=0):
    return word(BEGIN) + identity(task) + word(1) + word(2) + word(leader) + real(1.7e9)


def done(task, counts=(), warnings=()):
    variables = [text("a") + word(1) + reals([0.5] * len(counts)), text("b") + word(0) + reals([1.0, 2.0])]
    return (word(DONE) + identity(task) + word(len(counts)) + b"".join(map(word, counts)) + word(1)
            + word(len(variables)) + b"".join(variables)
            + word(len(warnings)) + b"".join(map(text, warnings)) + real(1.5) + word(2))


def failed(task):
    return word(FAILED) + identity(task) + text("out of memory") + real(0.5) + word(2)


def abandoned(task):
    return word(ABANDONED) + identity(task)


def wide(task, count, name):
    """As many sample counts as variables, which have no values or long names."""
    per_sample = [0.5] * count if name else []
    variables = [text(name or str(i)) + word(1) + reals(per_sample) for i in range(1 if name else count)]
    return (word(DONE) + identity(task) + word(count) + b"".join(map(word, range(count))) + word(0)
            + word(len(variables)) + b"".join(variables) + word(0) + real(0.5) + word(1))


HISTORIES = [
    [header()],
    [header(), begin(1), done(1, (1, 2), ("few probes",)), begin(2), failed(2), begin(2), abandoned(2)],
    [header(), begin(1), begin(2, 1), begin(3), done(2), begin(4, 1), done(1, (1000,))],
    [header(seed=2), begin(1), begin(1), begin(1)],
    [header_with_data(), begin(1), done(1, (1, 2)), begin(2)],
    [header_with_data(3), begin(1)],
    [header(), wide(1, 40, ""), wide(2, 20, 200 * "x"), wide(3, 20, 300 * "x")],
]


def framed(payload):
    length = struct.pack("<I", len(payload))
    return length + struct.pack("<I", zlib.crc32(length + payload)) + payload


def journal_bytes():
    for history in HISTORIES:
        first = b"".join(map(framed, history))
        yield bytes([255]) + struct.pack("<H", len(first)) + first
        second = b"".join(map(framed, HISTORIES[0][:1] + history[1:]))
        yield bytes([130]) + struct.pack("<H", len(first)) + first + second
        yield bytes([90]) + struct.pack("<H", len(first) - 3) + first[:-3]


def journal_records():
    for history in HISTORIES:
        for other in HISTORIES:
            entries = [(0, payload) for payload in history] + [(1, payload) for payload in other]
            yield bytes([128]) + b"".join(bytes([journal]) + struct.pack("<H", len(payload)) + payload
                                          for journal, payload in entries)


def idx(code, shape, numbers):
    return bytes([0, 0, code, len(shape)]) + b"".join(struct.pack(">I", n) for n in shape) + numbers


def npy(dtype, shape, numbers, version=1, fortran=False, fields=None):
    fields = fields or f"{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version == 1 else "<I", len(fields))
    return b"\x93NUMPY" + bytes([version, 0]) + length + fields + numbers


def npz(members, method):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, contents in members.items():
            # As numpy writes them: the sizes of the local header in an extra field of 64 bits.
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with archive.open(info, "w", force_zip64=True) as member:
                member.write(contents)
    return out.getvalue()


def dataset():
    pixels = bytes(range(48))
    labels = idx(8, [3], bytes([1, 0, 1]))
    arrays = [idx(8, [3, 4, 4], pixels), idx(13, [3, 2], struct.pack(">6f", *range(6))),
              idx(14, [1, 1], struct.pack(">d", 0.5)), npy("|u1", (3, 16), pixels),
              npy("<f8", (3, 2), struct.pack("<6d", 0, .1, .2, .3, .4, 1)), npy("<f4", (3,), bytes(12), version=2),
              npy("<f2", (3, 2), struct.pack("<6e", 0, .1, .2, .3, .4, 1)), npy(">i2", (3, 2), bytes(12), version=3),
              npy("=u4", (3, 2, 2), bytes(48), fortran=True), npy("|b1", (3, 2), b"\0\1\1\0\1\1", fortran=True),
              npy("", (), bytes(48), fields=b'{"shape": (3L, 2L), "descr": u\'<f8\', "fortran_order": False}\n')]
    arrays += [npz({"x.npy": array}, method) for array in arrays[3:9:2] for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]
    arrays += [npz({"x.npy": arrays[3], "y.npy": labels}, zipfile.ZIP_DEFLATED), npz({}, zipfile.ZIP_STORED)]
    others = [labels, npy("<i8", (3,), struct.pack("<3q", 5, 6, 5)), npy("<i4", (3, 1), struct.pack("<3i", -1, 0, 7)),
              gzip.compress(labels, mtime=0)]
    for array in arrays:
        for plain in (array, gzip.compress(array, mtime=0)):
            size = struct.pack("<H", len(plain))
            yield bytes([0, 0, 0]) + size + plain
            yield bytes([0, 0, 3]) + size + plain
            yield bytes([0x31, 0, 0]) + size + plain
            for options, classes, other in zip((4, 0x0e, 0x1c, 0x64), (0, 3, 0, 2), others):
                yield bytes([options, classes, 0]) + size + plain + other


def lock_file():
    yield b"\1host=a\npid=1\nprocess_start=1\nslurm_job=7\nsince=1e300\nheartbeat=nan\n"
    for host, job, heartbeat in (("node-1", "", 1e9), ("node-2", "7", 999999500.5), ("node-2", "8", 1e9), ("", "", 5)):
        yield b"\1" + (f"host={host}\npid=4711\nprocess_start=123\nslurm_job={job}\n"
                       f"since={heartbeat - 100:.3f}\nheartbeat={heartbeat:.3f}\n").encode()
    for boot, job, restarts in (("boot-1", "7", 0), ("boot-1", "", 0), ("boot-2", "7", 0), ("boot-2", "8", 12)):
        yield b"\0" + (f"host=node-1\nboot={boot}\npid_namespace=1\npid=1\nprocess_start=1\nuser=0\nslurm_cluster=here\n"
                       f"slurm_job={job}\nslurm_restarts={restarts}\nsince=999999000.000\nbeats=0000000012\n"
                       f"heartbeat=999999990.000\n").encode()


def attempt_log():
    for message in ("out of memory", "\"quoted\" \\ \n\r\t\0\x7f", "sigma = \u03c3, \u2265 0, \U0001f642", "\ud7ff\ue000"):
        yield message.encode()
    yield bytes(range(256))
    yield b"\xed\xa0\x80 \xc0\x80 \xf4\x90\x80\x80 \xe2\x82"


def sweep_file():
    sweeps = [path.read_text() for path in sorted((SOURCE / "jobs").glob("*.toml"))]
    short = "name = \"s\"\n[process]\nkind = \"variance-exploding\"\ntime = [0.5, 1.0]\n[ensemble]\n"
    sweeps += [
        short + "kind = \"gaussian-mixture\"\ndimension = [2, 4]\n[dataset]\nsamples = [10, \"exp(0.3*d)\"]\n"
                "[measure]\ncollapse = { probes = 4, score = \"exact\", times = [1, 2.5] }\n"
                "[resources]\nmemory_per_rank = \"1.5 GiB\"\nranks_per_task = \"auto\"\n",
        short + "kind = \"linear-manifold\"\ndimension = 8\nblocks = [[{ size = 2, sigma = 1.0 }], "
                "[{ size = 1, sigma = 2 }]]\n[measure.gap]\nthreshold = 0.25\n",
        short + "kind = \"gaussian-mixture\"\nweights = [0.5, 0.5]\n[[zip]]\nname = \"both\"\n"
                "ensemble.dimension = [2, 3]\nensemble.classes = [2, 2]\n[[point]]\nensemble.sigma = 2\n"
                "[measure]\nspeciation = {}\n",
        short + "kind = \"file\"\n[dataset]\nfile = \"../data/x.npy\"\nlabels = 'y.gz'\nselect_classes = [1, 8]\n"
                "scaling = \"[0,1]\"\n[measure]\ncollapse = {}\n",
        "\ufeff" + short + "kind = \"file\"\n[dataset]\nfile = \"x.npy\"\n[measure]\ncollapse = {}\n",
        "--set name=a\x01b\r\x7fc\n" + short + "dimension = 4\n[measure]\ncollapse = {}\n",
        short + "a" + " . 'b'.1.\"=\"" * 40 + " = 1\n[measure]\ncollapse = {}\n",
        "--set name=other\n--set ensemble.sigma=[0.5, 1]\n--set dataset.file=here.npy\n"
        "--set measure.gap={ threshold = 1e-2 }\n" + short + "dimension = 4\nsigma = 1\n[measure]\ncollapse = {}\n",
    ]
    for sweep in sweeps:
        yield sweep.encode()


TARGETS = (attempt_log, dataset, journal_bytes, journal_records, lock_file, sweep_file)


def main(folder):
    for target in TARGETS:
        corpus = pathlib.Path(folder) / f"{target.__name__}_fuzz"
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(target()):
            (corpus / f"{number:03d}").write_bytes(seed)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
