"""Weights on disk: one safetensors file that holds everything that coding with a model needs.

    __metadata__["nacre"]           JSON: {"name": ..., "family": ..., "config": {...}}, and "distortion"
                                    where the model is trained for another one than squared errors
    network.*                       parameters of the networks, float16; float32 of imported models
    tables.PLANE.radius             int32 (rows,)
    tables.PLANE.frequencies        int32, the tables of all coded rows in order
    tables.PLANE.coded_from         int32 (1,)
    all others                      integers of the family

The model id, which every coded file carries, is the start of the SHA-256 of this file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor

from nacre.entropy.errors import WeightsError
from nacre.entropy.tables import Tables
from nacre.entropy.walk import Step, drive, walk
from nacre.models import family as families
from nacre.models.family import SQUARED_ERROR, Arrays, CodingModel, Family, Integers, Network
from nacre.models.parts.unfilled import unfilled

ID_BYTES = 8
KEY = "nacre"  # the only metadata, since safetensors writes several in no fixed order
NETWORK, TABLES = "network.", "tables."
FIRST_FAMILY = "nacre"  # of files that name no family: they are older than families
PROBE = 4  # positions a side of the tile that tests whether the parts fit together


def integer_hash(arrays: Arrays) -> str:
    """SHA-256 of the arrays on which parsing depends: the integers of the family and the tables."""
    digest = hashlib.sha256()
    for key in sorted(k for k in arrays if not k.startswith(NETWORK)):
        array = arrays[key]
        digest.update(f"{key} {array.dtype.str} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def pack(
    network: Network,
    integers: Integers,
    tables: Mapping[str, Tables],
    kind: torch.dtype = torch.float16,
) -> dict[str, NDArray[Any]]:
    """The arrays of a weights file; `kind` is the type of the network parameters."""
    arrays: dict[str, NDArray[Any]] = {}
    for key, value in network.state_dict().items():
        arrays[NETWORK + key] = value.detach().to(kind).contiguous().numpy()
    arrays.update(integers.to_arrays())
    for plane, of_plane in tables.items():
        arrays[f"{TABLES}{plane}.radius"] = of_plane.radius.astype(np.int32)
        arrays[f"{TABLES}{plane}.frequencies"] = of_plane.frequencies.astype(np.int32)
        arrays[f"{TABLES}{plane}.coded_from"] = np.array([of_plane.coded_from], np.int32)
    return arrays


def write_weights(
    path: Path,
    name: str,
    family: str,
    network: Network,
    integers: Integers,
    tables: Mapping[str, Tables],
    kind: torch.dtype = torch.float16,
    distortion: str = SQUARED_ERROR,
) -> CodingModel:
    """Write a weights file, whole or not at all; returns the model as read back from its bytes."""
    described = {
        "name": name,
        "family": family,
        "config": families.config_values(network.config),
    }
    if distortion != SQUARED_ERROR:
        described["distortion"] = distortion
    data = save(pack(network, integers, tables, kind), {KEY: json.dumps(described)})
    model = unpack(data)  # a file that cannot be read is never written
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(data)
    os.replace(partial, path)
    return model


def model_id(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:ID_BYTES]


def read_metadata(data: bytes) -> tuple[str, Family, Any, str]:
    """Name, family, configuration and distortion; raises WeightsError for other files."""
    try:
        size = int.from_bytes(data[:8], "little")
        described = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY])
        name, values = str(described["name"]), dict(described["config"])
        family = families.find(str(described.get("family", FIRST_FAMILY)))
        distortion = str(described.get("distortion", SQUARED_ERROR))
        return name, family, family.configure(values), distortion
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError("not a weights file of nacre") from error


def unpack(data: bytes, is_known: bool = False) -> CodingModel:
    """Undo `write_weights`. Raises WeightsError when anything is missing, damaged or not exact.

    Memory follows the arrays of the file, not the configuration: the arrays become the parameters and must fit.
    With `is_known`, for a file whose hash its card confirms, the test walk is left out.
    """
    with torch.inference_mode(False), torch.no_grad():  # searches by gradient use the weights
        return _unpacked(data, is_known)


def _unpacked(data: bytes, is_known: bool) -> CodingModel:
    name, family, config, distortion = read_metadata(data)
    try:
        arrays = load(data)
        if any(
            np.issubdtype(a.dtype, np.floating) and not np.isfinite(a).all()
            for a in arrays.values()
        ):
            raise WeightsError("weights: a number is not finite")
        network = _network(family, config, arrays)
        others = {key: array for key, array in arrays.items() if not key.startswith(NETWORK)}
        integers = family.integers(config, others)
        tables = {plane: _tables(others, plane) for plane in network.rows()}
        model = CodingModel(
            name, model_id(data), family.name, network, integers, tables, distortion
        )
        if not is_known:
            _prove_that_it_codes(model)
    except (
        SafetensorError, KeyError, TypeError, ValueError, RuntimeError, IndexError, ArithmeticError,
    ) as error:  # fmt: skip
        raise WeightsError(f"weights: {str(error).splitlines()[0]}") from error
    return model


def _network(family: Family, config: Any, arrays: Arrays) -> Network:
    """The network, built without memory; its parameters are the arrays of the file."""
    with unfilled():
        network = family.build(config)
    wanted = network.state_dict()
    own = {k.removeprefix(NETWORK): a for k, a in arrays.items() if k.startswith(NETWORK)}
    if own.keys() != wanted.keys():
        different = sorted(own.keys() ^ wanted.keys())[0]
        raise WeightsError(f"weights: {NETWORK}{different} is missing, or is not of this family")
    state: dict[str, Tensor] = {}
    for key, array in own.items():
        if array.shape != tuple(wanted[key].shape):
            raise WeightsError(f"weights: {NETWORK}{key} is of shape {array.shape}")
        found = torch.from_numpy(array.astype(np.float32))
        # Not `contiguous`: it keeps strides of pointwise kernels, by which torch chooses algorithms.
        is_kernel = found.ndim == 4
        state[key] = found.to(memory_format=torch.channels_last) if is_kernel else found
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def _tables(arrays: Arrays, plane: str) -> Tables:
    radius, frequencies, coded_from = (
        np.asarray(arrays[f"{TABLES}{plane}.{part}"])
        for part in ("radius", "frequencies", "coded_from")
    )
    for part in (radius, frequencies, coded_from):
        if not np.issubdtype(part.dtype, np.integer) or part.ndim != 1:
            raise WeightsError(f"weights: the tables of {plane} are not lists of integers")
    return Tables(radius.astype(np.int64), frequencies.astype(np.int64), int(coded_from[0]))


def _prove_that_it_codes(model: CodingModel) -> None:
    """Walk over a small tile of zeros: all parts must fit, and every row must have a table."""
    shapes = model.network.shapes(PROBE, PROBE)
    for plane, tables in model.tables.items():
        rows = len(model.network.rows()[plane].scales)
        if tables.rows != rows:
            raise WeightsError(f"weights: {tables.rows} table rows of plane {plane}, not {rows}")

    def answer(step: Step) -> Tensor:
        plane = step.turn.plane
        wanted = (1, len(step.turn.channels), *shapes[plane][2:])
        if step.mean.shape != wanted or step.rows.shape != wanted:
            raise WeightsError(
                f"weights: means and rows of plane {plane} are not of shape {wanted}"
            )
        is_row = step.rows.dtype in (torch.uint8, torch.int16)
        if not is_row or int(step.rows.max()) >= model.tables[plane].rows:
            raise WeightsError(f"weights: a row of plane {plane} has no table")
        return torch.zeros_like(step.mean)

    for quality in range(1, families.QUALITIES + 1, families.QUALITIES - 1):
        with torch.inference_mode():
            prior = model.prior(shapes, quality)
            known = drive(walk(prior, torch.device("cpu")), answer)
            model.network.synthesise(prior.shown(known), families.level(quality))
