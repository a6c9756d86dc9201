"""Reads journals and logs of a run folder, as an independent witness of what ran."""

import json
import pathlib
import struct
import zlib

BEGIN, DONE, FAILED, ABANDONED = 1, 2, 3, 4
FRAME = 8


class Archive:
    """Numbers, texts and arrays, one after another."""

    def __init__(self, payload):
        self.payload = payload
        self.at = 0

    def _take(self, size):
        self.at += size
        return self.payload[self.at - size:self.at]

    def integer(self):
        return struct.unpack("<q", self._take(8))[0]

    def word(self):
        return struct.unpack("<Q", self._take(8))[0]

    def integers(self):
        return [self.integer() for _ in range(self.word())]

    def text(self):
        return self._take(self.word()).decode("utf-8", "replace")


class Record:
    """One record: kind, identity; of a finished task the units (identity, sample count) that it holds, of one that was
    begun its first rank."""

    def __init__(self, journal, offset, payload):
        archive = Archive(payload)
        self.place = (journal, offset)
        self.kind = archive.integer()
        self.identity = f"{archive.word():016x}{archive.word():016x}"
        self.units = []
        self.message = ""
        self.leader = None
        if self.kind == BEGIN:
            _attempt, _ranks, self.leader = archive.integer(), archive.integer(), archive.integer()
        if self.kind == DONE:
            self.units = [(self.identity, count) for count in archive.integers()]
            if archive.word():
                self.units.append((self.identity, "free"))
        if self.kind == FAILED:
            self.message = archive.text()


def payloads(path):
    """Offset and payload of each good record of a file, the header first."""
    data = path.read_bytes()
    at = 0
    while at + FRAME <= len(data):
        length, crc = struct.unpack_from("<II", data, at)
        payload = data[at + FRAME:at + FRAME + length]
        if len(payload) < length or zlib.crc32(data[at:at + 4] + payload) != crc:
            return
        yield at, payload
        at += FRAME + length


def files(folder):
    return sorted((pathlib.Path(folder) / "journal").glob("*.journal"))


def records(folder):
    """All good records of a run folder behind the headers, journal by journal."""
    return [Record(path.name, offset, payload)
            for path in files(folder) for offset, payload in list(payloads(path))[1:]]


def log_lines(folder):
    """All lines of the logs. A line is one write: there are no halves."""
    return [json.loads(line) for path in sorted((pathlib.Path(folder) / "log").glob("*.jsonl"))
            for line in path.read_text(encoding="utf-8").splitlines()]


class Witness:
    """Watches one run folder: nothing finished may run again, unless its record was damaged."""

    def __init__(self, folder):
        self.folder = folder
        self.seen = set()
        self.finished = set()
        self.done_ever = {}  # identity -> number of done records
        self.lost = 0

    def look(self):
        """Takes in what is new; returns what is wrong with it."""
        wrong = []
        lines_before = log_lines(self.folder)  # a program that runs writes the record first
        for record in records(self.folder):
            if record.kind != DONE or record.place in self.seen:
                continue
            self.seen.add(record.place)
            self.done_ever[record.identity] = self.done_ever.get(record.identity, 0) + 1
            for unit in record.units:
                if unit in self.finished:
                    wrong.append(f"{unit} was finished and ran again: {record.place}")
                self.finished.add(unit)
        done_lines = {}
        for line in lines_before:
            if line["outcome"] == "done":
                done_lines[line["identity"]] = done_lines.get(line["identity"], 0) + 1
        for identity, lines in done_lines.items():
            if lines > self.done_ever.get(identity, 0):
                wrong.append(f"{identity}: the log has {lines} ends, the journals {self.done_ever.get(identity, 0)}")
        return wrong

    def expect_damage(self):
        """After a journal was damaged: what is lost may run again."""
        before = len(self.finished)
        self.finished = {unit for record in records(self.folder) for unit in record.units}
        self.lost += before - len(self.finished)
