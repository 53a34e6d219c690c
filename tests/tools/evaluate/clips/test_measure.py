"""A row holds what its file and its frames are; other frames than were given are a failure."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from nacre.tools.evaluate.clips import measure as measuring
from nacre.tools.evaluate.clips.codec import ClipCodec, CodedClip, Conditions
from nacre.tools.evaluate.clips.measure import ClipTask, measure
from nacre.tools.evaluate.clips.reading import ClipInput, ClipPicture, Planes
from nacre.tools.evaluate.codecs.base import CodecFailed
from nacre.tools.evaluate.results import Failure, Row
from tests.codec.clips.made import Making, make

Change = Callable[[list[Planes]], list[Planes]]


class PlainClip(ClipCodec):
    """Keeps frames as they are, but for a change of all decoded planes."""

    key, suffix, parts_known = "plain", ".pkl", ""
    label = settings = version = "plain"
    change: Change = staticmethod(lambda frames: frames)

    def _take_parts(self, parts):
        return None

    def encode(self, clip: ClipInput, quality: float, path: Path) -> CodedClip:
        frames = [frame.planes for frame in clip.read()]
        path.write_bytes(pickle.dumps(frames))
        return CodedClip(range(1, len(frames) + 1), 2.0)

    def decode(self, path: Path, clip: ClipInput) -> Iterator[Planes]:
        yield from type(self).change(pickle.loads(path.read_bytes()))


def changed(change: Change) -> PlainClip:
    kind = type("Changed", (PlainClip,), {"change": staticmethod(change)})
    return kind("plain", {}, (), Conditions())


@pytest.fixture
def clip(clip_file) -> ClipInput:
    return ClipInput(str(clip_file), 4)


def test_a_lossless_codec_has_no_error(clip):
    row = measure(changed(lambda frames: frames), clip, 1)
    assert {row.psnr_rgb, row.psnr_y, row.psnr_cb, row.psnr_cr, row.psnr_yuv} == {99.0}
    data = pickle.dumps([frame.planes for frame in clip.read()])
    assert row.bytes == len(data) and row.sha256 == hashlib.sha256(data).hexdigest()[:16]
    assert row.bpp == pytest.approx(8 * len(data) / (4 * 64 * 48), abs=1e-6)
    assert [frame.bytes for frame in row.frames] == [1, 2, 3, 4]
    assert row.ms_ssim is None and row.encode_seconds is None and row.encode_fps is None


def test_luma_weighs_six_eighths(clip):
    row = measure(changed(lambda frames: [(y + 1, u + 2, v) for y, u, v in frames]), clip, 1)
    one, two = 20 * np.log10(255), 20 * np.log10(255 / 2)
    assert row.psnr_y == pytest.approx(one, abs=1e-5)
    assert row.psnr_cb == pytest.approx(two, abs=1e-5)
    assert row.psnr_yuv == pytest.approx((6 * one + two + 99) / 8, abs=1e-5)
    assert row.psnr_rgb < 60


def test_means_are_over_the_frames(clip):
    row = measure(
        changed(lambda frames: [*frames[:3], (frames[3][0] + 1, *frames[3][1:])]), clip, 1
    )
    assert [frame.psnr_y for frame in row.frames[:3]] == [99.0] * 3
    assert row.psnr_y == pytest.approx((3 * 99 + 20 * np.log10(255)) / 4, abs=1e-5)


def test_ms_ssim_is_a_mean_over_the_frames(tmp_path):
    making = Making("ffv1", width=176, height=162, pts=range(0, 9000, 3000))
    clip = ClipInput(str(make(tmp_path / "a.mkv", making)))
    row = measure(changed(lambda frames: [(y // 16 * 16, u, v) for y, u, v in frames]), clip, 1)
    own = [frame.ms_ssim for frame in row.frames]
    assert row.ms_ssim == pytest.approx(np.mean(own), abs=1e-6) and 0.3 < row.ms_ssim < 0.999


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frames: frames[:-1], "frame 3 is missing of 4"),
        (lambda frames: [*frames, frames[-1]], "other frames than the 4"),
        (lambda frames: [(y[:-2], u[:-1], v[:-1]) for y, u, v in frames], "gave"),
    ],
)
def test_other_frames_than_were_given_fail(clip, change, said):
    with pytest.raises(CodecFailed, match=said):
        measure(changed(change), clip, 1)


def test_seconds_are_of_the_codec_alone(clip, monkeypatch):
    reading = ClipInput.read

    def slowly(self) -> Iterator[ClipPicture]:
        for frame in reading(self):
            measuring.metrics.psnr_db(np.ones((700, 700)), 2)  # takes some milliseconds
            yield frame

    monkeypatch.setattr(ClipInput, "read", slowly)
    row = measure(changed(lambda frames: frames), clip, 1, is_timed=True)
    assert row.encode_seconds == 2.0 and row.encode_fps == 2
    assert 0 < row.decode_seconds < 0.01 and row.decode_fps == pytest.approx(4 / row.decode_seconds)


def test_a_failure_does_not_end_a_task(clip):
    task = ClipTask("x264", clip, (30.0, 7.5, 20.0), Conditions())
    kinds = [type(found) for found in task.rows()]
    assert kinds == [Row, Failure, Row]
    assert [type(f) for f in ClipTask("x264", ClipInput("no.mkv"), (1.0, 2.0), Conditions()).rows()] == [
        Failure, Failure
    ]  # fmt: skip


def test_files_of_the_codecs_are_deleted(clip, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert isinstance(next(ClipTask("x264", clip, (30.0,), Conditions()).rows()), Row)
    assert list(tmp_path.iterdir()) == []
