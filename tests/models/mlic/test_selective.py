"""Selective coding by rows: an element whose row is not coded is its mean, costs nothing and is not read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from nacre.codec import tiles
from nacre.codec.run import Run
from nacre.entropy.tables import Tables
from tests.models import laws
from tests.models.mlic.test_laws import TINY_V2

SIDE, QUALITY = 6, 60


def coded_from(tables: Tables, row: int) -> Tables:
    """The same tables, without those of the rows before."""
    kept = [tables.of_row(r) for r in range(row, tables.rows)]
    return Tables(tables.radius, np.concatenate(kept), row)


@torch.inference_mode()
def test_elements_in_rows_that_are_not_coded_are_skipped(tmp_path):
    run = Run.to_encode({"model": laws.write_tiny(tmp_path / "t.safetensors", "mlic", TINY_V2)})
    shapes = run.network.shapes(SIDE, SIDE)
    rng = torch.Generator().manual_seed(1)
    planes = {name: 4 * torch.randn(shape, generator=rng) for name, shape in shapes.items()}
    rows: list[int] = []

    def note(step):
        if step.turn.plane == "y":
            rows.extend(step.rows[step.where].tolist())

    tiles.encode_tile(run, planes, QUALITY, note)
    assert len(rows) == shapes["y"].numel()
    least = int(np.median(rows)) + 1  # random scales: half of the elements are to be skipped
    tables = {**run.model.tables, "y": coded_from(run.model.tables["y"], least)}
    run = replace(run, model=replace(run.model, tables=tables))
    skipped = []

    def rounded(step):
        is_skipped = step.rows < tables[step.turn.plane].coded_from
        skipped.append(int((is_skipped & step.where).sum()))

    def with_other_symbols(step):
        """Where nothing is coded, symbols that would show in any file and any mean."""
        is_skipped = step.rows < tables[step.turn.plane].coded_from
        return torch.where(is_skipped, 50.0, (step.of(planes) - step.mean).round())

    encoded = tiles.encode_tile(run, planes, QUALITY, rounded)
    other = tiles.encode_tile(run, planes, QUALITY, with_other_symbols)
    assert 0 < sum(skipped) < len(rows)
    assert other.parts == encoded.parts and other.decoded.checksum == encoded.decoded.checksum
    decoded = tiles.decode_tile(run, encoded.parts, SIDE, SIDE, QUALITY)
    assert decoded.checksum == encoded.decoded.checksum
    assert torch.equal(decoded.shown["y"], encoded.decoded.shown["y"])
    whole = tiles.encode_tile(Run.to_encode({"model": tmp_path / "t.safetensors"}), planes, QUALITY)
    assert encoded.bits < whole.bits
