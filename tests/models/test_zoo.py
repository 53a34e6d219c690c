"""The weights that ship are what their cards say, and bad weights are refused."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys

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


def test_a_model_is_loaded_once(tiny, tmp_path):
    assert zoo.load_model(tiny) is zoo.load_model(str(tiny))
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(tiny.read_bytes())
    assert zoo.load_model(copy) is zoo.load_model(tiny)  # by content


def test_a_file_that_was_replaced_gives_the_new_weights(tiny, tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(tiny.read_bytes())
    before = zoo.load_model(path)
    other = put("network.analysis.leave.bias", lambda v: v + np.float16(1))
    path.write_bytes(changed(tiny, other))
    after = zoo.load_model(path)
    assert after.id != before.id == zoo.load_model(tiny).id


def test_no_more_than_a_few_models_are_kept(tiny, tmp_path):
    for k in range(zoo.MOST_KEPT + 2):
        path = tmp_path / f"{k}.safetensors"
        path.write_bytes(changed(tiny, put("network.analysis.leave.bias", lambda v: v * 0 + k)))  # noqa: B023
        zoo.load_model(path)
    assert len(zoo._models) <= zoo.MOST_KEPT


def test_a_stream_of_an_unknown_model_names_it():
    with pytest.raises(UnsupportedStream, match="0102030405060708"):
        zoo.model_of_stream(bytes(range(1, 9)))


def test_writing_and_reading_weights(tiny, tiny_model, tmp_path):
    path = tmp_path / "again.safetensors"
    model = write_weights(
        path, "tiny", "nacre", tiny_model.network, tiny_model.integers, tiny_model.tables
    )
    assert model.id == tiny_model.id
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


def described(**fields):
    """Fields of the metadata replaced; those of the configuration one by one."""

    def change(_, metadata):
        said = json.loads(metadata["nacre"])
        said["config"].update(fields.pop("config", {}))
        metadata["nacre"] = json.dumps(said | fields)

    return change


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
    "a config with another field": described(config={"layers": 3}),
    "a config of text": described(config={"width8": "16"}),
    "a config of a fraction": described(config={"width8": 16.5}),
    "a config without channels": described(config={"latent": 0}),
    "a config of enormous widths": described(config={"width8": 10**9}),
    "a config of endless blocks": described(config={"blocks8": 10**9}),
    "another config": described(config={"width8": 4096, "width16": 4096, "latent": 4096}),
    "a family that is none": described(family="zoo"),
    "a family outside": described(family="../../x"),
    "a family that is no text": described(family=["nacre"]),
    "another row count": put("tables.y.radius", lambda v: v[:-1]),
    "tables of fractions": put("tables.y.radius", lambda v: v.astype(np.float32)),
    "tables that are no list": put("tables.y.radius", lambda v: v[None]),
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


PEAK = """
import resource, sys
from nacre.entropy.errors import WeightsError
from nacre.models.weights_file import unpack
whole, claims = (open(path, "rb").read() for path in sys.argv[1:])
unpack(whole)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    unpack(claims)
except WeightsError:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_a_small_file_cannot_claim_gigabytes(tiny, tmp_path):
    """Widths that the integers do not tell: 3.4 GB of parameters, which a file of 168 kB has to bring."""
    claims = described(config={"width8": 4096, "width16": 4096, "context": 4096})
    (tmp_path / "claims").write_bytes(changed(tiny, claims))
    command = [sys.executable, "-c", PEAK, str(tiny), str(tmp_path / "claims")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100  # MiB


def test_the_family_is_named_and_older_files_are_of_the_first_one(tiny):
    assert unpack(tiny.read_bytes()).family == "nacre"

    def unnamed(_, metadata):
        said = json.loads(metadata["nacre"])
        del said["family"]
        metadata["nacre"] = json.dumps(said)

    assert unpack(changed(tiny, unnamed)).family == "nacre"


def test_networks_without_numbers_draw_none():
    """Loading would otherwise import half of torch, for random numbers that nobody sees."""
    code = (
        "import sys, torch\n"
        "from nacre.models import family\n"
        "from nacre.models.parts.unfilled import unfilled\n"
        "before = set(sys.modules)\n"
        "with unfilled(): net = family.find('nacre').build(family.find('nacre').config())\n"
        "assert {p.device.type for p in net.parameters()} == {'meta'}\n"
        "assert 'sympy' not in set(sys.modules) - before, 'slow imports'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
