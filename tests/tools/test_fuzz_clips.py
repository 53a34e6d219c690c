"""Mutated clips are refused or show frames of the clips at hand; the fuzzer finds frames of no clip."""

from __future__ import annotations

import random
from fractions import Fraction
from types import SimpleNamespace

import pytest

from nacre import codec
from nacre.codec.clips import frames
from nacre.tools import fuzz_clips
from tests.clip_models import moving

FACTS = codec.VideoFacts(32, 16, Fraction(1, 25), Fraction(25))


@pytest.fixture
def clips(clip_folder, tmp_path, monkeypatch) -> tuple[list[str], str]:
    """Two files and the path of their model."""
    monkeypatch.setenv("NACRE_MODELS", str(clip_folder / "models"))
    model, files = str(clip_folder / "clip.safetensors"), []
    for count, quality in ((4, 70), (2, 20)):
        files.append(str(tmp_path / f"{count}.ncv"))
        with codec.VideoWriter(files[-1], FACTS, quality=quality, gop=2, model=model) as clip:
            for pixels in moving(count, 16, 32):
                clip.write(pixels)
    return files, model


def test_mutated_clips_are_refused_or_play(clips, capsys):
    files, model = clips
    assert fuzz_clips.main([*files, "--model", model, "--cases", "150"]) == 0
    said = capsys.readouterr().out
    assert "played" in said and "CorruptStream" in said and "150 files in" in said


def test_the_fuzzer_finds_frames_of_no_clip(clips, monkeypatch):
    """Without motion, quality and symbols in the checksum a changed frame would be shown."""
    files, model = clips
    monkeypatch.setattr(frames, "zlib", SimpleNamespace(crc32=lambda data, start=0: 7))
    rewritten = []
    for name in files:
        with codec.VideoWriter(name, FACTS, gop=2, model=model) as clip:
            for pixels in moving(3, 16, 32):
                clip.write(pixels)
        with open(name, "rb") as file:
            rewritten.append(file.read())
    with pytest.raises(AssertionError, match="a frame that no clip has"):
        fuzz_clips.run(rewritten, model, 400, random.Random(1))
