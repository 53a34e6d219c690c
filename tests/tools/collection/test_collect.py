"""Shards of tiles from a git repository that the test makes."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from nacre.tools.collection.collect import main

RECIPE = """
[[source]]
repository = "owner/name"
name = "source"
licence = "CC0 1.0"
take = ["photos/*"]
skip = ["*/not-*"]
"""


@pytest.fixture
def clones(git, texture, coded, tmp_path) -> Path:
    """A repository with two photographs, a copy of one, a broken file and one that is not to be taken."""
    folder = tmp_path / "owner+name" / "photos"
    folder.mkdir()
    one = texture(1320, 1000, 1)
    (folder / "One of them.jpg").write_bytes(coded(one, quality=92))
    (folder / "smaller.jpg").write_bytes(coded(one.resize((1080, 818)), quality=85))
    (folder / "two.jpg").write_bytes(coded(texture(1320, 1000, 2), quality=92))
    (folder / "not-this.jpg").write_bytes(coded(texture(1320, 1000, 3), quality=92))
    (folder / "broken.jpg").write_bytes(coded(texture(1320, 1000, 4), quality=92)[:120_000])
    git("add", "--all")
    git("commit", "--quiet", "--message=photographs")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


def collect(clones: Path, *options: str) -> dict:
    out = clones / "out"
    command = [str(clones / "recipe.toml"), str(out), "--repositories", str(clones), *options]
    assert main(command) == 0
    return json.loads((out / "summary.json").read_text())


def members(clones: Path) -> list[tuple[str, bytes]]:
    found = []
    for shard in sorted((clones / "out").glob("photos-*.tar")):
        with tarfile.open(shard) as tar:
            found += [(member.name, tar.extractfile(member).read()) for member in tar]
    return found


def test_photographs_become_shuffled_tiles_with_a_summary(clones, capsys):
    summary = collect(clones, "--tiles", "2")
    assert summary["photographs"] == 2
    assert summary["sources"][0]["licence"] == "CC0 1.0"
    assert summary["sources"][0]["candidates"] == 4
    assert summary["sources"][0]["not_taken"] == {"copy": 1, "unreadable": 1}
    tiles = members(clones)
    assert summary["tiles"] == len(tiles) >= 2
    assert summary["megapixels"] == round(len(tiles) * 512 * 512 / 1e6, 1)
    assert {name.rsplit("-", 2)[0] for name, _ in tiles} == {"source/one-of-them", "source/two"}
    image = Image.open(io.BytesIO(tiles[0][1]))
    assert (image.format, image.size, image.mode) == ("AVIF", (512, 512), "RGB")


def test_a_second_run_gives_the_same_bytes_and_a_picture_left_out_is_gone(clones):
    collect(clones, "--tiles", "1")
    first = members(clones)
    collect(clones, "--tiles", "1")
    assert members(clones) == first
    blob = next(name for name, _ in first if "two" in name).rsplit("-", 2)[1]
    with (clones / "recipe.toml").open("a") as recipe:
        recipe.write(f'leave_out = ["{blob}"]\n')
    summary = collect(clones, "--tiles", "1")
    assert summary["sources"][0]["not_taken"]["left out by eye"] == 1
    assert members(clones) == [item for item in first if "two" not in item[0]]


def test_held_out_photographs_are_known_by_picture_and_by_the_name_of_a_tile(clones, texture):
    (clones / "held").mkdir()
    texture(1320, 1000, 1).resize((660, 500)).save(clones / "held" / "kodim.png")
    summary = collect(clones, "--held-out", str(clones / "held"))
    assert summary["sources"][0]["not_taken"]["held out"] == 2
    name = members(clones)[0][0].rsplit("/", 1)[1]
    assert "two" in name
    texture(512, 512, 9).save(clones / "held" / name, quality=90)
    assert collect(clones, "--held-out", str(clones / "held"))["photographs"] == 0
    assert members(clones) == []


def test_contact_sheets_show_what_was_taken(clones):
    collect(clones, "--sheets", str(clones / "sheets"))
    assert [sheet.name for sheet in (clones / "sheets").iterdir()] == ["source-00.png"]


def test_a_missing_clone_and_a_missing_held_out_file_are_wrong_usage(tmp_path, capsys):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    command = [
        str(tmp_path / "recipe.toml"),
        str(tmp_path / "out"),
        "--repositories",
        str(tmp_path),
    ]
    assert main(command) == 2
    assert "git clone --mirror" in capsys.readouterr().err
    assert main([*command, "--held-out", str(tmp_path / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err
