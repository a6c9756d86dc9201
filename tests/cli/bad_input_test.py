"""Bad input ends with exit code 2, one message that names the culprit, and nothing written.

    python3 tests/cli/bad_input_test.py --program BUILD/drivers/diffphase [BadInput.test_unknown_key]
"""

from __future__ import annotations

import gzip
import os
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np

import program

MIXTURE = """name = "bad-input"
[process]
kind = "ornstein-uhlenbeck"
time = { from = 0.1, to = 3.0, count = 6, spacing = "log" }
[ensemble]
kind = "gaussian-mixture"
dimension = 16
classes = 2
centroids = "opposite"
[dataset]
samples = 50
[measure]
speciation = { probes = 8 }
collapse = { probes = 8 }
"""

DATA = """name = "bad-input"
[process]
kind = "ornstein-uhlenbeck"
time = { from = 0.1, to = 3.0, count = 6, spacing = "log" }
[ensemble]
kind = "file"
[dataset]
file = "data"
[measure]
collapse = { probes = 8 }
"""

MANIFOLD = """name = "bad-input"
[process]
kind = "variance-exploding"
time = { from = 0.01, to = 3.0, count = 6, spacing = "log" }
[ensemble]
kind = "linear-manifold"
dimension = 16
blocks = [{ size = 3, sigma = 1.0 }, { size = 5, sigma = 0.1 }]
[dataset]
samples = 50
[measure]
collapse = { probes = 8 }
"""

LABELLED = DATA.replace('file = "data"\n', 'file = "data"\nlabels = "labels"\n')


def edited(old: str, new: str, text: str = MIXTURE) -> str:
    """The text with one line changed."""
    assert text.count(old) == 1, (old, text)
    return text.replace(old, new)


def line_of(text: str, piece: str) -> int:
    return text[:text.index(piece)].count("\n") + 1


