"""Decode mutated files: each is refused, decodes as a cut file with a warning, or gives the same pixels.

    python -m nacre.tools.fuzz FILES... --model TINY --cases 100000
    python -m nacre.tools.fuzz FILES... --model TINY --atheris decoder -- -max_total_time=600

Mutations change bytes, fields, lengths and whole chunks; checksums are then corrected, so that they do not
catch the mutation. Atheris (from PyPI) takes one of the targets container, head, tables, decoder; arguments
after -- are passed to it.
"""

from __future__ import annotations

import argparse
import collections
import inspect
import random
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from nacre import codec
from nacre.codec import chunks, container
from nacre.codec.chunks import SIGNATURE, chunk_to_bytes, read_chunks
from nacre.codec.container import Head, Limits, Stream, read_head
from nacre.codec.container.payloads import Latent
from nacre.entropy import coder, tables
from nacre.entropy.errors import NacreError
from nacre.entropy.once import once
from nacre.entropy.tables import Tables
from nacre.tools.evaluate.memory import PeakMemory

LIMITS = Limits(pixels=1 << 20, memory_bytes=512 << 20, metadata_bytes=1 << 20)
LONGEST_SECONDS = 2.0  # of one decode
EDGES = (0, 1, 2, 127, 128, 254, 255)
EDGES_32 = (0, 1, 63, 64, 65, 1023, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)

Chunks = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Seed:
    """A valid file and the pixels that it decodes to."""

    data: bytes
    pixels: bytes

    @classmethod
    def of(cls, data: bytes, model: str | Path | None) -> Seed:
        return cls(data, codec.decode(data, model=model).tobytes())

    @once
    def chunks(self) -> tuple[tuple[bytes, bytes], ...]:
        return tuple((chunk.kind, chunk.checked()) for chunk in read_chunks(self.data))

    @once
    def accepted(self) -> dict[Stream, str]:
        """Outcomes of decoded streams; files that parse to an equal stream have the same outcome."""
        return {}


def outcome(data: bytes, seed: Seed, model: str | Path | None) -> str:
    """Decode a file and name the outcome. Raises AssertionError for wrong pixels and for slow decoding."""
    stream = None
    with suppress(NacreError):
        stream = Stream.from_bytes(data, LIMITS, may_be_cut=True)
        if stream in seed.accepted:
            return seed.accepted[stream]
    start = time.perf_counter()
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            image = codec.decode(data, model=model, limits=LIMITS)
    except NacreError as error:
        found = type(error).__name__
    else:
        is_cut = any(issubclass(w.category, codec.CutFileWarning) for w in said)
        assert is_cut or image.tobytes() == seed.pixels, "other pixels, and no warning"
        found = "cut, with a warning" if is_cut else "decoded"
        if stream is not None:
            seed.accepted[stream] = found
    seconds = time.perf_counter() - start
    assert seconds < LONGEST_SECONDS, f"{seconds:.1f} s"
    return found


def mutate(seed: Seed, others: Sequence[Seed], rng: random.Random) -> bytes:
    """Make another file by one to three changes of bytes, fields, lengths or whole chunks."""
    if rng.random() < 0.1:
        return bytes(_bytes_changed(bytearray(seed.data), rng))
    chunks = list(seed.chunks)
    for _ in range(rng.randint(1, 3)):
        if chunks:
            rng.choice(CHANGES)(chunks, others, rng)
    return SIGNATURE + b"".join(
        chunk_to_bytes(kind, payload)
        if rng.random() > 0.02
        else _with_false_length(kind, payload, rng)
        for kind, payload in chunks
    )


def _bytes_changed(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.randint(1, 4)):
        if not data:
            break
        at = rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice(EDGES)
        elif kind == 2:
            del data[at : at + rng.randint(1, 8)]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.randint(1, 8))
        else:
            del data[at:]
    return data


def _with_false_length(kind: bytes, payload: bytes, rng: random.Random) -> bytes:
    whole = bytearray(chunk_to_bytes(kind, payload))
    whole[4] = rng.randrange(256)
    return bytes(whole)


def _payload(chunks: Chunks, _: Sequence[Seed], rng: random.Random) -> None:
    i = rng.randrange(len(chunks))
    chunks[i] = (chunks[i][0], bytes(_bytes_changed(bytearray(chunks[i][1]), rng)))


def _field(chunks: Chunks, _: Sequence[Seed], rng: random.Random) -> None:
    """Change a field of the head."""
    kind, payload = chunks[0]
    if kind != Head.TYPE or len(payload) < Head.LAYOUT.size:
        return
    fixed, model = payload[: Head.LAYOUT.size], payload[Head.LAYOUT.size :]
    values = [*Head.LAYOUT.unpack(fixed), model]
    at = rng.randrange(len(values))
    if at in (2, 3):
        values[at] = rng.choice([*EDGES_32, rng.randrange(2**10)])
    elif at < len(values) - 1:
        values[at] = rng.choice([*EDGES, rng.randrange(256)])
    else:
        values[at] = rng.choice([rng.randbytes(8), b""])
    chunks[0] = (kind, Head.LAYOUT.pack(*values[:-1]) + values[-1])


def _drop(chunks: Chunks, _: Sequence[Seed], rng: random.Random) -> None:
    del chunks[rng.randrange(len(chunks))]


def _repeat(chunks: Chunks, _: Sequence[Seed], rng: random.Random) -> None:
    chunks.insert(rng.randrange(len(chunks) + 1), rng.choice(chunks))


def _swap(chunks: Chunks, _: Sequence[Seed], rng: random.Random) -> None:
    i, j = rng.randrange(len(chunks)), rng.randrange(len(chunks))
    chunks[i], chunks[j] = chunks[j], chunks[i]


