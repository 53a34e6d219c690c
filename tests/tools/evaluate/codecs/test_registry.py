"""Codecs by name: commas stand between codecs and between options."""

from __future__ import annotations

from nacre.tools.evaluate.codecs.registry import split_names


def test_commas_stand_between_codecs_and_between_options():
    assert split_names("jpeg,avif@tune=ssim,speed=4,nacre:a.safetensors,webp,jpeg") == (
        "jpeg", "avif@tune=ssim,speed=4", "nacre:a.safetensors", "webp"
    )  # fmt: skip
