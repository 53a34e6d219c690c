"""Models are added from a file or an address, checked before they are kept, and found by name and by id."""

from __future__ import annotations

import hashlib
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nacre import codec
from nacre.entropy.errors import UsageError, WeightsError
from nacre.models import install, zoo
from nacre.tools.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NACRE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def address(tiny):
    """The folder of the tiny weights, by http."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tiny.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def sha256(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_added_model_codes_by_name_and_decodes_without_one(tiny, photo):
    shipped = zoo.names()
    assert install.add(str(tiny)) == "tiny"
    assert sorted(zoo.names()) == sorted([*shipped, "tiny"]) and zoo.names()[0] == "nacre"
    data = codec.encode(photo, model="tiny", quality=50)
    assert codec.decode(data).size == photo.size
    assert codec.info(data).model == "tiny"


def test_a_card_is_made_of_the_facts_or_taken_along(tiny, tmp_path):
    install.add(str(tiny))
    card = zoo.card("tiny")
    assert card["family"] == "nacre" and card["turns"] == 5 and card["layers"] == 4
    assert card["sha256"] == sha256(tiny) and card["parameters"] > 10_000
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(tiny.read_bytes())
    copy.with_suffix(".json").write_text(json.dumps({"sha256": sha256(tiny), "license": "MIT"}))
    assert install.add(str(copy), name="other") == "other"
    assert zoo.card("other")["license"] == "MIT"


def test_adding_twice_is_no_fault_and_another_model_of_that_name_is(tiny, folder, tmp_path):
    for _ in range(2):
        assert install.add(str(tiny)) == "tiny"
    shipped = zoo.FOLDER / "nacre.safetensors"
    with pytest.raises(UsageError, match="another model is called tiny"):
        install.add(str(shipped), name="tiny")
    with pytest.raises(UsageError, match="another model is called nacre"):
        install.add(str(tiny), name="nacre")
    assert sorted(p.name for p in folder.iterdir()) == ["tiny.json", "tiny.safetensors"]


def test_a_wrong_hash_or_a_damaged_file_leaves_nothing(tiny, tmp_path, folder):
    with pytest.raises(WeightsError, match="SHA-256 is"):
        install.add(str(tiny), sha256="0" * 64)
    (tmp_path / "cut.safetensors").write_bytes(tiny.read_bytes()[:-100])
    with pytest.raises(WeightsError):
        install.add(str(tmp_path / "cut.safetensors"))
    with pytest.raises(UsageError, match="No such file"):
        install.add(str(tmp_path / "none.safetensors"))
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../evil", "a/b", ".hidden", "", "x" * 65])
def test_no_name_leaves_the_folder(tiny, name, folder):
    with pytest.raises(UsageError):
        install.add(str(tiny), name=name or "/")
    with pytest.raises(UsageError):
        install.remove(name)
    assert not folder.exists()


def test_over_http_the_hash_is_needed(tiny, address):
    with pytest.raises(UsageError, match="--sha256 is needed"):
        install.add(f"{address}/tiny.safetensors")
    assert install.add(f"{address}/tiny.safetensors", sha256(tiny).upper()) == "tiny"
    with pytest.raises(UsageError, match=r"[Nn]ot [Ff]ound"):
        install.add(f"{address}/none.safetensors", "0" * 64)


def test_what_is_too_large_is_not_read(tiny, address, monkeypatch):
    monkeypatch.setattr(install, "LARGEST_BYTES", 1000)
    for source in (str(tiny), f"{address}/tiny.safetensors"):
        with pytest.raises(WeightsError, match="over"):
            install.add(source, sha256(tiny))


def test_the_commands(tiny, capsys, folder):
    assert main(["models", "add", str(tiny), "--sha256", sha256(tiny), "--name", "mine"]) == 0
    assert main(["models"]) == 0
    assert "mine" in capsys.readouterr().out
    assert main(["models", "remove", "mine"]) == 0
    assert list(folder.iterdir()) == []
    assert main(["models", "remove", "nacre"]) != 0
    assert main(["models", "add"]) != 0


def test_a_file_without_a_card_is_not_installed(tiny, folder):
    folder.mkdir()
    (folder / "half.safetensors").write_bytes(tiny.read_bytes())
    assert "half" not in zoo.names()
