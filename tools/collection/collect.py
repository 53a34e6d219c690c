"""Make shards of training tiles from the photographs in the git repositories that a recipe lists.

    $ git clone --mirror https://github.com/owner/name clones/owner+name    # each source of the recipe
    $ python -m nacre.tools.collection.collect SOURCES.toml OUT --repositories clones --held-out kodak

SOURCES.toml is a recipe such as tools/collection/sources/photographs.toml. OUT/photos-000.tar and so on hold
AVIF tiles of 512x512; OUT/summary.json counts them by source. A second run continues the first; after a change
of the recipe it repeats only the affected work. --sheets writes contact sheets of the photographs: to reject a
picture, add its name to `leave_out` of its source and run again.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from nacre.entropy.errors import NacreError, UsageError
from nacre.tools.collection.git_pictures import (
    PictureFile,
    find_clone,
    matches,
    picture_files,
    read,
)
from nacre.tools.collection.photograph_sources import Source, read_recipe, slug
from nacre.tools.collection.photographs import (
    TILE,
    NotAPhotograph,
    Signature,
    Signatures,
    cut,
    look,
    signature,
)
from nacre.tools.collection.tile_shards import (
    MAX_SHARD_BYTES,
    ShardWriter,
    content_of,
    shuffled,
    tar_of,
    write_whole,
)

MIN_BYTES = 100_000
QUALITY, SPEED = 95, 9  # of AVIF, 4:4:4: the PSNR of quality 92 at speed 8 in a quarter of the time
ID_DIGITS = 12  # of the hash of a blob, in names of tiles
SHEET_COLUMNS, SHEET_ROWS, SHEET_CELL = 8, 6, 200


@dataclass
class Looked:
    """The result of inspecting one file, kept in looked.jsonl of the work folder."""

    blob: str
    reason: str = ""  # why it is not a photograph; empty where it may be one
    whole: int = 0  # hash, as in Signature
    middle: int = 0

    @property
    def signature(self) -> Signature:
        return Signature(self.whole, self.middle)


@dataclass
class Photograph:
    """A file that may be a photograph, in the clone of its source."""

    source: Source
    file: PictureFile
    clone: Path

    @property
    def tile_name(self) -> str:
        stem = slug(Path(self.file.path).stem, 32)
        return f"{self.source.folder}/{stem}-{self.file.blob[:ID_DIGITS]}"


@dataclass
class Tally:
    """Counts by source, and the reasons for which files were not taken."""

    candidates: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    photographs: Counter[str] = field(default_factory=Counter)
    tiles: Counter[str] = field(default_factory=Counter)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", type=Path, metavar="SOURCES.toml", help="the recipe")
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder for the shards")
    parser.add_argument(
        "--repositories", type=Path, required=True, metavar="FOLDER", help="of the git clones"
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="pictures to exclude, with their copies: a folder or .tar of pictures, or a .txt of git hashes "
        "and 64-bit picture hashes in hexadecimal; may be repeated",
    )
    parser.add_argument(
        "--tiles", type=int, default=6, metavar="N", help="of one photograph, at most (default: 6)"
    )
    parser.add_argument(
        "--shard-bytes", type=int, default=32_000_000, metavar="N", help="(default: 32000000)"
    )
    parser.add_argument("--sheets", type=Path, metavar="FOLDER", help="write contact sheets there")
    args = parser.parse_args(argv)
    try:
        collect(args)
    except NacreError as error:
        print(f"collect: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


def collect(args: argparse.Namespace) -> None:
    """Write the shards and the summary. Raises UsageError."""
    if not 0 < args.shard_bytes <= MAX_SHARD_BYTES:
        raise UsageError(f"a shard has 1 to {MAX_SHARD_BYTES} bytes, not {args.shard_bytes}")
    sources = read_recipe(args.sources)
    (args.out / "work").mkdir(parents=True, exist_ok=True)
    tally = Tally()
    held_out = read_held_out(args.held_out)
    photographs = choose(sources, args.repositories, args.out / "work", held_out, tally)
    if args.sheets:
        write_sheets(photographs, args.out / "work", args.sheets)
    shards = ShardWriter(args.out, args.shard_bytes)
    for count, photograph in enumerate(photographs, 1):
        at_most = photograph.source.tiles or args.tiles
        tiles = cached_tiles(photograph, args.out / "work" / "tiles", at_most)
        if isinstance(tiles, str):
            tally.reasons[photograph.source.repository][tiles] += 1
            continue
        tally.photographs[photograph.source.repository] += 1
        tally.tiles[photograph.source.repository] += len(tiles)
        shards.add((f"{photograph.tile_name}-{i}.avif", tile) for i, tile in enumerate(tiles))
        if count % 50 == 0:
            print(f"{count} of {len(photographs)} photographs, {shards.tiles} tiles", flush=True)
    shards.finish()
    summary = summarise(sources, tally)
    write_whole(args.out / "summary.json", json.dumps(summary, indent=1).encode() + b"\n")
    print(
        f"{summary['photographs']} photographs, {summary['tiles']} tiles, "
        f"{summary['megapixels']} megapixels in {args.out}"
    )


@dataclass
class HeldOut:
    """Pictures that no tile may come from, by signature and by git hash."""

    signatures: Signatures = field(default_factory=Signatures)
    blobs: tuple[str, ...] = ()  # first or last digits of git hashes

    def has_blob(self, blob: str) -> bool:
        return any(blob.startswith(part) or blob.endswith(part) for part in self.blobs)


def read_held_out(paths: Iterable[Path]) -> HeldOut:
    """Read folders, tar files and lists. Raises UsageError."""
    held_out, blobs = HeldOut(), []
    for name, data in (item for path in paths for item in _files(path)):
        if name.endswith(".txt"):
            for word in data.decode().split():
                if len(word) == 16:
                    held_out.signatures.add(Signature(int(word, 16), int(word, 16)))
                else:
                    blobs.append(word)
            continue
        tile = re.search(r"-([0-9a-f]{6,40})-\d+\.avif$", name)
        if tile:
            blobs.append(tile[1])
        try:
            held_out.signatures.add(signature(Image.open(io.BytesIO(data)).convert("RGB")))
        except OSError as error:
            raise UsageError(f"{name}: a held-out file that is not a picture") from error
    held_out.blobs = tuple(blobs)
    return held_out


def choose(
    sources: list[Source], clones: Path, work: Path, held_out: HeldOut, tally: Tally
) -> list[Photograph]:
    """Choose the photographs, in the shuffled order of the shards; of several copies the first is taken.

    Held-out photographs are found first, so that their copies are recognised in every source.
    """
    found = [item for source in sources for item in _candidates(source, clones, tally)]
    looked = _look_at_all(found, work)
    for photograph in found:
        if held_out.has_blob(photograph.file.blob) and not looked[photograph.file.blob].reason:
            held_out.signatures.add(looked[photograph.file.blob].signature)
    taken: dict[str, Photograph] = {}
    known = Signatures()
    for photograph in found:
        blob, reasons = photograph.file.blob, tally.reasons[photograph.source.repository]
        reason = looked[blob].reason
        if not reason and held_out.signatures.has_near(looked[blob].signature):
            reason = "held out"
        if not reason and known.has_near(looked[blob].signature):
            reason = "copy"
        if reason:
            reasons[reason] += 1
            continue
        known.add(looked[blob].signature)
        if blob.startswith(
            photograph.source.leave_out
        ):  # only now, since its copies must be recognised, too
            reasons["left out by eye"] += 1
            continue
        taken[blob] = photograph
    return [taken[blob] for blob in sorted(taken, key=shuffled)]


def _candidates(source: Source, clones: Path, tally: Tally) -> list[Photograph]:
    clone = find_clone(clones, source.repository)
    files = [
        file
        for file in picture_files(clone, source.revision)
        if file.size_bytes >= MIN_BYTES
        and matches(file.path, source.take)
        and not matches(file.path, source.skip)
    ]
    if source.every > 1:
        files = sorted(files, key=lambda file: (file.path, file.blob))[:: source.every]
    if source.per_folder:
        seen: Counter[str] = Counter()
        kept = []
        for file in files:
            parent = str(Path(file.path).parent)
            seen[parent] += 1
            if seen[parent] <= source.per_folder:
                kept.append(file)
        files = kept
    tally.candidates[source.repository] = len(files)
    return [Photograph(source, file, clone) for file in files]


def _look_at_all(found: list[Photograph], work: Path) -> dict[str, Looked]:
    """Look at every file that work/looked.jsonl lacks; write small copies to work/small."""
    known: dict[str, Looked] = {}
    store = work / "looked.jsonl"
    if store.exists():
        for line in store.read_text().splitlines():
            if line.endswith("}"):  # an interrupted run may have left a partial line
                entry = Looked(**json.loads(line))
                known[entry.blob] = entry
    (work / "small").mkdir(exist_ok=True)
    with store.open("a") as log:
        for photograph in found:
            blob = photograph.file.blob
            if blob not in known:
                known[blob] = _look(photograph, work / "small")
                log.write(json.dumps(asdict(known[blob])) + "\n")
                log.flush()
    return known


def _look(photograph: Photograph, small_copies: Path) -> Looked:
    blob = photograph.file.blob
    try:
        signature, small = look(read(photograph.clone, blob))
    except NotAPhotograph as reason:
        return Looked(blob, str(reason))
    except Exception as error:  # one bad file must not stop the others
        print(f"{photograph.file.path} ({blob}): {error}", file=sys.stderr)
        return Looked(blob, "unreadable")
    small.save(small_copies / f"{blob}.jpg", quality=85)
    return Looked(blob, "", signature.whole, signature.middle)


def cached_tiles(photograph: Photograph, folder: Path, at_most: int) -> list[bytes] | str:
    """The coded tiles of a photograph, or the reason why it has none; kept in `folder`."""
    kept = folder / f"{photograph.file.blob}-{at_most}-{QUALITY}-{SPEED}.tar"
    if not kept.exists():
        folder.mkdir(exist_ok=True)
        try:
            tiles = cut(read(photograph.clone, photograph.file.blob), photograph.file.blob, at_most)
            members = [(f"{i}.avif", _coded(Image.fromarray(tile))) for i, tile in enumerate(tiles)]
        except NotAPhotograph as reason:
            members = [("reason.txt", str(reason).encode())]
        except Exception as error:  # one bad file must not stop the others
            print(f"{photograph.file.path} ({photograph.file.blob}): {error}", file=sys.stderr)
            members = [("reason.txt", b"unreadable")]
        write_whole(kept, tar_of(members))
    with tarfile.open(kept) as tar:
        contents = {m.name: content_of(tar, m) for m in tar}
    if "reason.txt" in contents:
        return contents["reason.txt"].decode()
    return list(contents.values())


def write_sheets(photographs: list[Photograph], work: Path, folder: Path) -> None:
    """Write contact sheets of each source, each picture with the first digits of its git hash."""
    folder.mkdir(parents=True, exist_ok=True)
    by_source: dict[str, list[Photograph]] = defaultdict(list)
    for photograph in photographs:
        by_source[photograph.source.folder].append(photograph)
    page = SHEET_COLUMNS * SHEET_ROWS
    for name, members in by_source.items():
        members.sort(key=lambda photograph: photograph.file.path)
        for start in range(0, len(members), page):
            sheet = Image.new("RGB", (SHEET_COLUMNS * SHEET_CELL, SHEET_ROWS * SHEET_CELL))
            for i, photograph in enumerate(members[start : start + page]):
                x, y = i % SHEET_COLUMNS * SHEET_CELL, i // SHEET_COLUMNS * SHEET_CELL
                with Image.open(work / "small" / f"{photograph.file.blob}.jpg") as small:
                    sheet.paste(small, (x, y))
                label = photograph.file.blob[:8]
                ImageDraw.Draw(sheet).text(
                    (x + 4, y + 4), label, "white", stroke_width=2, stroke_fill="black"
                )
            sheet.save(folder / f"{name}-{start // page:02d}.png")


def summarise(sources: list[Source], tally: Tally) -> dict[str, Any]:
    """The content of summary.json."""
    entries = []
    for source in sources:
        key = source.repository
        tiles = tally.tiles[key]
        entries.append(
            {
                "repository": key,
                "licence": source.licence,
                "candidates": tally.candidates[key],
                "photographs": tally.photographs[key],
                "tiles": tiles,
                "megapixels": _megapixels(tiles),
                "not_taken": dict(sorted(tally.reasons[key].items())),
            }
        )
    tiles = tally.tiles.total()
    return {
        "photographs": tally.photographs.total(),
        "tiles": tiles,
        "megapixels": _megapixels(tiles),
        "sources": entries,
    }


def _megapixels(tiles: int) -> float:
    return round(tiles * TILE * TILE / 1e6, 1)


def _coded(tile: Image.Image) -> bytes:
    out = io.BytesIO()
    tile.save(out, "AVIF", quality=QUALITY, speed=SPEED, subsampling="4:4:4", max_threads=1)
    return out.getvalue()


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            yield file.name, file.read_bytes()
    elif path.suffix == ".tar" and path.is_file():
        with tarfile.open(path) as tar:
            for member in tar:
                yield member.name, content_of(tar, member)
    elif path.is_file():
        yield path.name, path.read_bytes()
    else:
        raise UsageError(f"{path}: no such file or folder")


if __name__ == "__main__":
    sys.exit(main())