def _rename(chunks: Chunks, _: Sequence[Seed], rng: random.Random) -> None:
    i = rng.randrange(len(chunks))
    kind = bytes(rng.choice(b"HEADLTNCELmetaxyzXYZ") for _ in range(4))
    chunks[i] = (kind, chunks[i][1])


def _borrow(chunks: Chunks, others: Sequence[Seed], rng: random.Random) -> None:
    """Take the payload of a chunk of another file."""
    i = rng.randrange(len(chunks))
    theirs = rng.choice(others).chunks
    chunks[i] = (chunks[i][0], rng.choice(theirs)[1])


def _words(chunks: Chunks, _: Sequence[Seed], rng: random.Random) -> None:
    """Replace the code: all zeros, all ones, reversed, empty, longer or shorter."""
    i = rng.randrange(len(chunks))
    kind, payload = chunks[i]
    is_latent = kind == Latent.TYPE
    try:
        code = Latent.from_bytes(payload).data if is_latent else payload[2:]
    except NacreError:  # an earlier change broke it
        return
    changed = rng.choice(
        [
            bytes(len(code)),
            b"\xff" * len(code),
            code[:-4],
            code + bytes(4),
            code + b"\x01",
            code[::-1],
            b"",
        ]
    )
    chunks[i] = (kind, _with_code(payload, changed) if is_latent else payload[:2] + changed)


def _with_code(payload: bytes, code: bytes) -> bytes:
    """The payload of a LATN chunk with other coded bytes."""
    return replace(Latent.from_bytes(payload), data=code).to_bytes()


CHANGES = (
    _payload,
    _payload,
    _payload,
    _field,
    _field,
    _drop,
    _repeat,
    _swap,
    _rename,
    _borrow,
    _words,
)


def run(
    seeds: Sequence[Seed], model: str | Path | None, cases: int, rng: random.Random
) -> collections.Counter[str]:
    """Count the outcomes of mutated files. Raises AssertionError with the hexadecimal digits of the file."""
    found: collections.Counter[str] = collections.Counter()
    for _ in range(cases):
        seed = rng.choice(seeds)
        data = mutate(seed, seeds, rng)
        try:
            found[outcome(data, seed, model)] += 1
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__}: {error}: {data.hex()}") from error
    return found


def targets(seeds: Sequence[Seed], model: str | Path | None) -> dict[str, Callable[[bytes], None]]:
    """Functions that Atheris calls with bytes; an exception other than NacreError is a fault."""

    def container(data: bytes) -> None:
        Stream.from_bytes(SIGNATURE + data, LIMITS, may_be_cut=True)

    def head(data: bytes) -> None:
        read_head(SIGNATURE + chunk_to_bytes(Head.TYPE, data), LIMITS)

    def tables(data: bytes) -> None:
        numbers = np.frombuffer(data[: len(data) // 4 * 4], "<i4").astype(np.int64)
        rows = int(numbers[0]) % 8 if len(numbers) else 0
        Tables(numbers[1 : 1 + rows], numbers[1 + rows :], 0)

    def decoder(data: bytes) -> None:
        """Replace the code in the chunks of symbols of a valid file; all checksums are right."""
        seed = seeds[data[0] % len(seeds)] if data else seeds[0]
        chunks = [
            (kind, _with_code(payload, data[1:]) if kind == Latent.TYPE else payload)
            for kind, payload in seed.chunks
        ]
        outcome(SIGNATURE + b"".join(chunk_to_bytes(*c) for c in chunks), seed, model)

    def refused(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def call(data: bytes) -> None:
            with suppress(NacreError):
                target(data)

        return call

    return {t.__name__: refused(t) for t in (container, head, tables, decoder)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="valid nacre files")
    parser.add_argument("--model", help="the path of their weights file (default: installed ones)")
    parser.add_argument("--cases", type=int, default=10_000, metavar="N", help="(default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (default: 0)")
    parser.add_argument("--atheris", metavar="TARGET", help="run Atheris on that target instead")
    arguments = list(sys.argv[1:] if argv is None else argv)
    split = arguments.index("--") if "--" in arguments else len(arguments)
    args = parser.parse_args(arguments[:split])
    torch.set_num_threads(1)  # the pictures are small
    seeds = [Seed.of(path.read_bytes(), args.model) for path in args.files]
    if args.atheris:
        import atheris

        # Instrumenting torch as well would take hours: these modules parse the bytes.
        for module in (chunks, container, coder, tables):
            for thing in [module, *filter(inspect.isclass, vars(module).values())]:
                for function in filter(inspect.isfunction, list(vars(thing).values())):
                    if function.__module__ == module.__name__:
                        atheris.instrument_func(function)
        atheris.Setup(
            [sys.argv[0], *arguments[split + 1 :]], targets(seeds, args.model)[args.atheris]
        )
        atheris.Fuzz()
        return 0
    start, memory = time.perf_counter(), PeakMemory()
    found = run(seeds, args.model, args.cases, random.Random(args.seed))
    print(summary(found, time.perf_counter() - start, memory.mib()))
    return 0


def summary(found: collections.Counter[str], seconds: float, peak_mib: float | None) -> str:
    """A line for each outcome, and one for all files."""
    used = "" if peak_mib is None else f", peak memory {peak_mib:.0f} MiB"
    lines = [f"{name}: {count}" for name, count in found.most_common()]
    return "\n".join([*lines, f"{found.total()} files in {seconds:.0f} s{used}"])


if __name__ == "__main__":
    raise SystemExit(main())
