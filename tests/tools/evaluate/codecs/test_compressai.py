"""CompressAI in another Python: a stand-in here, the real one with `make test-compressai`."""

from __future__ import annotations

import os
import sys
import textwrap

import numpy as np
import pytest

from nacre.tools.evaluate.codecs import compressai
from nacre.tools.evaluate.codecs.base import CodecFailed, CodecMissing
from nacre.tools.evaluate.codecs.registry import create
from nacre.tools.evaluate.metrics import psnr_db

REAL = os.environ.get("NACRE_COMPRESSAI_PYTHON")
needs_it = pytest.mark.skipif(REAL is None, reason="make test-compressai runs it")

STAND_IN = """
    import json, shutil, sys
    print("chatter", file=sys.stderr)
    for i, line in enumerate(sys.stdin):
        r = json.loads(line)
        if i == 0:
            print(json.dumps({"version": f"{r['model']} {r['metric']}", "qualities": 6}), flush=True)
        elif r.get("quality") == 3:
            print(json.dumps({"error": "KeyError: 3"}), flush=True)
        elif r.get("quality") == 4:
            sys.exit(7)
        else:
            shutil.copy(r["source"], r["target"])
            print(json.dumps({"seconds": 0.25}), flush=True)
"""

MIRROR = """
    import torch

    class Mirror(torch.nn.Module):
        def compress(self, x):
            self.sides = x.shape[2:]
            return {"strings": [[(x * 255).round().byte().numpy().tobytes()]]}

        def decompress(self, strings, shape):
            x = torch.frombuffer(bytearray(strings[0][0]), dtype=torch.uint8)
            return {"x_hat": x.reshape(1, 3, *self.sides) / 255}

    image_models = {"mirror": lambda quality, metric, pretrained: Mirror()}
"""


@pytest.fixture
def codec(tmp_path, monkeypatch):
    worker = tmp_path / "worker.py"
    worker.write_text(textwrap.dedent(STAND_IN))
    monkeypatch.setattr(compressai, "WORKER", worker)
    return create(f"compressai:cheng2020-attn@python={sys.executable}")


def test_pictures_go_there_and_back(codec, photo):
    assert codec.version == "cheng2020-attn mse" and codec.qualities == (1, 2, 3, 4, 5, 6)
    data = codec.encode(photo, 2)
    assert codec.stages().whole == 0.25  # its own seconds, without our files
    assert codec.decode(data, photo.size).tobytes() == photo.tobytes()


def test_its_errors_are_told_and_it_goes_on(codec, photo):
    with pytest.raises(CodecFailed, match="KeyError: 3"):
        codec.encode(photo, 3)
    codec.encode(photo, 2)


def test_its_end_is_told(codec, photo):
    with pytest.raises(CodecFailed, match="ended with 7"):
        codec.encode(photo, 4)


def test_other_weights_in_a_folder_are_another_version(codec, tmp_path):
    versions = []
    for content in (b"a", b"bb"):
        (tmp_path / "cheng2020-attn-1-seed.pth.tar").write_bytes(content)
        name = f"compressai:cheng2020-attn@python={sys.executable},checkpoints={tmp_path}"
        versions.append(create(name).version)
    assert versions[0] != versions[1]
    assert all(v.startswith("cheng2020-attn mse, checkpoints ") for v in versions)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_its_memory_is_that_of_its_own_process(codec, photo):
    codec.encode(photo, 2)
    assert 1 < codec.stages().peak_memory_mib < 100  # a bare Python; this process has torch


def test_where_this_python_has_it_no_other_is_needed(tmp_path, photo, monkeypatch):
    monkeypatch.delenv("NACRE_COMPRESSAI_PYTHON", raising=False)
    package = tmp_path / "compressai"
    package.mkdir()
    (package / "__init__.py").write_text("__version__ = '0'")
    (package / "zoo").mkdir()
    (package / "zoo" / "image.py").write_text("cfgs = {'mirror': {1: (), 2: ()}}")
    (package / "zoo" / "__init__.py").write_text(textwrap.dedent(MIRROR))
    monkeypatch.syspath_prepend(str(tmp_path))
    codec = create("compressai:mirror")
    assert codec.version.startswith("compressai 0, torch ") and codec.qualities == (1, 2)
    assert codec.decode(codec.encode(photo, 2), photo.size).tobytes() == photo.tobytes()
    for name in [name for name in sys.modules if name.split(".")[0] == "compressai"]:
        monkeypatch.delitem(sys.modules, name)


def test_without_another_python_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "compressai", None)  # for a Python that has it after all
    monkeypatch.delenv("NACRE_COMPRESSAI_PYTHON", raising=False)
    with pytest.raises(CodecMissing, match="NACRE_COMPRESSAI_PYTHON"):
        create("compressai")
    with pytest.raises(CodecMissing, match="No such file"):
        create("compressai@python=/nowhere/python")


def test_a_python_without_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # for a Python that has it after all
    (tmp_path / "compressai.py").write_text("raise ImportError('no torchvision')")
    with pytest.raises(CodecMissing, match="no torchvision"):
        create(f"compressai@python={sys.executable}")


@needs_it
@pytest.mark.parametrize("model", ["bmshj2018-factorized", "mbt2018-mean", "cheng2020-anchor"])
def test_the_real_one_measures_a_local_checkpoint(tmp_path, photo, model):
    import subprocess

    make = f"""
        import torch, compressai.zoo as zoo
        torch.manual_seed(0)
        network = zoo.image_models[{model!r}](quality=1, metric="mse", pretrained=False)
        network.update()
        torch.save({{"state_dict": network.state_dict()}}, {str(tmp_path / (model + "-1-seed.pth.tar"))!r})
    """
    subprocess.run([REAL, "-c", textwrap.dedent(make)], check=True, capture_output=True)
    codec = create(f"compressai:{model}@checkpoints={tmp_path}")
    image = photo.crop((0, 0, 101, 67))
    data = codec.encode(image, 1)
    decoded = codec.decode(data, image.size)
    assert decoded.size == image.size and len(data) > 9
    assert psnr_db(np.asarray(image), np.asarray(decoded)) > 5  # untrained
    assert codec.decode(data, image.size).tobytes() == decoded.tobytes()
    assert codec.encode(image, 1) == data
    assert 0 < codec.stages().whole < 120
    with pytest.raises(CodecFailed, match="0 files"):
        codec.encode(image, 2)
