"""Decode mutated clips: each is refused, or shows only frames of the original clips.

    python -m nacre.tools.fuzz_clips FILES... --model FILE --cases 20000

Mutations change bytes, sizes and whole chunks; checksums of chunks are then corrected, so that they do not
catch the mutation.
"""

from __future__ import annotations

import argparse
import collections
import random
import time
import warnings
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from nacre import codec
from nacre.codec.chunks import SIGNATURE, chunk_to_bytes, read_chunks
from nacre.codec.clips.facts import ClipWarning
from nacre.codec.clips.payloads import Gop
from nacre.entropy.errors import NacreError
from nacre.tools.evaluate.memory import PeakMemory
from nacre.tools.fuzz import LIMITS, summary

LONGEST_SECONDS = 5.0  # of processor time, for one file
NEAR = 40  # bytes: heads of chunks are changed more often than later bytes


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Another file by one to three changes."""
    parts = [(c.kind, bytearray(c.checked())) for c in read_chunks(data)]
    for _ in range(rng.randint(1, 3)):
        kind, payload = parts[rng.randrange(len(parts))]
        choice = rng.randrange(6)
        if choice < 3 and payload:
            at = rng.randrange(min(len(payload), rng.choice([8, NEAR, 10**6])))
            payload[at] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
            if kind == Gop.TYPE and payload[0] < 128 and rng.random() < 0.7:
                end = 1 + payload[0]
                payload[end : end + 4] = zlib.crc32(payload[:end]).to_bytes(4, "little")
        elif choice == 3:
            del payload[rng.randrange(len(payload) + 1) :]
        elif choice == 4:
            parts.insert(rng.randrange(len(parts)), (kind, bytearray(payload)))
        else:
            parts.remove((kind, payload))
            if not parts:
                return b""
    out = SIGNATURE + b"".join(chunk_to_bytes(kind, bytes(payload)) for kind, payload in parts)
    if rng.random() < 0.3:
        changed = bytearray(out)
        changed[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
        return bytes(changed)
    return out


def frames_of(data: bytes, model: str | Path | None) -> list[bytes]:
    """The pixels of all shown frames. Raises NacreError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClipWarning)
        clip = codec.VideoReader(data, model=model, limits=LIMITS)
        return [frame.pixels.tobytes() for frame in clip]


def run(
    files: Sequence[bytes], model: str | Path | None, cases: int, rng: random.Random
) -> collections.Counter[str]:
    """Count the outcomes. Raises AssertionError with the hexadecimal digits of the file."""
    known = {frame for data in files for frame in frames_of(data, model)}
    found: collections.Counter[str] = collections.Counter()
    for _ in range(cases):
        data = mutated(rng.choice(files), rng)
        try:
            found[_outcome(data, model, known)] += 1
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__}: {error}: {data.hex()}") from error
    return found


def _outcome(data: bytes, model: str | Path | None, known: Iterable[bytes]) -> str:
    start = time.process_time()
    frames, message = [], ""
    try:
        frames = frames_of(data, model)
        found = "played" if frames else "no frame left"
    except NacreError as error:
        found, message = type(error).__name__, str(error)
    assert "\n" not in message, message
    assert all(frame in known for frame in frames), "a frame that no clip has"
    seconds = time.process_time() - start
    assert seconds < LONGEST_SECONDS, f"{seconds:.1f} s"
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="valid clips")
    parser.add_argument("--model", help="the path of their weights file (default: installed ones)")
    parser.add_argument("--cases", type=int, default=10_000, metavar="N", help="(default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (default: 0)")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)  # the frames are small
    start, memory = time.perf_counter(), PeakMemory()
    files = [path.read_bytes() for path in args.files]
    found = run(files, args.model, args.cases, random.Random(args.seed))
    print(summary(found, time.perf_counter() - start, memory.mib()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
