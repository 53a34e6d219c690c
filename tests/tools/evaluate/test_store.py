"""Rows are appended, found by what decides them, and survive a kill."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.curves import read
from nacre.tools.evaluate.results import CodecResult, Failure, Machine, Row
from nacre.tools.evaluate.store import FIRST_LINE, Setup, Store, read_codecs

MACHINE = Machine("CPU", 2, 1, 1, False, "3.10", "2.4", "Linux x86_64", "2026-01-01")
CODEC = CodecResult("jpeg", "JPEG", "save(Q)", "Pillow 1")


def row(picture="a.png", quality=50.0, bytes=100):
    bpp, psnr = bytes / 1000, 20 + bytes / 100
    return Row(
        picture=picture, quality=quality, bytes=bytes, bpp=bpp, psnr_rgb=psnr,
        psnr_y=psnr, psnr_cb=psnr, psnr_cr=psnr,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    """Three rows of two pictures and a failure."""
    path = tmp_path / "r.jsonl"
    setup = Setup.of(CODEC, MACHINE)
    with Store(path) as store:
        store.add(setup, "set", "aa", row())
        store.add(setup, "set", "aa", row(quality=80.0, bytes=200))
        store.add(setup, "set", "bb", Failure("b.png", 50.0, "no"))
        store.add(setup, "set", "bb", row("b.png"))
    return path


def test_rows_are_found_in_a_later_run(path):
    with Store(path) as store:
        setup = Setup.of(CODEC, MACHINE)
        assert store.find(setup, "aa", 80.0) == row(quality=80.0, bytes=200)
        assert store.find(setup, "bb", 80.0) is None and store.find(setup, "cc", 50.0) is None
        assert store.setups_of("jpeg") == [setup] and store.setups_of("webp") == []


@pytest.mark.parametrize(
    "other",
    [
        Setup.of(replace(CODEC, settings="save(Q, x)"), MACHINE),
        Setup.of(replace(CODEC, version="Pillow 2"), MACHINE),
        Setup.of(replace(CODEC, codec="jpeg@x=1"), MACHINE),
        Setup.of(CODEC, replace(MACHINE, timed=True)),
        Setup.of(CODEC, replace(MACHINE, threads=2)),
    ],
)
def test_whatever_decides_a_row_is_part_of_its_key(path, other):
    with Store(path) as store:
        assert store.find(other, "aa", 50.0) is None


def test_a_faster_machine_decides_seconds_alone():
    faster = replace(MACHINE, processor="CPU 2", date="2027-01-01", jobs=9)
    assert Setup.of(CODEC, faster) == Setup.of(CODEC, MACHINE)
    timed = [Setup.of(CODEC, replace(m, timed=True)) for m in (MACHINE, faster)]
    assert timed[0].id != timed[1].id


def test_whatever_a_kill_leaves_is_read_and_gone_on_from(path):
    data = path.read_bytes()
    whole = Setup.of(CODEC, MACHINE)
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with Store(path) as store:
            store.add(whole, "set", "cc", row("c.png"))
        with Store(path) as store:
            assert store.find(whole, "cc", 50.0) == row("c.png")
            kept = data[:size].count(b'"kind":"row"')
            found = [store.find(whole, *k) for k in (("aa", 50.0), ("aa", 80.0), ("bb", 50.0))]
            assert kept - 1 <= sum(r is not None for r in found) <= kept
        assert path.read_bytes().startswith(data[: data[: size + 1].rfind(b"\n") + 1])


def test_two_files_can_be_joined(path, tmp_path):
    with Store(tmp_path / "other.jsonl") as store:
        store.add(Setup.of(CODEC, replace(MACHINE, threads=2)), "set", "dd", row("d.png"))
    path.write_bytes(path.read_bytes() + (tmp_path / "other.jsonl").read_bytes())
    with Store(path) as store:
        assert store.find(Setup.of(CODEC, MACHINE), "aa", 50.0)
        assert store.find(Setup.of(CODEC, replace(MACHINE, threads=2)), "dd", 50.0)


def test_the_newest_rows_of_a_codec_make_its_curve(path):
    assert read(str(path)).curve.quality.tolist() == [21, 22]  # b.png lacks a quality
    with Store(path) as store:
        newer = Setup.of(replace(CODEC, version="Pillow 2"), MACHINE)
        store.add(newer, "other", "aa", row(bytes=300))
        store.add(newer, "other", "aa", row(bytes=400, quality=80.0))
    found = read(f"{path}:jpeg").curve
    assert found.quality.tolist() == [23, 24] and found.dataset == "other"
    assert list(read_codecs(path)) == ["jpeg"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"kind":"row","setup":"a","dataset":"s","content":"c"}', "line 7: .*field `row`"),
        (b'{"kind":"row","setup":1,"dataset":"s","content":"c"}', r"line 7: .*at `\$\.setup`"),
        (b'{"kind":"failure","setup":"a","dataset":"s","content":"c","failure":{"picture":1}}',
         r"line 7: .*at `\$\.failure\.picture`"),
        (b'{"kind":"cow"}', r"line 7: .*'cow' - at `\$\.kind`"),
        (b"[1]", "line 7"),
        (b'{"kind":"row"', "line 7: .*truncated"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_with_its_file_and_field(path, line, said):
    path.write_bytes(path.read_bytes() + line + b"\n")
    before = path.read_bytes()
    with pytest.raises(UsageError, match=rf"r\.jsonl, {said}"):
        Store(path)
    with pytest.raises(UsageError, match=rf"r\.jsonl, {said}"):
        read(str(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("data", [b"notes of mine\n", b'{"a": 1}\n', b'{"kind":"row"}', b"\n"])
def test_another_file_is_not_touched(tmp_path, data):
    (tmp_path / "r.jsonl").write_bytes(data)
    with pytest.raises(UsageError, match=r"r\.jsonl"):
        Store(tmp_path / "r.jsonl")
    assert (tmp_path / "r.jsonl").read_bytes() == data


def test_a_row_without_its_setup_is_refused(path):
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines[0] == FIRST_LINE
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    with pytest.raises(UsageError, match="which no line describes"):
        read(str(path))
