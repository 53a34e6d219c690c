"""Reading by number: the latents are those of the files, and damage is named."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from nacre import codec
from nacre.codec.run import Run
from nacre.datasets import DamagedSampleWarning, LatentDataset, pack
from nacre.datasets.latents.index import read_index
from nacre.entropy.errors import CorruptStream, NacreError, UnsupportedStream, UsageError
from tests.datasets.latents.conftest import COUNT


def damage(folder, number):
    row = read_index(folder).samples[number]
    path = folder / f"shard-{row.shard:05}.tar"
    data = bytearray(path.read_bytes())
    data[row.offset + row.size // 2] ^= 0x55
    path.write_bytes(data)
    return row.key


def test_samples_are_latents_with_labels_and_keys(packed, samples, tiny):
    dataset = LatentDataset(packed, model=tiny)
    assert len(dataset) == COUNT
    for sample, (key, _, label), row in zip(
        (dataset[k] for k in range(COUNT)), samples, read_index(packed).samples, strict=True
    ):
        assert (sample.key, sample.label) == (key, -1 if label is None else label)
        assert sample.latent.dtype == torch.float32 and sample.latent.shape == row.latent
    assert dataset[-1].key == samples[-1][0]
    with pytest.raises(IndexError):
        dataset[COUNT]


def test_the_synthesis_makes_the_picture_of_the_latent(packed, tiny):
    planes = LatentDataset(packed, model=tiny, planes=["z", "y"])
    pixels = LatentDataset(packed, model=tiny, decode=True)
    run = Run.to_encode({"model": tiny})
    for k in (0, 4):
        latent, shown = planes[k].latent, pixels[k].latent
        prior = run.model.prior(run.network.shapes(*latent["y"].shape[1:]), 60)
        with torch.inference_mode():
            found = prior.shown({name: plane[None] for name, plane in latent.items()})
            x_hat = run.network.synthesise(found, run.level(60))[0]
        x_hat = (255 * x_hat.clamp(0, 1)).round()[:, : shown.shape[1], : shown.shape[2]]
        assert (x_hat - shown).abs().max() <= 1


def test_symbols_are_whole_numbers_and_run_no_network_in_floats(packed, tiny, monkeypatch):
    wanted = LatentDataset(packed, model=tiny)
    dataset = LatentDataset(packed, model=tiny, dtype="int8")
    run = Run.to_encode({"model": tiny})
    monkeypatch.setattr(type(run.network), "forward", None)
    for module in (run.network.means, run.network.hyper_synthesis, run.network.synthesis):
        monkeypatch.setattr(type(module), "forward", None)
    latent = dataset[3].latent
    assert latent.dtype == torch.int8 and latent.shape == (32, 3, 3)
    monkeypatch.undo()
    # Means of this model are small, so that symbols are near to means plus symbols.
    assert (latent - wanted[3].latent).abs().median() < 0.5


def test_steps_put_all_qualities_on_one_scale(samples, tiny, tmp_path):
    found = []
    for quality in (40, 80):
        pack(samples[:1], tmp_path / str(quality), quality=quality, model=tiny)
        dataset = LatentDataset(tmp_path / str(quality), model=tiny)
        found.append((dataset[0].latent, dataset[0].latent * dataset.steps))
    (plain40, scaled40), (plain80, scaled80) = found
    assert plain80.abs().sum() > 2 * plain40.abs().sum()
    assert (scaled40 - scaled80).abs().mean() < 0.35 * scaled80.abs().mean()


def test_large_symbols_are_not_cut(samples, tiny, tmp_path):
    white = np.full((32, 32, 3), 255, np.uint8)
    index = pack([("white", white, None)], tmp_path / "set", quality=100, model=tiny)
    largest = codec.latents(
        LatentDataset(tmp_path / "set", model=tiny).read(0), only_symbols=True, model=tiny
    )
    assert largest["y"].abs().max() > 127 and index.planes["y"].dtype == "int16"
    with pytest.raises(UsageError, match="beyond int8"):
        LatentDataset(tmp_path / "set", model=tiny, dtype="int8")
    whole = LatentDataset(tmp_path / "set", model=tiny, dtype="int16")[0].latent
    torch.testing.assert_close(whole.int(), largest["y"])


def test_a_damaged_sample_is_named_and_raised_or_skipped(packed, tiny):
    key = damage(packed, 4)
    for options in ({}, {"dtype": "int8"}, {"decode": True}):
        dataset = LatentDataset(packed, model=tiny, **options)
        with pytest.raises(CorruptStream, match=key):
            dataset[4]
        assert dataset[5].key == "folder/05"
    skipping = LatentDataset(packed, model=tiny, on_error="skip", size=(3, 3))
    with pytest.warns(DamagedSampleWarning, match=key):
        assert skipping[4] is None
    with pytest.warns(DamagedSampleWarning):
        batches = list(DataLoader(skipping, batch_size=3, collate_fn=skipping.collate))
    assert [len(batch.key) for batch in batches] == [3, 2, 3, 2]
    with pytest.warns(DamagedSampleWarning):
        assert sorted(s.key for s in skipping.iterable()) == [
            f"folder/{k:02}" for k in range(COUNT) if k != 4
        ]


def test_a_missing_shard_is_an_error_of_its_samples(packed, tiny):
    (packed / "shard-00001.tar").unlink()
    dataset = LatentDataset(packed, model=tiny)
    assert dataset[0].key == "folder/00"
    number = int(np.argmax(dataset.shard_of(slice(None)) == 1))
    with pytest.raises(CorruptStream, match=dataset.key(number)):
        dataset[number]


def test_crops_are_from_the_centre_or_drawn_for_each_epoch(packed, tiny):
    whole = LatentDataset(packed, model=tiny)[2].latent
    assert whole.shape == (32, 3, 4)
    centre = LatentDataset(packed, model=tiny, size=(1, 2))[2].latent
    torch.testing.assert_close(centre, whole[:, 1:2, 1:3])
    random = LatentDataset(packed, model=tiny, size=(2, 2), crop="random")
    seen = set()
    for epoch in range(20):
        random.set_epoch(epoch)
        cut = random[2].latent
        torch.testing.assert_close(cut, random[2].latent)
        places = [
            (y, x)
            for y in range(2)
            for x in range(3)
            if torch.equal(cut, whole[:, y : y + 2, x : x + 2])
        ]
        assert len(places) == 1
        seen |= set(places)
    assert len(seen) == 6
    with pytest.raises(NacreError, match="'folder/00': 3x3 positions are less than 3x4"):
        LatentDataset(packed, model=tiny, size=(3, 4))[0]


def test_the_cache_gives_the_same_numbers_without_the_shards(packed, tiny, tmp_path):
    for dtype in ("float32", "int8", "float16"):
        plain = LatentDataset(packed, model=tiny, dtype=dtype)
        cached = LatentDataset(packed, model=tiny, dtype=dtype, cache=tmp_path / "cache")
        for k in (7, 2, 7):
            torch.testing.assert_close(cached[k].latent, plain[k].latent, rtol=0, atol=0)
        cached[7].latent.zero_()
    for shard in packed.glob("*.tar"):
        shard.unlink()
    again = LatentDataset(packed, model=tiny, dtype="int8", cache=tmp_path / "cache")
    assert again[7].latent.any()
    with pytest.raises(CorruptStream):
        again[3]


def test_impossible_options_are_refused(packed, tiny):
    for options, why in (
        ({"dtype": "uint8"}, "dtype"), ({"on_error": "hide"}, "on_error"), ({"crop": "left"}, "crop"),
        ({"planes": ["x"]}, "no plane 'x'"), ({"planes": ["y"], "decode": True}, "one of them"),
        ({"decode": True, "size": (1, 1)}, "size and cache"), ({"size": (0, 1)}, "size"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=why):
            LatentDataset(packed, model=tiny, **options)
    with pytest.raises(UnsupportedStream, match="written with model"):
        LatentDataset(packed)


def test_an_index_that_is_none_is_named(packed, tiny, tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        LatentDataset(tmp_path)
    text = (packed / "index.json").read_text()
    for broken, why in (
        (text[:-9], "no index of latents"), (text.replace("latents 1", "latents 2"), "no index of latents"),
        (text.replace('"shard":2', '"shard":99'), "the shard of"),
        (text.replace('"plane": "y"', '"plane": "x"'), "plane 'x' is not listed"),
    ):  # fmt: skip
        (packed / "index.json").write_text(broken)
        with pytest.raises(UsageError, match=why):
            LatentDataset(packed, model=tiny)


def test_the_index_may_lie_elsewhere_and_name_samples_twice(packed, tiny):
    (packed / "twice.json").write_bytes((packed / "index.json").read_bytes())
    shutil.move(packed / "index.json", packed / "other.json")
    assert len(LatentDataset(packed / "twice.json", model=tiny)) == COUNT
