"""The weights that ship are what their cards say, and bad weights are refused."""

from __future__ import annotations

import hashlib
import json
import pickle

import numpy as np
import pytest
from safetensors.numpy import load, save

from nacre.entropy.errors import UnsupportedStream, WeightsError
from nacre.models import zoo
from nacre.models.weights_file import integer_hash, unpack, write_weights


@pytest.mark.parametrize("name", zoo.names())
def test_the_card_tells_the_truth(name):
    card, model = zoo.card(name), zoo.load_model(name)
    data = (zoo.FOLDER / f"{name}.safetensors").read_bytes()
    assert len(data) < 25_000_000
    assert hashlib.sha256(data).hexdigest() == card["sha256"]
    assert integer_hash(load(data)) == card["integer_sha256"]
    assert model.network.parameter_count() == card["parameters"]
    cost = {side: round(value, 1) for side, value in model.network.multiplications().items()}
    assert cost == card["kmac_per_pixel"]
    assert card["license"] == "Apache-2.0"
    assert {"data", "training", "results"} <= set(card)


def test_the_default_comes_first():
    assert zoo.names()[0] == zoo.DEFAULT


def test_a_model_is_loaded_once(tiny):
    assert zoo.load_model(tiny) is zoo.load_model(str(tiny))


def test_a_stream_of_an_unknown_model_names_it():
    with pytest.raises(UnsupportedStream, match="0102030405060708"):
        zoo.model_of_stream(bytes(range(1, 9)))


def test_writing_and_reading_weights(tiny, tiny_model, tmp_path):
    path = tmp_path / "again.safetensors"
    id = write_weights(
        path, "tiny", "nacre", tiny_model.network, tiny_model.integers, tiny_model.tables
    )
    assert id == tiny_model.id
    assert path.read_bytes() == tiny.read_bytes()


def changed(tiny, change):
    data = tiny.read_bytes()
    size = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + size])["__metadata__"]
    arrays = load(data)
    change(arrays, metadata)
    return save(arrays, metadata)


def put(key, value):
    return lambda arrays, _: arrays.__setitem__(key, value(arrays[key]))


PARTS = ("weight", "bias", "multiplier")
BAD = {
    "a missing tensor": lambda a, _: a.pop("network.analysis.leave.bias"),
    "a tensor too many": lambda a, _: a.update({"network.more": np.zeros(3, np.float32)}),
    "another shape": put("network.analysis.leave.bias", lambda v: v[:-1]),
    "a number that is none": put("network.analysis.leave.bias", lambda v: v * np.float16(np.nan)),
    "an infinite number": put("network.analysis.leave.bias", lambda v: v + np.float16(np.inf)),
    "no tables": lambda a, _: a.pop("tables.y.radius"),
    "a table with a zero": put("tables.y.frequencies", lambda v: v * 0),
    "a row of z that is none": put("tables.z.rows", lambda v: v * 0 + 255),
    "a scale weight that is not exact": put("scales.mix.bias", lambda v: v + 2**52),
    "a shift out of range": put("scales.mix.shift", lambda v: v + 60),
    "scales that are no integers": put("scales.mix.weight", lambda v: v + np.float32(0.5)),
    "scales of another shape": lambda a, _: a.update(
        {f"scales.step_leave.1.{part}": a[f"scales.step_leave.1.{part}"][:-4] for part in PARTS}
    ),
    "a config with another field": lambda _, m: m.update(
        nacre='{"name": "x", "config": {"layers": 3}}'
    ),
    "a config that is none": lambda _, m: m.update(nacre="[1, 2"),
    "no config": lambda _, m: m.update(nacre="{}"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_weights_are_refused(tiny, fault):
    with pytest.raises(WeightsError):
        unpack(changed(tiny, BAD[fault]))


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 7, b"\xff" * 100, pickle.dumps({"a": 1}), b"\x10\0\0\0\0\0\0\0" + b"[" * 16],
    ids=["empty", "short", "ones", "pickle", "nested"],
)
def test_what_is_no_weights_file_is_refused(data):
    with pytest.raises(WeightsError):
        unpack(data)


def test_cut_weights_are_refused(tiny):
    data = tiny.read_bytes()
    for size in range(0, len(data), len(data) // 50):
        with pytest.raises(WeightsError):
            unpack(data[:size])


def test_damaged_embedded_weights_are_refused(monkeypatch, tmp_path, tiny):
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    data = bytearray(tiny.read_bytes())
    (tmp_path / "nacre.json").write_text(json.dumps({"sha256": hashlib.sha256(data).hexdigest()}))
    data[-1] ^= 1
    (tmp_path / "nacre.safetensors").write_bytes(data)
    with pytest.raises(WeightsError, match="damaged"):
        zoo.load_model("nacre")
