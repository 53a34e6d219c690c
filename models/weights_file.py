"""Weights on disk: one safetensors file that holds all that coding with a model needs.

Networks are float16, everything that parsing depends on is integers. The model id, which every
coded file carries, is the start of the SHA-256 of this file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nacre.entropy.errors import WeightsError
from nacre.entropy.tables import Tables
from nacre.entropy.walk import STEPS
from nacre.models.config import HYPER_STRIDE, ImageConfig
from nacre.models.image import ImageModel
from nacre.models.scales import ROWS, IntegerScales

ID_BYTES = 8
QUALITIES = 100
KEY = "nacre"  # the only one, since safetensors writes several in no fixed order
NETWORK, SCALES, TABLES = "network.", "scales.", "tables."

Array = NDArray[np.generic]


@dataclass(frozen=True)
class CodingTables:
    """What turns the model's numbers into bits."""

    y: Tables  # rows of the scale network
    z: Tables  # rows of their own
    z_rows: NDArray[np.uint8]  # (QUALITIES, Z) the table row of each channel of z at each quality


@dataclass(frozen=True)
class CodingModel:
    """A model that is ready to code: networks in evaluation mode, exact scales, tables, identity."""

    name: str
    id: bytes
    network: ImageModel
    scales: IntegerScales
    tables: CodingTables

    @property
    def config(self) -> ImageConfig:
        return self.network.config


def integer_hash(arrays: Mapping[str, Array]) -> str:
    """SHA-256 of the integer part: what parsing depends on, and nothing else."""
    digest = hashlib.sha256()
    for key in sorted(k for k in arrays if k.startswith((SCALES, TABLES))):
        array = arrays[key]
        digest.update(f"{key} {array.dtype.str} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def pack(network: ImageModel, scales: IntegerScales, tables: CodingTables) -> dict[str, Array]:
    """The arrays of a weights file."""
    arrays: dict[str, Array] = {}
    for key, value in network.state_dict().items():
        arrays[NETWORK + key] = value.detach().to(torch.float16).contiguous().numpy()
    for key, numbers in scales.to_arrays().items():
        arrays[SCALES + key] = numbers
    for key, family in (("y", tables.y), ("z", tables.z)):
        arrays[f"{TABLES}{key}.radius"] = family.radius.astype(np.int32)
        arrays[f"{TABLES}{key}.frequencies"] = family.frequencies.astype(np.int32)
        arrays[f"{TABLES}{key}.coded_from"] = np.array([family.coded_from], np.int32)
    arrays[f"{TABLES}z.rows"] = tables.z_rows
    return arrays


def write_weights(
    path: Path, name: str, network: ImageModel, scales: IntegerScales, tables: CodingTables
) -> bytes:
    """Write a weights file, whole or not at all; returns the model id."""
    metadata = {KEY: json.dumps({"name": name, "config": asdict(network.config)})}
    data = save(pack(network, scales, tables), metadata)
    unpack(data)  # what is written can be read
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(data)
    os.replace(partial, path)
    return model_id(data)


def model_id(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:ID_BYTES]


def read_metadata(data: bytes) -> tuple[str, ImageConfig]:
    """Name and configuration; raises WeightsError unless this is a weights file of nacre."""
    try:
        size = int.from_bytes(data[:8], "little")
        described = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY])
        return str(described["name"]), ImageConfig(**described["config"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError("not a weights file of nacre") from error


def unpack(data: bytes) -> CodingModel:
    """Undo `write_weights`. Raises WeightsError when anything is missing, damaged or not exact."""
    name, config = read_metadata(data)
    try:
        arrays = load(data)
        if any(
            np.issubdtype(a.dtype, np.floating) and not np.isfinite(a).all()
            for a in arrays.values()
        ):
            raise WeightsError("weights: a number is not finite")
        scales = IntegerScales.from_arrays(_part(arrays, SCALES))
        _check_shapes(scales, config)
        network = ImageModel(config)
        state = {
            k: torch.from_numpy(a.astype(np.float32)) for k, a in _part(arrays, NETWORK).items()
        }
        network.load_state_dict(state, strict=True)
        tables = _tables(_part(arrays, TABLES), config)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise WeightsError(f"weights: {str(error).splitlines()[0]}") from error
    network = network.eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return CodingModel(name, model_id(data), network, scales, tables)


def _check_shapes(scales: IntegerScales, config: ImageConfig) -> None:
    """Run the scale network once: RuntimeError or WeightsError unless it is one of this configuration."""
    side = HYPER_STRIDE
    hyper = scales.hyper(torch.zeros(config.hyper, 1, 1))
    for step in range(STEPS):
        rows = scales.rows(hyper, torch.zeros(config.latent, side, side), step)
        if rows.shape != (config.latent, side, side):
            raise WeightsError(
                f"weights: the scale network gives rows of shape {tuple(rows.shape)}"
            )


def _part(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


def _tables(arrays: Mapping[str, Array], config: ImageConfig) -> CodingTables:
    y, z = (
        Tables(
            arrays[f"{key}.radius"].astype(np.int64),
            arrays[f"{key}.frequencies"].astype(np.int64),
            int(arrays[f"{key}.coded_from"][0]),
        )
        for key in ("y", "z")
    )
    rows = arrays["z.rows"].astype(np.uint8)
    if y.rows != ROWS:
        raise WeightsError(f"weights: {y.rows} table rows, not {ROWS}")
    if rows.shape != (QUALITIES, config.hyper) or int(rows.max()) >= z.rows:
        raise WeightsError("weights: the rows of z do not fit its tables")
    return CodingTables(y, z, rows)
