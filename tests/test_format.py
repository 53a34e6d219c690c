"""FORMAT.md is enough: a reader that was written from it alone finds the symbols that were written.

The files that its appendix explains are those of tests/vectors, byte by byte and pop by pop.
"""

from __future__ import annotations

import ast
import importlib.util
import random
import re
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from nacre import codec
from nacre.codec import tiles
from nacre.codec.chunks import read_chunks
from nacre.codec.container import Stream
from nacre.codec.run import Run
from nacre.entropy.errors import (
    CorruptStream,
    LimitError,
    NacreError,
    TruncatedStream,
    UnsupportedStream,
)
from nacre.entropy.schedule import WHOLE
from nacre.models import zoo
from nacre.tools import fuzz

HERE = Path(__file__).parent
VECTORS = HERE / "vectors"
FORMAT = (HERE.parent / "FORMAT.md").read_text()
SPEC = importlib.util.spec_from_file_location("plain_parser", HERE / "plain_parser.py")
plain_parser = importlib.util.module_from_spec(SPEC)
sys.modules["plain_parser"] = plain_parser  # dataclasses look for their module
SPEC.loader.exec_module(plain_parser)
KINDS = {
    "damaged": CorruptStream,
    "unsupported": UnsupportedStream,
    "truncated": TruncatedStream,
    "limit": LimitError,
}


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.ncr")), ids=lambda p: p.stem)
def test_frozen_files(path, tiny):
    said, found = plain_parser.checksums(path.read_bytes(), tiny)
    assert said == found


@pytest.mark.parametrize("quality", [1, 50, 100])
def test_files_of_the_model_that_ships(photo, quality):
    data = codec.encode(photo.crop((0, 0, 70, 50)), quality=quality)
    weights = Path(zoo.__file__).parent / "weights" / "nacre.safetensors"
    said, found = plain_parser.checksums(data, weights)
    assert said == found


def test_large_symbols(tiny):
    image = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (40, 50, 3))
    said, found = plain_parser.checksums(codec.encode(image, quality=100, model=tiny), tiny)
    assert said == found