class BadInput(unittest.TestCase):
    longMessage = True

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix="bad_input_")
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def write(self, name: str, contents: bytes) -> None:
        (self.folder / name).write_bytes(contents)

    def refused(self, *pieces: str, sweep: str | bytes | None = MIXTURE, arguments: list[str] | None = None,
                file: str = "sweep.toml", output: str = "out", at_once: bool = True) -> None:
        """Runs the sweep on 1 and on 2 ranks, both at once; every piece must be in the one message of each."""
        if sweep is not None:
            self.write("sweep.toml", sweep if isinstance(sweep, bytes) else sweep.encode())
        before = program.tree_state(self.folder)
        command = ["run", file, "-o", output, *(arguments or [])]
        with ThreadPoolExecutor(2 if at_once else 1) as pool:
            outcomes = list(pool.map(lambda ranks: program.diffphase(command, self.folder, ranks), (1, 2)))
        for ranks, outcome in enumerate(outcomes, start=1):
            with self.subTest(ranks=ranks):
                self.check_message(outcome, *pieces)
        self.assertEqual(program.tree_state(self.folder), before, "something was written")

    def check_message(self, outcome: program.Outcome, *pieces: str) -> None:
        if os.environ.get("SHOW_MESSAGES"):
            print(f"{self._testMethodName}: {outcome.errors}")
        self.assertEqual(outcome.code, 2, outcome.errors)
        self.assertEqual(outcome.output, "")
        self.assertEqual(len(outcome.errors.splitlines()), 1, outcome.errors)
        self.assertRegex(outcome.errors, r"^(\[\d\d:\d\d:\d\d\] |diffphase: )error: ")
        for piece in pieces:
            self.assertIn(piece, outcome.errors)

    def refused_at(self, old: str, new: str, *pieces: str, text: str = MIXTURE) -> None:
        """The same for a sweep with one line changed, which the message must name."""
        sweep = edited(old, new, text)
        self.refused(f"sweep.toml, line {line_of(sweep, new)}:", *pieces, sweep=sweep)

    # The sweep file's keys and values.

    def test_unknown_key(self) -> None:
        self.refused_at("dimension = 16", "dimensoin = 16", "ensemble.dimensoin", '"dimension"')

    def test_unknown_key_at_the_top(self) -> None:
        self.refused("sweep.toml, line 1:", "realisations = 3", '"realizations"', sweep="realisations = 3\n" + MIXTURE)

    def test_unknown_measure(self) -> None:
        self.refused_at("collapse = {", "colapse = {", "measure.colapse", '"collapse"')

    def test_unknown_option_of_a_measure(self) -> None:
        self.refused_at("collapse = { probes", "collapse = { probse", "measure.collapse.probse", '"probes"')

    def test_wrong_type(self) -> None:
        self.refused_at("dimension = 16", 'dimension = "large"', 'ensemble.dimension = "large"', "an integer from 1",
                        "not a string")

    def test_fraction_for_an_integer(self) -> None:
        self.refused_at("dimension = 16", "dimension = 16.5", "ensemble.dimension = 16.5", "an integer from 1")

    def test_unknown_word(self) -> None:
        self.refused_at('centroids = "opposite"', 'centroids = "oposite"', 'ensemble.centroids = "oposite"',
                        'did you mean "opposite"', '"simplex"')

    def test_squares_that_overflow(self) -> None:
        self.refused_at('centroids = "opposite"', "separation = 1e155", "ensemble.separation = 1e+155",
                        "double precision", "1e+140")

    def test_squares_that_overflow_in_single_precision(self) -> None:
        self.refused("ensemble.sigma = 1e+19", "single precision", "1e+18", 'resources.precision = "double"',
                     sweep=MIXTURE.replace("speciation = { probes = 8 }\n", ""),
                     arguments=["--set", "ensemble.sigma=1e19", "--set", "resources.precision=single"])

    def test_time_out_of_range(self) -> None:
        self.refused("sweep.toml: process.time holds 1e-300", "1e-280", arguments=["--set", "process.time.from=1e-300"])

    def test_number_whose_square_overflows(self) -> None:
        data = np.ones((20, 4))
        data[3, 2] = 1e200
        np.save(self.folder / "data.npy", data)
        self.refused_at('file = "data"', 'file = "data.npy"', "data.npy", "1e+200", "row 3, column 2",
                        "double precision", text=DATA)

    def test_empty_list(self) -> None:
        self.refused_at("samples = 50", "samples = []", "dataset.samples", "the list is empty", "an integer from 1")

    def test_negative_dimension(self) -> None:
        self.refused_at("dimension = 16", "dimension = -4", "ensemble.dimension = -4", "an integer from 1")

    def test_negative_dimension_in_a_list(self) -> None:
        self.refused_at("dimension = 16", "dimension = [16, -4]", "ensemble.dimension = -4", "an integer from 1")

    def test_three_opposite_classes(self) -> None:
        self.refused_at("classes = 2", "classes = 3", "classes = 3", "opposite", "2")

    def test_time_from_zero(self) -> None:
        self.refused_at("time = { from = 0.1", "time = { from = 0", "process.time.from = 0", "above 0")

    def test_time_list_from_zero(self) -> None:
        self.refused_at('time = { from = 0.1, to = 3.0, count = 6, spacing = "log" }', "time = [0.0, 1.0]",
                        "process.time = 0", "above 0")

    def test_missing_key(self) -> None:
        self.refused("sweep.toml", "ensemble.dimension is missing", sweep=edited("dimension = 16\n", ""))

    def test_value_twice(self) -> None:
        self.refused_at("dimension = 16", "dimension = [16, 16]", "ensemble.dimension", "twice")

    def test_unknown_key_in_a_block(self) -> None:
        self.refused_at("blocks = [{ size = 3", "blocks = [{ width = 3", "ensemble.blocks[0].width = 3", '"size"',
                        text=MANIFOLD)

    def test_blocks_larger_than_the_space(self) -> None:
        self.refused_at("blocks = [{ size = 3", "blocks = [{ size = 12", "blocks", "dimension = 16", text=MANIFOLD)

    def test_key_of_another_kind_of_data(self) -> None:
        self.refused_at("[dataset]", "classes = 2\n[dataset]", "ensemble.classes = 2", "linear-manifold",
                        text=MANIFOLD)

    def test_classes_of_a_manifold(self) -> None:
        self.refused("measure.speciation", "classes", "linear manifold", '"gaussian-mixture"',
                     sweep=MANIFOLD + "speciation = { probes = 8 }\n")

    # Measures of spectra.

    def spectral(self, measure: str, text: str = MANIFOLD) -> str:
        """The sweep with another measure."""
        return edited("collapse = { probes = 8 }", measure, text)

    def test_times_of_spectra_that_descend(self) -> None:
        self.refused("measure.spectrum.times must ascend", sweep=self.spectral("spectrum = { times = [0.5, 0.2] }"))

    def test_times_of_spectra_twice(self) -> None:
        self.refused("measure.spectrum.times must ascend", sweep=self.spectral("spectrum = { times = [0.2, 0.2] }"))

    def test_times_of_spectra_beyond_the_clock(self) -> None:
        text = edited('kind = "variance-exploding"', 'kind = "flow-matching"',
                      edited("to = 3.0", "to = 0.9", self.spectral("spectrum = { times = [0.2, 1.5] }")))
        self.refused("measure.spectrum.times holds 1.5", "not a time of flow-matching", sweep=text)

    def test_times_of_spectra_at_zero(self) -> None:
        self.refused("measure.spectrum.times", "0", sweep=self.spectral("spectrum = { times = [0.0, 1.0] }"))

    def test_times_of_spectra_that_are_none(self) -> None:
        for value in ("[]", "0.5", '"all"', "[[0.5]]", '["early"]'):
            with self.subTest(value=value):
                self.refused("measure.spectrum.times", "must be a list of numbers above 0", sweep=self.spectral(f"spectrum = {{ times = {value} }}"))

    def test_unknown_method_of_spectra(self) -> None:
        self.refused("measure.spectrum.method", '"krylof"', '"krylov"',
                     sweep=self.spectral('spectrum = { method = "krylof" }'))

    def test_one_random_vector(self) -> None:
        for key in ("density_probes", "hutchinson_probes"):
            self.refused(f"measure.spectrum.{key} = 1", "at least 2",
                         sweep=self.spectral(f"spectrum = {{ {key} = 1 }}"))

    def test_exact_score_of_a_file(self) -> None:
        self.write("data", program.idx_bytes(np.zeros((40, 6, 6), np.uint8)))
        for measure in ("spectrum", "dimension"):
            self.refused(f'measure.{measure}.score = "exact"', "data file",
                         sweep=self.spectral(f'{measure} = {{ score = "exact" }}', DATA))

    def test_score_of_a_training_set_that_is_not_there(self) -> None:
        text = edited("[dataset]\nsamples = 50\n", "", MANIFOLD)
        for measure in ("spectrum", "dimension", "gap"):
            self.refused(f'measure.{measure}.score = "training-set"', "[dataset] samples",
                         sweep=self.spectral(f'{measure} = {{ score = "training-set" }}', text))

    def test_gaps_of_a_mixture(self) -> None:
        text = edited("speciation = { probes = 8 }\n", "", MIXTURE)
        for measure in ("gap", "lost_directions"):
            self.refused(f"measure.{measure}", '"linear-manifold"', sweep=self.spectral(f"{measure} = {{}}", text))

    def test_lost_directions_of_a_gaussian_factor(self) -> None:
        self.refused("measure.lost_directions", 'factor = "orthonormal"',
                     sweep=edited("dimension = 16", 'dimension = 16\nfactor = "gaussian"',
                                  self.spectral("lost_directions = {}")))

    def test_lost_directions_without_or_of_one_sample(self) -> None:
        text = self.spectral("lost_directions = {}")
        self.refused("measure.lost_directions", "samples", sweep=edited("[dataset]\nsamples = 50\n", "", text))
        self.refused("measure.lost_directions", "samples", sweep=edited("samples = 50", "samples = [1, 50]", text))

    def test_score_matrix_in_many_dimensions(self) -> None:
        self.refused("measure.dimension.score_matrix", "5000 dimensions", '"off"',
                     sweep=edited("dimension = 16", "dimension = [16, 5000]", self.spectral('dimension = { score_matrix = "centred" }')))

    def test_line_of_an_option_whose_name_begins_like_another(self) -> None:
        text = edited("speciation = { probes = 8 }\n", "", MIXTURE).replace("dimension = 16", "dimension = 5000")
        text = edited("collapse = { probes = 8 }", '[measure.dimension]\nscore = "exact"\nscore_matrix = "centred"', text)
        self.refused(f"sweep.toml, line {line_of(text, 'score_matrix =')}:", "measure.dimension.score_matrix", sweep=text)

    def test_mixed_precision_of_a_measure_without(self) -> None:
        for measure in ("collapse", "lost_directions"):
            self.refused('resources.precision = "mixed"', f"measure.{measure}", '"double"',
                         sweep=self.spectral(f"{measure} = {{}}") + '[resources]\nprecision = "mixed"\n')

    # The command line.

    def test_bad_points(self) -> None:
        self.refused("--points first", "2:5,9", arguments=["--points", "first"])

    def test_points_beyond_the_grid(self) -> None:
        self.refused("--points 0:7", "0:0", arguments=["--points", "0:7"])

    def test_options_that_say_nothing(self) -> None:
        for option in ("--points", "--shard", "--output"):
            with self.subTest(option):
                self.refused(option, "must not be empty", arguments=[option, ""])

    def test_bad_shard(self) -> None:
        self.refused("--shard 3/2", "1 <= I <= M", arguments=["--shard", "3/2"])

    def test_shard_without_slash(self) -> None:
        self.refused("--shard half", "I/M", arguments=["--shard", "half"])

    def test_bad_stop_after(self) -> None:
        self.refused("--stop-after", "soon", "55m", arguments=["--stop-after", "soon"])

    def test_stop_with_the_job_outside_of_a_job(self) -> None:
        self.refused("--stop-after auto", "no SLURM job", "55m", arguments=["--stop-after", "auto"])

    def test_set_of_an_unknown_key(self) -> None:
        self.refused("--set measure.collapse.prob=4", "measure.collapse.prob", '"probes"',
                     arguments=["--set", "measure.collapse.prob=4"])

    def test_set_of_a_bad_value(self) -> None:
        self.refused("--set ensemble.dimension=0", "an integer from 1", arguments=["--set", "ensemble.dimension=0"])

    def test_set_of_values_that_look_like_a_list(self) -> None:
        self.refused("--set ensemble.dimension=8,16", "a list is written [8, 16]", arguments=["--set", "ensemble.dimension=8,16"])
        self.refused("--set ensemble.sigma=.5, 2", "a list is written [0.5, 2]", arguments=["--set", "ensemble.sigma=.5, 2"])
        self.refused("--set ensemble.centroids=random,opposite", 'a list is written ["random", "opposite"]',
                     arguments=["--set", "ensemble.centroids=random,opposite"])

    def test_set_of_an_empty_path(self) -> None:
        for key in ("file", "labels"):
            self.refused(f"dataset.{key}", "must not be empty", sweep=DATA, arguments=["--set", f"dataset.{key}="])

    def test_set_without_equals(self) -> None:
        self.refused("--set realizations", "key=value", arguments=["--set", "realizations"])

    def test_unknown_option(self) -> None:
        self.refused("--fast", arguments=["--fast"])

    def test_no_sweep_file(self) -> None:
        self.check_message(program.diffphase(["run"], self.folder), "sweep is required")

    def test_unknown_command(self) -> None:
        self.check_message(program.diffphase(["plam", "sweep.toml"], self.folder, ranks=2), "plam: no such command",
                           'did you mean "plan"?')

    def test_other_commands(self) -> None:
        (self.folder / "empty").mkdir()
        self.write("sweep.toml", edited("dimension = 16", "dimensoin = 16").encode())
        for command in ("plan", "theory"):
            self.check_message(program.diffphase([command, "sweep.toml"], self.folder), "line 7", "ensemble.dimensoin")
        for command in ("status", "collect"):
            self.check_message(program.diffphase([command, "nowhere"], self.folder), "nowhere")
            self.check_message(program.diffphase([command, "empty"], self.folder), "empty", "sweep.toml")
        self.assertEqual(program.tree_state(self.folder / "empty"), {})

    # The sweep file itself.

    def test_missing_sweep_file(self) -> None:
        self.refused("nowhere.toml", "No such file", sweep=None, file="nowhere.toml")

    def test_folder_as_sweep_file(self) -> None:
        (self.folder / "folder").mkdir()
        self.refused("folder", "is a folder", sweep=None, file="folder")

    def test_binary_sweep_file(self) -> None:
        self.refused("sweep.toml", "line 1", "not TOML", sweep=bytes(range(256)) * 64)

    def test_empty_sweep_file(self) -> None:
        self.refused("sweep.toml", "name is missing", sweep="")

    def test_half_a_sweep_file(self) -> None:
        self.refused("sweep.toml", "line 4", "not TOML", sweep=MIXTURE[:MIXTURE.index(", count")])

    def test_sweep_that_is_no_file(self) -> None:
        self.refused("/dev/zero", "no regular file", sweep=None, file="/dev/zero")
        os.mkfifo(self.folder / "pipe")
        self.refused("pipe", "no regular file", sweep=None, file="pipe")

    def test_zero_bytes(self) -> None:
        self.refused_at('"bad-input"', '"a\\u0000b"', "name = ", "zero byte")
        self.refused('dataset.file', "zero byte", sweep=edited('"data"', '"a\\u0000b"', DATA))
        self.refused('dataset.labels', "zero byte", sweep=edited('"labels"', '"a\\u0000b"', LABELLED))
        self.refused('folder', "zero byte", sweep='folder = "a\\u0000b"\n' + MIXTURE)

    # Data files.

    def test_missing_data_file(self) -> None:
        self.refused("sweep.toml, line 8", str(self.folder / "data"), "No such file", sweep=DATA)

    def test_folder_as_data_file(self) -> None:
        (self.folder / "data").mkdir()
        self.refused(str(self.folder / "data"), "directory", sweep=DATA)

    def test_truncated_gzip(self) -> None:
        images = np.random.default_rng(1).integers(0, 256, (40, 6, 6), dtype=np.uint8)
        self.write("data", gzip.compress(program.idx_bytes(images))[:-200])
        self.refused("data", "gzip", "truncated", sweep=DATA)

    def test_truncated_idx(self) -> None:
        self.write("data", program.idx_bytes(np.zeros((40, 6, 6), np.uint8))[:-1])
        self.refused("data", "truncated", "[40, 6, 6]", sweep=DATA)

    def test_idx_with_a_wrong_magic(self) -> None:
        contents = bytearray(program.idx_bytes(np.zeros((40, 6, 6), np.uint8)))
        contents[2] = 0x07
        self.write("data", bytes(contents))
        self.refused("data", "magic", "0x07", "0x08", sweep=DATA)

    def test_no_known_format(self) -> None:
        self.write("data", b"1,2,3\n4,5,6\n")
        self.refused("data", "31 2c 32 2c", "IDX", "NPY", "HDF5", sweep=DATA)

    def test_npy_of_rank_0(self) -> None:
        np.save(self.folder / "data.npy", np.float64(3.0))
        self.refused("data.npy", "rank 0", sweep=edited('"data"', '"data.npy"', DATA))

    def test_labels_in_place_of_data(self) -> None:
        np.save(self.folder / "data.npy", np.arange(40.0))
        self.refused("data.npy", "[40]", "labels in place of data", "[40, 1]", sweep=edited('"data"', '"data.npy"', DATA))

    def test_npy_of_a_wrong_type(self) -> None:
        np.save(self.folder / "data.npy", np.zeros((8, 4), np.complex128))
        self.refused("data.npy", "<c16", sweep=edited('"data"', '"data.npy"', DATA))

    def data_refused(self, name: str, *pieces: str) -> None:
        self.refused("sweep.toml, line 8", *pieces, sweep=edited('"data"', f'"{name}"', DATA))

    def test_virtual_dataset_without_a_source(self) -> None:
        layout = h5py.VirtualLayout(shape=(60, 6), dtype="f8")
        with h5py.File(self.folder / "a.h5", "w") as file:
            file["x"] = np.ones((30, 6))
        layout[:30] = h5py.VirtualSource("a.h5", "x", shape=(30, 6))
        layout[30:] = h5py.VirtualSource("gone.h5", "x", shape=(30, 6))
        with h5py.File(self.folder / "v.h5", "w") as file:
            file.create_virtual_dataset("x", layout)
        self.data_refused("v.h5:/x", "virtual", "source gone.h5:x is not there")

    def test_virtual_dataset_of_itself(self) -> None:
        layout = h5py.VirtualLayout(shape=(60, 6), dtype="f8")
        layout[:] = h5py.VirtualSource(".", "x", shape=(60, 6))
        with h5py.File(self.folder / "v.h5", "w") as file:
            file.create_virtual_dataset("x", layout)
        self.data_refused("v.h5:/x", "itself virtual")

    def test_hdf5_numbers_that_nobody_wrote(self) -> None:
        with h5py.File(self.folder / "u.h5", "w") as file:
            file.create_dataset("never", shape=(60, 6))
            some = file.create_dataset("chunks", shape=(60, 6), chunks=(20, 6), compression="gzip")
            some[:20] = 1.0
            file.create_dataset("outside", shape=(60, 6), dtype="u1", external=[("secret", 0, 360)])
            file["away"] = h5py.ExternalLink("other.h5", "/x")
            file["broken"] = h5py.SoftLink("/nothing")
        self.data_refused("u.h5:/never", "never written")
        self.data_refused("u.h5:/chunks", "2 of its 3 chunks were never written")
        self.data_refused("u.h5:/outside", "external storage", "secret")
        self.data_refused("u.h5:/away", "link into another file", "other.h5")
        self.data_refused("u.h5:/broken", "link to /nothing")

    def test_data_of_matlab(self) -> None:
        with h5py.File(self.folder / "m.mat", "w", userblock_size=512) as file:
            file.create_dataset("x", data=np.ones((40, 200))).attrs["MATLAB_class"] = np.bytes_("double")
        self.data_refused("m.mat:/x", "MATLAB", "[40, 200]", "dataset.transpose = true", "200 of them")

    def test_filter_that_is_missing(self) -> None:
        with h5py.File(self.folder / "l.h5", "w") as file:
            file.create_dataset("x", data=np.ones((60, 6)), chunks=(20, 6), compression="lzf")
        self.data_refused("l.h5:/x", "the filter lzf (32000)", "HDF5_PLUGIN_PATH")

    def test_group_in_place_of_a_dataset(self) -> None:
        with h5py.File(self.folder / "a.h5ad", "w") as file:
            for name in ("X/data", "X/indices", "X/indptr", "obs/a", "var/b", "uns/c", "obsm/d", "varm/e", "raw/f"):
                file[name] = np.arange(3)
        self.data_refused("a.h5ad:/X", "/X is a group", "/X/data, /X/indptr, /X/indices")

    def test_gzipped_hdf5(self) -> None:
        with h5py.File(self.folder / "a.h5", "w") as file:
            file["x"] = np.ones((60, 6))
        self.write("a.h5.gz", gzip.compress((self.folder / "a.h5").read_bytes()))
        self.data_refused("a.h5.gz", "is a gzipped HDF5 file", "gunzip")

    def test_bytes_behind_a_gzip_file(self) -> None:
        self.write("data", gzip.compress(program.idx_bytes(np.ones((40, 6, 6), np.uint8))) + b"tail")
        self.data_refused("data", "gzip file is damaged", "after its end")

    def test_npz_of_several_arrays(self) -> None:
        np.savez(self.folder / "d.npz", train=np.ones((8, 4)), test=np.ones((4, 4)))
        self.data_refused("d.npz", "holds 2 arrays", "d.npz:train", "its arrays are")
        self.data_refused("d.npz:tran", "has no array tran", "its arrays are train, test")

    def test_data_that_are_no_file(self) -> None:
        os.mkfifo(self.folder / "pipe")
        self.data_refused("pipe", "is not a regular file")

    def test_labels_of_another_length(self) -> None:
        self.write("data", program.idx_bytes(np.zeros((40, 6, 6), np.uint8)))
        self.write("labels", program.idx_bytes(np.zeros(39, np.uint8)))
        self.refused(str(self.folder / "labels"), "39 labels", "40 rows", sweep=LABELLED)

    def test_class_without_rows(self) -> None:
        self.write("data", program.idx_bytes(np.zeros((40, 6, 6), np.uint8)))
        self.write("labels", program.idx_bytes(np.arange(40, dtype=np.uint8) % 3))
        self.refused("labels", "select_classes", "label 7", "0, 1, 2",
                     sweep=edited('labels = "labels"', 'labels = "labels"\nselect_classes = [1, 7]', LABELLED))

    def test_not_finite(self) -> None:
        for value, name in ((np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")):
            array = np.zeros((8, 4))
            array[5, 2] = value
            np.save(self.folder / "data.npy", array)
            self.refused("data.npy", "row 5, column 2", f"holds {name}", "finite",
                         sweep=edited('"data"', '"data.npy"', DATA))

    def test_more_samples_than_rows(self) -> None:
        self.write("data", program.idx_bytes(np.zeros((40, 6, 6), np.uint8)))
        self.refused("dataset.samples = 41", "40 rows", sweep=edited('file = "data"', 'file = "data"\nsamples = 41', DATA))

    # The folder of the run.

    def test_output_that_cannot_be_made(self) -> None:
        self.refused("/proc/diffphase", output="/proc/diffphase")

    def test_output_that_cannot_be_written(self) -> None:
        self.refused("/proc", output="/proc")

    def test_file_in_place_of_the_output(self) -> None:
        self.write("out", b"something of value\n")
        self.refused("cannot create the folder out: out is not a folder")

    def test_file_above_the_output(self) -> None:
        self.write("runs", b"something of value\n")
        self.refused("cannot create the folder runs/out: runs is not a folder", output="runs/out")

    def test_journal_of_another_seed(self) -> None:
        self.write("sweep.toml", MIXTURE.encode())
        first = program.diffphase(["run", "sweep.toml", "-o", "out", "--set", "seed=5"], self.folder)
        self.assertEqual(first.code, 0, first.errors)
        self.refused("out/journal/", "seed 5", "seed 1", "-o", at_once=False)


if __name__ == "__main__":
    program.main(workers=6)  # mpirun spends most of its time waiting
