"""Clips through the networks: files are read back as they were written."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from nacre import codec
from nacre.codec.clips.coding import FrameKind
from nacre.codec.clips.facts import to_depth
from nacre.codec.clips.network_coder import NetworkGopCoder, coder_to_encode
from nacre.codec.run import Run
from nacre.entropy.errors import CorruptStream, UsageError
from tests.clip_models import moving

HEIGHT, WIDTH = 50, 61
FACTS = codec.VideoFacts(WIDTH, HEIGHT, Fraction(1, 25), Fraction(25))


def coder_of(model, *size: int, **options) -> NetworkGopCoder:
    """With networks alone: what the tiny ones draw costs more than JPEG."""
    coder = NetworkGopCoder(
        Run(model, torch.device("cpu")), *(size or (HEIGHT, WIDTH)), **{"quality": 70, **options}
    )
    coder._frames.encode_plain = lambda *_: None
    return coder


@pytest.fixture(scope="module")
def written(clip_model) -> tuple[list[np.ndarray], bytes]:
    frames, file = moving(5, HEIGHT, WIDTH), io.BytesIO()
    with codec.VideoWriter(file, FACTS, coder=coder_of(clip_model), gop=3) as clip:
        for pixels in frames:
            clip.write(pixels)
    return frames, file.getvalue()


def test_files_are_read_back(clip_model, written):
    _, data = written
    clip = codec.VideoReader(data, coder=coder_of(clip_model))
    assert len(clip) == 5 and [f.pts for f in clip] == list(range(5))
    kinds = [f.payload.kind for i in range(2) for f in clip.file.gop(i).frames]
    assert kinds == [
        FrameKind.INTRA,
        FrameKind.INTER,
        FrameKind.INTER,
        FrameKind.INTRA,
        FrameKind.INTER,
    ]
    batch = clip[:]
    assert batch.data.shape == (5, 3, HEIGHT, WIDTH)
    for i in (4, 1, 0, 2, -2):
        assert np.array_equal(clip[i].pixels, np.moveaxis(batch.data[i].numpy(), 0, 2))
    assert np.array_equal(clip.at(0.13).pixels, clip[3].pixels)
    assert np.array_equal(
        clip[3].pixels, next(codec.VideoReader(data, coder=coder_of(clip_model)).group(1)).pixels
    )


def test_a_group_is_coded_alike_whatever_was_coded_before(clip_model, written):
    """So that groups may be coded side by side."""
    coder, frames = coder_of(clip_model), written[0]
    first = coder.encode_gop(frames[:3])
    coder.encode_gop([255 - frame for frame in frames[:2]])
    assert coder.encode_gop(frames[:3]) == first
    assert not coder._rate.knows(FrameKind.INTRA)


def test_a_checksum_that_differs_is_told(clip_model, written):
    coder = coder_of(clip_model)
    payloads = coder.encode_gop(written[0][:2])
    object.__setattr__(payloads[1], "checksum", payloads[1].checksum ^ 1)
    frames = coder.decode_gop(payloads)
    next(frames)
    with pytest.raises(CorruptStream, match="frame 1"):
        next(frames)


def test_deep_frames_are_rounded(clip_model, written):
    coder = coder_of(clip_model)
    deep = [to_depth(pixels, 16) for pixels in written[0][:2]]
    assert coder.encode_gop(deep) == coder.encode_gop(written[0][:2])


def test_models_of_pictures_are_refused(tiny):
    with pytest.raises(UsageError, match="codes pictures"):
        coder_to_encode(HEIGHT, WIDTH, 70, 0, {"model": tiny})


def test_searches_by_gradient_work_in_a_group(clip_model):
    frames = moving(2, 48, 64)
    plain, searched = (
        coder_of(clip_model, 48, 64, quality=60, effort=effort).encode_gop(frames)
        for effort in (0, 1)
    )
    assert [p.data for p in plain] != [p.data for p in searched]
    assert len(list(coder_of(clip_model, 48, 64).decode_gop(searched))) == 2


def test_frames_of_several_qualities_are_read_back(clip_model, monkeypatch):
    """With a budget the quality of frames changes within a group, and the latent before with it."""
    run, frames = Run(clip_model, torch.device("cpu")), moving(4, 48, 64)
    coder = NetworkGopCoder(run, 48, 64, quality=20)
    asked = iter([70, 71, 69, 70, 66, 68])
    monkeypatch.setattr(coder._rate, "quality", lambda *_: next(asked))
    payloads = coder.encode_gop(frames, budget=1.0)
    assert [p.quality for p in payloads] == [70, 69, 70, 67]  # after one trial; steps of 3 at most
    assert len(list(NetworkGopCoder(run, 48, 64).decode_gop(payloads))) == 4


def test_a_frame_that_the_one_before_does_not_help_stands_by_itself(clip_model, monkeypatch):
    coder, frames = coder_of(clip_model, 48, 64, quality=60), moving(3, 48, 64)
    honest = coder._frames.encode_moved

    def wasteful(*arguments):
        coded = honest(*arguments)
        return replace(coded, data=coded.data + bytes(10_000))

    monkeypatch.setattr(coder._frames, "encode_moved", wasteful)
    payloads = coder.encode_gop(frames)
    assert [p.kind for p in payloads] == [FrameKind.INTRA] * 3
    assert len(list(coder_of(clip_model, 48, 64).decode_gop(payloads))) == 3
    assert list(coder_of(clip_model, 48, 64).decode_gop(payloads[2:]))  # it needs no other
