"""Codecs are given the samples of the file where it has 4:2:0 of 8 bits, and the same frames as RGB."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from nacre.codec.clips.facts import Range
from nacre.codec.clips.source import frames_of_source, open_source
from nacre.entropy.errors import ImageError
from nacre.tools.evaluate.clips.reading import ClipInput
from tests.codec.clips import made
from tests.codec.clips.made import Making, make


def at_rate(path: Path, rate: int) -> Path:
    """Three grey frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((24, 16), 128, np.uint8), "yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_planes_of_420_are_those_of_the_file(clip_file):
    found = [frame.planes for frame in ClipInput(str(clip_file)).read()]
    wanted = made.planes(clip_file)
    assert len(found) == len(wanted) == 12
    assert all(
        np.array_equal(a, b)
        for one, other in zip(found, wanted, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def test_pixels_are_those_that_encode_sees(clip_file):
    found = [frame.pixels for frame in ClipInput(str(clip_file)).read()]
    wanted = [frame.pixels for frame in frames_of_source(open_source(clip_file))]
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize(("width", "height"), [(64, 48), (37, 21)])
def test_pictures_keep_their_pixels_and_get_planes_of_bt_709(tmp_path, width, height):
    pictures = [made.picture(i, height, width) for i in range(3)]
    for i, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(tmp_path / f"{i:03}.png")
    clip = ClipInput(str(tmp_path / "%03d.png"))
    frames = list(clip.read())
    assert np.array_equal([frame.pixels for frame in frames], pictures)
    assert clip.name == tmp_path.name
    assert (clip.facts.matrix, clip.facts.range) == (1, Range.LIMITED)
    luma = pictures[0] @ [0.2126, 0.7152, 0.0722] * 219 / 255 + 16
    assert np.abs(frames[0].planes[0] - luma).max() < 0.51
    assert frames[0].planes[1].shape == (-(-height // 2), -(-width // 2))


def test_deep_clips_become_8_bits(tmp_path):
    making = Making("ffv1", "yuv444p10le", pts=range(0, 9000, 3000))
    clip = ClipInput(str(make(tmp_path / "deep.mkv", making)))
    assert [frame.pixels.dtype for frame in clip.read()] == [np.uint8] * 3
    assert clip.facts.pixel_format == "yuv420p"


def test_the_first_frames_alone_are_read(clip_file):
    assert len(list(ClipInput(str(clip_file), 5).read())) == 5
    assert ClipInput(str(clip_file), 5).facts_for_results().clip.frames == 5
    assert ClipInput(str(clip_file), 50).facts_for_results().clip.frames == 12


def test_a_clip_is_known_by_its_samples(clip_file, tmp_path):
    def digest(path: Path, frames: int | None = None) -> str:
        return ClipInput(str(path), frames).facts_for_results().sha256

    same = shutil.copy(clip_file, tmp_path / "other.mkv")
    assert digest(same) == digest(clip_file) != digest(clip_file, 11)
    coarser = Making(pts=range(0, 12 * 3000, 3000), options={"crf": "30"})
    assert digest(make(tmp_path / "coarse.mkv", coarser)) != digest(clip_file)


def test_the_rate_is_a_part_of_what_codecs_are_given(tmp_path):
    slow, fast = (ClipInput(str(at_rate(tmp_path / f"{rate}.mkv", rate))) for rate in (25, 50))
    assert (slow.rate, fast.rate) == (25, 50)
    assert slow.facts_for_results().sha256 != fast.facts_for_results().sha256


@pytest.mark.parametrize(("rate", "told"), [(24, 24), (240, 240), (1000, 25)])
def test_encoders_are_told_a_usual_rate(tmp_path, rate, told):
    assert ClipInput(str(at_rate(tmp_path / "a.mkv", rate))).rate == told


def test_what_is_no_clip_raises(tmp_path, clip_file):
    (tmp_path / "text.mp4").write_text("no clip")
    with pytest.raises(ImageError):
        list(ClipInput(str(tmp_path / "text.mp4")).read())
