"""`verify` tells whole, cut, damaged and undecodable apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nacre import codec
from nacre.codec import checksums
from nacre.codec.container import Alpha, End, Stream
from nacre.codec.verify import verify


@pytest.fixture(scope="module")
def data(tiny, photo) -> bytes:
    return codec.encode(photo, quality=10, model=tiny)


def state(data, model=None, **options):
    found = verify(data, model=model, **options)
    return found.is_whole, found.is_damaged, found.is_decodable, found.remarks


def test_a_whole_file(data, tiny):
    assert state(data, tiny) == (True, False, True, ())
    chunks = verify(data, model=tiny).chunks
    assert [c.kind for c in chunks] == ["HEAD", "LATN", "TEND"] and chunks[0].at == 8
    assert sum(c.size for c in chunks) + 8 == len(data)


def test_a_file_whose_model_is_not_here(data):
    whole, damaged, decodable, (why,) = state(data)
    assert (whole, damaged, decodable) == (True, False, False) and "written with model" in why


def test_a_cut_file(data, tiny):
    whole, damaged, decodable, (why,) = state(data[:-3], tiny)
    assert (whole, damaged, decodable) == (False, False, True) and "coarser" in why
    assert state(data[:40], tiny)[:3] == (False, False, False)


@pytest.mark.parametrize(
    ("at", "what"), [(20, "HEAD at byte 8"), (80, "LATN at byte 38"), (-1, "TEND at byte")]
)
def test_damage_is_named_with_its_place(data, tiny, at, what):
    damaged = bytearray(data)
    damaged[at] ^= 1
    _, is_damaged, decodable, remarks = state(bytes(damaged), tiny)
    assert is_damaged and not decodable and what in remarks[0]


def test_damage_that_checksums_of_chunks_do_not_see(data, tiny):
    from nacre.codec.chunks import SIGNATURE, chunk_to_bytes, read_chunks

    parts = [(c.kind, c.checked()) for c in read_chunks(data)]
    parts[1] = (parts[1][0], parts[1][1][:-9] + b"\x55" + parts[1][1][-8:])
    damaged = SIGNATURE + b"".join(chunk_to_bytes(*part) for part in parts)
    assert state(damaged, tiny)[:3] == (True, True, False)


def test_what_is_no_file_of_ours(tiny):
    assert state(b"GIF89a and so on", tiny)[1:3] == (True, False)
    assert state(b"", tiny)[:3] == (False, False, False)


def test_transparency_that_is_no_plane_is_damage_behind_right_checksums(photo):
    """A file without a latent: its checksum of symbols is 0, so that the file's can be made anew."""
    image = photo.copy()
    image.putalpha(photo.convert("L"))
    stream = Stream.from_bytes(codec.encode(image, lossless=True))
    assert state(stream.to_bytes()) == (True, False, True, ())
    garbage = Alpha(b"\1garbage")
    of_tiles = [checksums.tile_checksum(0, cells) for cells in stream.cells]
    end = End(checksums.file_checksum(stream.head, garbage, of_tiles))
    broken = replace(stream, alpha=garbage, end=end).to_bytes()
    assert state(broken)[:3] == (True, True, False)