def test_a_cut_file_has_the_same_symbols_for_both(tiny, tiny_model):
    """Section 17, at the end of every chunk of a file with several tiles and layers."""
    data, run = (
        (VECTORS / "tiles-and-layers-q80.ncr").read_bytes(),
        Run(tiny_model, torch.device("cpu")),
    )
    compared = 0
    for chunk in read_chunks(data):
        cut = data[: chunk.at + chunk.size - 1]
        try:
            stream = Stream.from_bytes(cut, may_be_cut=True)
        except TruncatedStream:
            with pytest.raises(plain_parser.Refused, match="truncated"):
                plain_parser.parse(cut, may_be_cut=True)
            continue
        file, theirs = plain_parser.parse(cut, may_be_cut=True), []
        for tile, (height, width) in enumerate(file.head.tiles):
            parts = [
                tiles.TilePart(p.first, p.last, p.data) for p in stream.latents if p.tile == tile
            ]
            size = -(-height // 16), -(-width // 16)
            with torch.inference_mode():
                theirs.append(tiles.decode_tile(run, parts, *size, stream.head.quality).checksum)
        assert plain_parser.symbol_checksums(file, tiny) == theirs and file.checksum is None
        compared += 1
    assert compared > 5


def test_both_readers_refuse_the_same_files(tiny):
    """Section 19. Where one condition holds they name the same one; where several hold, any of them."""
    rng, agreed, read = random.Random(7), 0, 0
    files = (p for p in sorted(VECTORS.glob("*.ncr")) if p.stat().st_size < 4000)
    seeds = [fuzz.Seed.of(path.read_bytes(), tiny) for path in files]
    for _ in range(600):
        data = fuzz.mutate(rng.choice(seeds), seeds, rng)
        error = kind = None
        try:
            codec.Opened(data, model=tiny, strict=True).parse()
        except NacreError as refused:
            error = refused
        try:
            said, found = plain_parser.checksums(data, tiny)
            kind = None if said == found else "damaged"
        except plain_parser.Refused as refused:
            kind = refused.args[0]
        if error is None:
            assert kind is None
            read += 1
        elif "inside the file" not in str(error) and "installed are" not in str(error):
            assert kind is not None, error
            agreed += kind == "other" or isinstance(error, KINDS[kind])
    assert agreed > 500 and read > 3


def test_patterns_are_those_of_the_family(tiny_model):
    """Section 14 has the schedule."""
    rows = re.findall(r"^\| (\d) \| ([zy]) \| [ZM] \| (\d+) \| (\d) \| (.+) \|$", FORMAT, re.M)
    schedule, planes = tiny_model.network.schedule, tiny_model.network.planes
    assert len(rows) == len(schedule)
    for (number, plane, stride, layer, patterns), turn in zip(rows, schedule, strict=True):
        assert turn is schedule[int(number)]
        assert (turn.plane, planes[plane].stride, turn.layer) == (plane, int(stride), int(layer))
        found = re.findall(r"`([#./]+)`", patterns)
        assert tuple(tuple(pattern.split("/")) for pattern in found) == turn.patterns
    assert schedule[0].patterns == (WHOLE,)


def test_push_undoes_pop():
    """Section 11 has both."""
    rng, stack, pushed = np.random.default_rng(0), plain_parser.Stack(b""), []
    for _ in range(500):
        cuts = np.sort(rng.choice(2**24 - 1, rng.integers(1, 40), replace=False)) + 1
        starts = np.concatenate([[0], cuts, [2**24]])
        entry = int(rng.integers(len(starts) - 1))
        stack.push(starts, entry)
        pushed.append((starts, entry))
    stack = plain_parser.Stack(stack.to_bytes())
    for starts, entry in reversed(pushed):
        assert stack.pop(starts) == entry
    assert stack.is_empty()


def test_examples_of_varints_and_crc():
    """Section 2 has them."""
    for value, spelled in re.findall(r"([\d^-]+)\s+is\s+`((?:[0-9A-F]{2} ?)+)`", FORMAT):
        number = 2**32 - 1 if "^" in value else int(value)
        data = bytes.fromhex(spelled)
        assert plain_parser.varint(data, 0) == (number, len(data))
    with pytest.raises(plain_parser.Refused):
        plain_parser.varint(bytes.fromhex("8000"), 0)
    assert f"0x{zlib.crc32(b'123456789'):08X}" in FORMAT


# The appendix


def appendix(title: str) -> str:
    return FORMAT.split(f"### {title}")[1].split("\n###")[0]


def dumped(text: str) -> list[tuple[int, bytes, str]]:
    """Offset, bytes and explanation of every line of a dump."""
    lines = re.findall(r"^    ([0-9A-F]{4})  ((?:[0-9A-F]{2} ?){1,8})(?: +(\S.*))?$", text, re.M)
    return [(int(at, 16), bytes.fromhex(found), said) for at, found, said in lines]


def test_the_first_dump_is_the_whole_file():
    data = (VECTORS / "one-pixel-q100.ncr").read_bytes()
    assert b"".join(found for _, found, _ in dumped(appendix("A.1"))) == data
    at = 0
    for offset, found, said in dumped(appendix("A.1")):
        assert offset == at
        at += len(found)
        for first, last in re.findall(r"CRC-32 of bytes (\w+) to (\w+)", said):
            covered = data[int(first, 16) : int(last, 16) + 1]
            assert zlib.crc32(covered) == int.from_bytes(found, "little")


def test_the_third_dump_is_the_beginning_and_the_end_of_the_file():
    data, lines = (VECTORS / "lossless.ncr").read_bytes(), dumped(appendix("A.3"))
    for offset, found, _ in lines:
        assert data[offset : offset + len(found)] == found
    covered = {at for offset, found, _ in lines for at in range(offset, offset + len(found))}
    left_out = sorted(set(range(len(data))) - covered)
    assert left_out == list(range(left_out[0], left_out[-1] + 1))  # one gap, in the WebP
    chunk = next(c for c in read_chunks(data) if c.kind == b"CELL")
    assert chunk.start < left_out[0] and left_out[-1] < chunk.end


class Trace:
    """What the plain parser computes while it reads the tile of the first dump."""

    def __init__(self, weights, monkeypatch) -> None:
        self.pops: list[list[str]] = []
        self.elements: list[
            tuple[str, int, int]
        ] = []  # plane, channel and table row of each pop but escapes
        self.features = self.rows = None
        pop, read_turn = plain_parser.Stack.pop, plain_parser.Tables.read_turn

        def traced_pop(stack, starts):
            q = stack.state % 2**24
            entry = pop(stack, starts)
            c, f = int(starts[entry]), int(starts[entry + 1] - starts[entry])
            self.pops.append(
                [
                    f"{q:06X}",
                    str(entry),
                    f"{c:06X}",
                    f"{f:06X}",
                    f"{stack.state:016X}",
                    str(len(stack.words)),
                ]
            )
            return entry

        def traced_turn(tables, stack, rows):
            first = len(self.elements)
            plane, channel = ("y", 8 * (first // 8 - 1)) if first else ("z", 0)
            order = np.argsort(rows, kind="stable")
            self.elements += [(plane, channel + int(i), int(rows[i])) for i in order]
            return read_turn(tables, stack, rows)

        monkeypatch.setattr(plain_parser.Stack, "pop", traced_pop)
        monkeypatch.setattr(plain_parser.Tables, "read_turn", traced_turn)
        file = plain_parser.parse((VECTORS / "one-pixel-q100.ncr").read_bytes())
        self.model, parts = plain_parser.Model(weights), file.parts[0]
        self.start, self.checksum = plain_parser.Stack(parts[0][2]), file.checksum
        z, y = plain_parser.symbols(self.model, parts, 1, 1, file.head.quality)
        self.planes = {"z": z.flatten(), "y": y.flatten()}
        self.features = self.model.features(z, 1, 1)
        self.rows = self.model.rows(self.features, y, 0)


def test_the_symbols_of_the_appendix_are_those_of_the_file(tiny, monkeypatch):
    trace, text = Trace(tiny, monkeypatch), appendix("A.2")
    assert "words   " + " ".join(f"{word:08X}" for word in trace.start.words) + "\n" in text
    assert f"state   {trace.start.state:016X}\n" in text
    assert "features   " + " ".join(map(str, trace.features.flatten())) + "\n" in text
    assert "rows       " + " ".join(map(str, trace.rows.flatten()[:8])) + "\n" in text
    listed = " ".join(re.findall(r"^(?:    [zy]|     )   ([-\d ]+)$", text, re.M)).split()
    symbols = np.concatenate([trace.planes["z"], trace.planes["y"]])
    assert list(map(int, listed)) == symbols.tolist()
    assert f"0x{zlib.crc32(symbols.astype('<i4').tobytes()):08X}" in text
    assert f"0x{trace.checksum:08X}" in text


def test_the_steps_of_the_coder_in_the_appendix_are_those_of_the_file(tiny, monkeypatch):
    trace = Trace(tiny, monkeypatch)
    lines = [
        line.strip("| ").split(" | ")
        for line in re.findall(r"^\| \d+ \|.*$", appendix("A.2"), re.M)
    ]
    assert [int(line[0]) for line in lines] == [*range(1, 18), len(trace.pops)]
    escapes = 0
    for number, element, row, radius, q, entry, c, f, symbol, state, words in lines:
        assert [q, entry, c, f, state, words] == trace.pops[int(number) - 1]
        plane, channel = element.split()
        value = str(trace.planes[plane][int(channel)])
        if row == "uniform":
            escapes += 1
            assert symbol == value
            continue
        assert trace.elements[int(number) - 1 - escapes] == (plane, int(channel), int(row))
        tables = {"z": trace.model.z, "y": trace.model.y}[plane]
        assert int(radius) == tables.radius[int(row)]
        assert symbol == ("escape" if int(entry) == 2 * int(radius) + 1 else value)


def test_it_has_nothing_of_ours():
    tree = ast.parse((HERE / "plain_parser.py").read_text())
    names = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
    }
    assert not any("nacre" in name or "torch" in name for name in names)
