"""Summary files are read and written without loss; wrong fields are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.results import read_evaluation

KODAK = Path(__file__).parents[3] / "docs" / "results" / "kodak.json"


@pytest.fixture
def raw():
    """A summary of one codec and two rows, as JSON."""
    found = json.loads(KODAK.read_text())
    found["codecs"] = found["codecs"][:1]
    found["codecs"][0]["rows"] = found["codecs"][0]["rows"][:2]
    return found


def test_files_of_older_releases_can_be_read():
    found = read_evaluation(KODAK)
    assert len(found.pictures) == 24 and found.machine.cores == 2
    for codec, entry in zip(found.codecs, json.loads(KODAK.read_text())["codecs"], strict=True):
        means = codec.means()
        assert means["quality"] == entry["quality"] and means["bpp"] == entry["bpp"]
        assert len(codec.complete()) == entry["pictures"]


def test_writing_undoes_reading(raw, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(raw))
    found = read_evaluation(tmp_path / "a.json")
    found.write(tmp_path / "b.json")
    assert read_evaluation(tmp_path / "b.json") == found
    assert (
        json.loads((tmp_path / "b.json").read_text())["codecs"][0]["rows"]
        == raw["codecs"][0]["rows"]
    )


MISSING = object()


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("codecs", 0, "rows", 1, "bpp"), "0.3", r"got `str` - at `\$\.codecs\[0\]\.rows\[1\]\.bpp`"),
        (("codecs", 0, "rows", 1, "bpp"), 0, r"> 0.* - at `\$\.codecs\[0\]\.rows\[1\]\.bpp`"),
        (("codecs", 0, "rows", 1, "bytes"), MISSING, r"field `bytes` - at `\$\.codecs\[0\]\.rows\[1\]`"),
        (("codecs", 0, "rows", 0), None, r"at `\$\.codecs\[0\]\.rows\[0\]`"),
        (("codecs", 0, "settings"), MISSING, r"field `settings` - at `\$\.codecs\[0\]`"),
        (("codecs",), {}, r"at `\$\.codecs`"),
        (("pictures", "kodim01.png", "width"), 7.5, r"at `\$\.pictures\[\.\.\.\]\.width`"),
        (("machine", "threads"), "two", r"at `\$\.machine\.threads`"),
        (("dataset",), MISSING, "field `dataset`"),
        (("format",), "another 1", r"'another 1' - at `\$\.format`"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_its_file(raw, tmp_path, path, value, said):
    *way, last = path
    place = raw
    for key in way:
        place = place[key]
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    (tmp_path / "a.json").write_text(json.dumps(raw))
    with pytest.raises(UsageError, match=rf"a\.json is no evaluation of nacre: .*{said}"):
        read_evaluation(tmp_path / "a.json")


@pytest.mark.parametrize(
    "data", [b"", b"no JSON", b'{"format": "nacre evaluation 1"', b"[]", b'"\xff"']
)
def test_what_is_no_summary_is_refused(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(UsageError, match=r"a\.json is no evaluation of nacre"):
        read_evaluation(tmp_path / "a.json")
