"""A new family needs no change of the codec: the code of docs/families.md, trained and used."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nacre import codec
from nacre.codec.container import Stream
from nacre.entropy.errors import WeightsError
from nacre.models import family as families
from nacre.models import zoo
from nacre.tools.cli import main
from nacre.tools.evaluate import metrics

PAGE = Path(__file__).parents[1] / "docs" / "families.md"
CODE = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S))
RECIPE = """
[data]
pictures = ["pictures"]
synthetic_share = 0.0

[model]
family = "flat"
channels = 160

[steps]
batch = 4
crop = 64
learning_rate = 1e-3
warmup_steps = 5
ema = 0.9
"""


@pytest.fixture(scope="module")
def flat(tmp_path_factory, photo):
    """Weights of the family of the page, trained for seconds and exported; all by the command line."""
    module = types.ModuleType("flat_family")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(CODE, str(PAGE), "exec"), module.__dict__)
    folder = tmp_path_factory.mktemp("flat")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("pictures").mkdir()
        for i in range(2):
            photo.resize((300, 280)).rotate(90 * i).save(f"pictures/{i}.png")
        Path("flat.toml").write_text(RECIPE)
        train = ["train", "flat.toml", "-o", "run", "--precision", "float32", "--steps", "40"]
        assert main(train) == 0
        export = ["export", "run", "-o", "flat.safetensors", "--name", "flat", "--pictures", "2"]
        assert main(export) == 0
    yield folder / "flat.safetensors"
    del families._registered["flat"], sys.modules[module.__name__]


@pytest.fixture
def installed(flat, tmp_path, monkeypatch):
    """The same, added to a user's folder."""
    monkeypatch.setenv("NACRE_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    assert main(["models", "add", str(flat)]) == 0


def psnr_db(a, b) -> float:
    return metrics.psnr_db(np.asarray(a), np.asarray(b))


def test_it_is_at_most_a_hundred_lines():
    assert len(CODE.strip().splitlines()) <= 110
    assert len([line for line in CODE.splitlines() if line.strip()]) <= 100


def test_quality_buys_likeness(flat, photo):
    files = [codec.encode(photo, quality=q, model=flat, effort=0) for q in (10, 50, 90)]
    assert all(Stream.from_bytes(data).latents for data in files)
    likeness = [psnr_db(codec.decode(data, model=flat), photo) for data in files]
    assert likeness == sorted(likeness) and likeness[0] + 2 < likeness[2]
    assert sorted(files, key=len) == files


@pytest.mark.parametrize(("effort", "quality"), [(1, 90), (3, 90), (5, 90), (5, 50)])
def test_searches_by_gradient_work_on_it(flat, photo, effort, quality, monkeypatch):
    from nacre.codec.search.refine import EFFORTS, Effort

    monkeypatch.setitem(EFFORTS, 5, Effort(6, 1))
    plain, searched = (
        codec.encode(photo, quality=quality, model=flat, effort=e) for e in (0, effort)
    )
    assert searched != plain
    assert codec.decode(searched, model=flat).size == photo.size


def test_a_region_is_the_part_of_the_whole(flat, photo):
    data = codec.encode(photo, quality=60, model=flat)
    whole = np.asarray(codec.decode(data, model=flat))
    part = codec.decode(data, model=flat, region=codec.Region(20, 30, 50, 40))
    assert np.array_equal(np.asarray(part), whole[30:70, 20:70])


def test_the_command_line_serves_it_like_any_other(installed, photo, capsys):
    photo.save("photo.png")
    assert main(["encode", "photo.png", "--model", "flat", "-o", "photo.ncr"]) == 0
    assert main(["decode", "photo.ncr", "-o", "back.png"]) == 0
    assert psnr_db(Image.open("back.png"), photo) > 24
    assert main(["decode", "photo.ncr", "-o", "preview.png", "--preview"]) == 0
    assert main(["decode", "photo.ncr", "-o", "part.png", "--region", "8,8,30,20"]) == 0
    assert Image.open("part.png").size == (30, 20)
    assert main(["verify", "photo.ncr"]) == 0
    capsys.readouterr()
    assert main(["info", "photo.ncr"]) == 0
    assert "flat" in capsys.readouterr().out
    assert main(["models"]) == 0
    assert "flat" in capsys.readouterr().out


def test_its_tables_and_integers_are_checked(flat, tmp_path):
    data = flat.read_bytes()
    for size in range(0, len(data), len(data) // 20):
        (tmp_path / "cut.safetensors").write_bytes(data[:size])
        with pytest.raises(WeightsError):
            zoo.load_model(tmp_path / "cut.safetensors")


def test_without_the_family_the_weights_are_refused_by_its_name(flat, monkeypatch):
    monkeypatch.delitem(families._registered, "flat")
    monkeypatch.setattr(zoo, "_models", type(zoo._models)())
    with pytest.raises(WeightsError, match="no model family is called 'flat'"):
        zoo.load_model(flat)


@pytest.mark.parametrize("name", ["zoo", "os", "../codec", "parts", "", "nacre.models.nacre"])
def test_a_module_that_is_no_family_is_not_one(name):
    with pytest.raises(WeightsError, match="no model family"):
        families.find(name)
