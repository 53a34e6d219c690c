"""Video encoders: bare streams, low delay and random access, groups of pictures, names."""

from __future__ import annotations

from itertools import pairwise

import av
import pytest
from av.video.frame import PictureType

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.clips.codec import Conditions
from nacre.tools.evaluate.clips.reading import ClipInput
from nacre.tools.evaluate.clips.registry import CLIP_CODECS, DEFAULT, create
from nacre.tools.evaluate.codecs.base import CodecFailed, CodecMissing
from nacre.tools.evaluate.metrics import psnr_db
from tests.codec.clips.made import Making, make

ENCODERS = {"x264": "libx264", "x265": "libx265", "svtav1": "libsvtav1", "aom": "libaom-av1",
            "vp9": "libvpx-vp9"}  # fmt: skip
HERE = [key for key, encoder in ENCODERS.items() if encoder in av.codecs_available]
IVF_HEADS = (32, 12)  # bytes of the file and of a frame
NAMES = [f"{key}{delay}" for key in HERE for delay in ("", "-lowdelay")]


def coded(name, clip, path, quality=None, **conditions):
    """The codec, what it says of the file, and the luma of the frames that come back."""
    codec = create(name, Conditions(**conditions))
    found = codec.encode(clip, codec.qualities[-1] if quality is None else quality, path)
    return codec, found, [planes[0] for planes in codec.decode(path, clip)]


@pytest.mark.parametrize("name", NAMES)
def test_frames_come_back_in_order(name, clip_file, tmp_path):
    clip = ClipInput(str(clip_file))
    codec, found, decoded = coded(name, clip, tmp_path / "a")
    source = [frame.planes[0] for frame in clip.read()]
    for i, luma in enumerate(decoded):
        found_psnr = [psnr_db(luma, other) for other in source]
        assert found_psnr.index(max(found_psnr)) == i and max(found_psnr) > 30
    assert len(found.frame_bytes) == len(decoded) == 12
    heads = IVF_HEADS[0] + 12 * IVF_HEADS[1] if codec.suffix == ".ivf" else 0
    assert (tmp_path / "a").stat().st_size == sum(found.frame_bytes) + heads


@pytest.mark.parametrize("name", NAMES)
def test_with_low_delay_later_frames_change_nothing(name, clip_file, tmp_path):
    """The file of the first frames is that of all, cut behind them; with random access it is another."""
    codec, whole, _ = coded(name, ClipInput(str(clip_file)), tmp_path / "whole")
    coded(name, ClipInput(str(clip_file), 5), tmp_path / "part")
    head, frame_head = IVF_HEADS if codec.suffix == ".ivf" else (0, 0)
    end = head + sum(whole.frame_bytes[:5]) + 5 * frame_head
    part = (tmp_path / "part").read_bytes()[head:]  # IVF counts the frames in its head
    assert (part == (tmp_path / "whole").read_bytes()[head:end]) is codec.is_low_delay


@pytest.mark.parametrize("name", ["x264", "x265"])
def test_random_access_has_frames_of_both_directions(name, clip_file, tmp_path):
    for delay, wanted in (("", True), ("-lowdelay", False)):
        coded(name + delay, ClipInput(str(clip_file)), tmp_path / "a")
        with av.open(str(tmp_path / "a")) as container:
            kinds = {frame.pict_type for frame in container.decode(video=0)}
        assert (PictureType.B in kinds) is wanted


@pytest.mark.parametrize("name", NAMES)
def test_intra_frames_come_at_least_so_often(name, clip_file, tmp_path):
    coded(name, ClipInput(str(clip_file)), tmp_path / "a", gop=4)
    with av.open(str(tmp_path / "a")) as container:
        keys = [i for i, frame in enumerate(container.decode(video=0)) if frame.key_frame]
    assert keys[0] == 0 and all(b - a <= 4 for a, b in pairwise([*keys, 12]))


@pytest.mark.parametrize("name", HERE)
def test_the_worst_quality_stands_first(name, clip_file, tmp_path):
    clip = ClipInput(str(clip_file), 4)
    qualities = create(name, Conditions()).qualities
    sizes = [
        sum(coded(name, clip, tmp_path / "a", q)[1].frame_bytes)
        for q in (qualities[0], qualities[-1])
    ]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("name", [f"{key}-lowdelay" for key in HERE])
def test_odd_sides_come_back(name, tmp_path):
    making = Making("ffv1", width=67, height=45, pts=range(0, 9000, 3000))
    clip = ClipInput(str(make(tmp_path / "odd.mkv", making)))
    codec, _, _ = coded(name, clip, tmp_path / "a")
    for planes, frame in zip(codec.decode(tmp_path / "a", clip), clip.read(), strict=True):
        assert [p.shape for p in planes] == [(45, 67), (23, 34), (23, 34)]
        assert psnr_db(planes[0], frame.planes[0]) > 30


@pytest.mark.parametrize("name", ["x264", "x265"])
def test_streams_hold_no_settings_as_text(name, clip_file, tmp_path):
    coded(name, ClipInput(str(clip_file)), tmp_path / "a")
    assert name.encode() not in (tmp_path / "a").read_bytes()


def test_the_name_and_the_options_reach_the_encoder():
    options = {
        name: create(name, Conditions(gop=9)).settings
        for name in ("x264-slow", "x264-lowdelay", "x265-fast@tune=none", "vp9-5-lowdelay")
    }
    assert "-preset slow -tune psnr -crf Q -g 9" in options["x264-slow"]
    assert "-tune psnr,zerolatency" in options["x264-lowdelay"]
    assert "-preset fast" in options["x265-fast@tune=none"]
    assert "tune" not in options["x265-fast@tune=none"]
    assert "-cpu-used 5" in options["vp9-5-lowdelay"]
    assert "-lag-in-frames 0" in options["vp9-5-lowdelay"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("h264", "one of nacre, x264"),
        ("x264-quick", "'quick' is no part"),
        ("svtav1-99", "'99' is no part"),
        ("x264@size=3", "no option size"),
        ("nacre-inter", "'inter' is no part"),
    ],
)
def test_wrong_names_are_told(name, said):
    with pytest.raises(UsageError, match=said):
        create(name, Conditions())


def test_what_this_build_lacks_is_missing(monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"h264", "libx264"})
    create("x264", Conditions())
    for name in ("aom", "x265", "svtav1", "vp9"):
        with pytest.raises(CodecMissing, match="built without"):
            create(name, Conditions())


def test_a_damaged_file_fails(clip_file, tmp_path):
    codec, _, _ = coded("x264", ClipInput(str(clip_file)), tmp_path / "a")
    (tmp_path / "a").write_bytes(b"nothing of the kind")
    with pytest.raises(CodecFailed):
        list(codec.decode(tmp_path / "a", ClipInput(str(clip_file))))


def test_the_default_codecs_exist():
    assert {name.split("-")[0] for name in DEFAULT.split(",")} == set(CLIP_CODECS)
