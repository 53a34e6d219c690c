"""Clips of still pictures: as asked for, the same by seed, and they move as their paths say."""

from __future__ import annotations

import av
import numpy as np
import pytest
from PIL import Image

from nacre.codec.motion import search
from nacre.datasets import moving
from nacre.datasets.moving import Path, clip_of
from nacre.entropy.errors import UsageError
from nacre.tools.collection.moving import main


def picture(seed: int, side: int = 96) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


def test_a_seed_gives_a_clip():
    pictures = [picture(k) for k in range(3)]
    one, same, other = (
        np.stack(clip_of(np.random.default_rng(seed), pictures, 64, 4)) for seed in (1, 1, 2)
    )
    assert one.shape == (4, 64, 64, 3) and one.dtype == np.uint8
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_frames_differ_and_resemble_each_other():
    pictures = [picture(k) for k in range(3)]
    clips = [clip_of(np.random.default_rng(seed), pictures, 64, 2) for seed in range(9)]
    differences = [np.abs(first.astype(int) - second).mean() for first, second in clips]
    assert min(differences) > 0 and np.median(differences) < 40  # unrelated ones differ by some 80


def test_a_pan_is_found_as_a_pan(monkeypatch):
    """3 pixels right and 2 up per frame: every block away from the edges has that vector."""
    import torch

    speed = moving.FINE * np.array([3.0, -2.0])
    monkeypatch.setattr(
        Path,
        "draw",
        classmethod(lambda cls, rng, centre, fastest: cls(np.array(centre), speed, 0, 0)),
    )
    for name in ("OBJECTS", "BLURRED", "NOISY", "FADE"):
        monkeypatch.setattr(moving, name, 0.0)
    first, second = clip_of(np.random.default_rng(0), [picture(5, 128)], 96, 2)
    field = search(*(torch.from_numpy(frame[..., 1].copy()) for frame in (second, first)), 1.0)
    inner = field.vectors[2:-2, 2:-2].reshape(-1, 2)
    assert np.abs(inner - np.array([-8, 12])).max() <= 1  # rows, columns in quarters of a pixel


def test_the_command_writes_clips(tmp_path, capsys):
    for k in range(2):
        Image.fromarray(picture(k)).save(tmp_path / f"{k}.png")
    wanted = ["--count", "2", "--side", "64", "--frames", "3"]
    assert main([str(tmp_path), "-o", str(tmp_path / "clips"), *wanted]) == 0
    assert "2 clips of 2 pictures" in capsys.readouterr().out
    for path in sorted((tmp_path / "clips").iterdir()):
        with av.open(str(path)) as container:
            frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
        number = int(path.stem[-4:])
        pictures = [picture(0), picture(1)]
        made = clip_of(np.random.default_rng([0, number]), pictures, 64, 3)
        assert np.array_equal(np.stack(frames), np.stack(made))


def test_too_small_pictures_are_refused(tmp_path):
    Image.fromarray(picture(0)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="1 too small"):
        main([str(tmp_path), "-o", str(tmp_path / "clips"), "--side", "200"])
