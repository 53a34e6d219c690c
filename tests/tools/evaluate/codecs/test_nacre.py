"""Our own codec tells how much of the last call was entropy coding."""

from __future__ import annotations

from nacre.tools.evaluate.codecs.nacre import Nacre


def test_entropy_seconds_are_those_of_the_last_call(tiny, photo, monkeypatch):
    codec = Nacre(f"nacre@model={tiny}", {"model": str(tiny), "effort": "0"})
    assert codec.stages().entropy == 0
    data = codec.encode(photo, 90)
    of_encode = codec.stages().entropy
    assert codec.decode(data, photo.size).size == photo.size
    of_decode = codec.stages().entropy
    assert of_encode and of_decode and of_encode != of_decode
    monkeypatch.setattr("nacre.codec.decode", lambda *_, **__: photo)
    codec.decode(data, photo.size)
    assert codec.stages().entropy == 0
