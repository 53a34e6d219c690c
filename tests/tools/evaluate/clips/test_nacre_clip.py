"""Our codec of clips writes .ncv files; a lossless stand-in codes their frames."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nacre.codec.clips import network_coder
from nacre.codec.clips.coding import FrameKind
from nacre.codec.clips.reader import VideoReader
from nacre.entropy.errors import UsageError
from nacre.models import zoo
from nacre.models.clip import ClipConfig, ClipNetwork
from nacre.tools.cli import main
from nacre.tools.evaluate.clips.codec import Conditions
from nacre.tools.evaluate.clips.measure import measure
from nacre.tools.evaluate.clips.reading import ClipInput
from nacre.tools.evaluate.clips.registry import create
from nacre.tools.evaluate.codecs.base import CodecMissing
from tests.codec.clips.clip_files import PlainCoder


@pytest.fixture
def asked(tiny, tmp_path, monkeypatch) -> list[object]:
    """What coders were asked for; there is a model for clips, and the coders are lossless."""
    monkeypatch.setenv("NACRE_MODELS", str(tmp_path / "models"))
    assert main(["models", "add", str(tiny)]) == 0
    network = ClipNetwork(ClipConfig(base=zoo.load_model(tiny).id.hex(), width=16))
    monkeypatch.setattr(zoo, "load_model", lambda name: SimpleNamespace(id=b"id", network=network))
    said: list[object] = []

    def to_encode(height, width, quality, effort, options):
        said.append((quality, effort, options))
        return PlainCoder(height, width)

    monkeypatch.setattr(network_coder, "coder_to_encode", to_encode)
    monkeypatch.setattr(
        network_coder, "coder_to_decode", lambda head, options: PlainCoder(head.height, head.width)
    )
    return said


def test_rgb_comes_back_as_the_coder_gives_it(asked, clip_file):
    row = measure(create("nacre", Conditions(gop=5)), ClipInput(str(clip_file)), 40)
    assert row.psnr_rgb == 99 and row.psnr_yuv > 50  # planes are made of RGB: at most a level off
    assert len(row.frames) == 12 and sum(f.bytes for f in row.frames) < row.bytes
    assert asked == [(40, 0, {"model": "clip", "device": "cpu", "precision": "float32"})]


@pytest.mark.parametrize(("name", "first"), [("nacre", [0, 5, 10]), ("nacre-intra", range(12))])
def test_groups_of_pictures(asked, clip_file, tmp_path, name, first):
    codec = create(name, Conditions(gop=5))
    found = codec.encode(ClipInput(str(clip_file)), 40, tmp_path / "a.ncv")
    with VideoReader(tmp_path / "a.ncv", coder=PlainCoder(48, 64)) as reader:
        frames = [
            frame for i in range(len(reader.file.gops)) for frame in reader.file.gop(i).frames
        ]
    kinds = [frame.payload.kind for frame in frames]
    assert [i for i, kind in enumerate(kinds) if kind == FrameKind.INTRA] == list(first)
    assert found.frame_bytes == [len(frame.payload.data) for frame in frames]


def test_model_and_options_reach_the_coder(asked, clip_file, tmp_path):
    codec = create("nacre-intra:my.safetensors@effort=2,precision=bfloat16", Conditions())
    codec.encode(ClipInput(str(clip_file), 1), 7, tmp_path / "a.ncv")
    assert asked == [(7, 2, {"model": "my.safetensors", "device": "cpu", "precision": "bfloat16"})]
    assert codec.label == "nacre my, all intra" and "--effort 2" in codec.settings


def test_without_a_model_for_clips_it_is_missing(monkeypatch, tiny):
    monkeypatch.setattr(network_coder, "DEFAULT_MODEL", "absent")
    with pytest.raises(CodecMissing, match="--model"):
        create("nacre", Conditions())
    with pytest.raises(UsageError, match="codes pictures"):
        create(f"nacre:{tiny}", Conditions())
