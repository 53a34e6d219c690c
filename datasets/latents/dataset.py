"""A data set of coded latents for training: random access, and streams of its samples."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from nacre import codec
from nacre.codec import threads
from nacre.datasets.latents.cache import LatentCache
from nacre.datasets.latents.index import INDEX, read_index
from nacre.datasets.latents.order import Shuffle, mixed
from nacre.datasets.latents.stream import LatentStream
from nacre.entropy.errors import CorruptStream, NacreError, UsageError
from nacre.models import zoo

NO_LABEL = -1
DTYPES = {
    "int8": torch.int8,
    "int16": torch.int16,
    "float16": torch.float16,
    "float32": torch.float32,
}
CROPS = ("centre", "random")
Latent = Tensor | dict[str, Tensor]


class LatentSample(NamedTuple):
    """One sample; `default_collate` of torch makes batches of them."""

    latent: Latent  # (C, h, w); a dictionary with `planes`; pixels (3, H, W) with `decode`
    label: int  # NO_LABEL if it has none
    key: str


class DamagedSampleWarning(UserWarning):
    """A damaged sample was left out; the text has its key."""


class LatentDataset(Dataset[LatentSample | None]):
    """The samples of a folder that `nacre pack` wrote, by number.

    `dtype` "float32" or "float16" gives means plus symbols, in quantisation steps, as the synthesis sees
    them; multiplied by `steps` they are on one scale for all qualities. "int8" or "int16" gives the symbols:
    differences from the prediction, equal on every machine and read without any network in floats. `plane`
    names the plane of a sample; `planes` asks for a dictionary of several planes instead. `decode` gives pixels
    (3, H, W) of uint8.

    `size` (h, w) cuts every latent to h x w positions, at its "centre" or at "random", as `crop` says. Random
    places depend on `seed`, epoch and sample.

    A sample that is damaged, or smaller than `size`, raises an error that names it (`on_error` "raise"), or
    is None, with a DamagedSampleWarning ("skip"; `collate` leaves it out). `cache` is a folder for decoded
    latents: uncompressed, many times the size of the coded ones. `model` is a model beside the installed ones.

    Raises UsageError, UnsupportedStream or WeightsError.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        dtype: str = "float32",
        planes: Sequence[str] | None = None,
        decode: bool = False,
        size: tuple[int, int] | None = None,
        crop: str = "centre",
        seed: int = 0,
        on_error: str = "raise",
        cache: str | Path | None = None,
        model: str | Path | None = None,
    ) -> None:
        index = read_index(Path(path))
        self._index = path = Path(path) / INDEX if Path(path).is_dir() else Path(path)
        self.folder = path.parent
        self.model, self.classes, self.plane = index.model, index.classes, index.plane
        self.preparation, self.bad = index.preparation, index.bad
        self._shards, self._facts = index.shards, index.planes
        self._dtype, self._planes, self._decode = dtype, planes, decode
        self._size, self._crop, self._seed, self.epoch = size, crop, seed, 0
        self.on_error, self._weights = on_error, None if model is None else str(model)
        self._check(cache is not None)
        rows = index.samples
        # Arrays take little memory, and forked workers share them.
        self._where = np.array([(r.shard, r.offset, r.size) for r in rows], np.int64).reshape(-1, 3)
        self._pixels = np.array([r.picture for r in rows], np.int64).reshape(-1, 2)
        self.shapes = np.array([r.latent for r in rows], np.int64).reshape(-1, 3)
        labels = [NO_LABEL if r.label is None else r.label for r in rows]
        self.labels = np.array(labels, np.int64)
        keys = [r.key.encode() for r in rows]
        self._keys = b"".join(keys)
        self._key_ends = np.cumsum([0, *map(len, keys)])
        self._cache = None if cache is None else self._cached(Path(cache))
        zoo.model_of_stream(bytes.fromhex(index.model.id), self._weights)  # raises

    def __len__(self) -> int:
        return len(self._where)

    def __getitem__(self, number: int) -> LatentSample | None:
        if not -len(self) <= number < len(self):
            raise IndexError(f"sample {number} of {len(self)}")
        number %= len(self)
        try:
            latent = self._latent(number)
        except (NacreError, OSError) as error:
            reason = f"sample {self.key(number)!r}: {error}"
            if self.on_error == "skip":
                warnings.warn(reason, DamagedSampleWarning, stacklevel=2)
                return None
            raise (type(error) if isinstance(error, NacreError) else CorruptStream)(
                reason
            ) from error
        return LatentSample(latent, int(self.labels[number]), self.key(number))

    def key(self, number: int) -> str:
        start, end = self._key_ends[number : number + 2]
        return self._keys[start:end].decode()

    def shard_of(self, numbers: Any) -> Any:
        """The shard of each sample."""
        return self._where[numbers, 0]

    def read(self, number: int) -> bytes:
        """The nacre file of a sample. Raises OSError."""
        shard, offset, size = (int(value) for value in self._where[number])
        with open(self.folder / self._shards[shard], "rb", buffering=0) as file:
            file.seek(offset)
            return file.read(size)

    @property
    def steps(self) -> Tensor:
        """(C, 1, 1) the quantisation step of each channel, on a scale that all qualities share."""
        return torch.tensor(self._facts[self.plane].steps)[:, None, None]

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which changes random crops; call it before the workers of an epoch start."""
        self.epoch = epoch

    @staticmethod
    def collate(samples: Sequence[LatentSample | None]) -> Any:
        """A batch of the samples that are not None; None if there are none."""
        whole = [sample for sample in samples if sample is not None]
        return default_collate(whole) if whole else None

    def iterable(
        self,
        *,
        shuffle: Shuffle = "samples",
        seed: int = 0,
        epoch: int = 0,
        batch_size: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        drop_uneven: bool = False,
    ) -> LatentStream:
        """The samples in an order that seed and epoch determine: see `LatentStream`."""
        return LatentStream(
            self, shuffle, seed, epoch, batch_size, rank=rank, world_size=world_size, drop_uneven=drop_uneven
        )  # fmt: skip

    def _latent(self, number: int) -> Latent:
        if self._decode:
            image = codec.decode(self.read(number), strict=True, model=self._weights)
            return torch.from_numpy(np.array(image)).permute(2, 0, 1)
        found = self._from_cache(number)
        if found is None:
            planes = self._parsed(number)
            if self._planes is not None:
                return planes
            found = planes[self.plane]
        return self._cut(found, number)

    def _from_cache(self, number: int) -> Tensor | None:
        if self._cache is None:
            return None
        found = self._cache.get(number)
        if found is None:
            found = self._parsed(number)[self.plane].numpy()
            self._cache.put(number, found)
        return torch.from_numpy(found)

    def _parsed(self, number: int) -> dict[str, Tensor]:
        dtype = DTYPES[self._dtype]
        with threads.suited(int(self._pixels[number].prod())):
            found = codec.latents(
                self.read(number),
                planes=(self.plane,) if self._planes is None else tuple(self._planes),
                only_symbols=not dtype.is_floating_point,
                model=self._weights,
            )
        if self.plane in found and found[self.plane].shape != tuple(self.shapes[number]):
            raise CorruptStream("its shape is not that of the index")
        return {name: plane.to(dtype) for name, plane in found.items()}

    def _cut(self, latent: Tensor, number: int) -> Tensor:
        if self._size is None:
            return latent
        (height, width), (rows, columns) = self._size, latent.shape[1:]
        if rows < height or columns < width:
            raise NacreError(f"{rows}x{columns} positions are less than {height}x{width}")
        down, right = rows - height, columns - width
        if self._crop == "centre":
            top, left = down // 2, right // 2
        else:
            drawn = mixed(self._seed, self.epoch, np.array([2 * number, 2 * number + 1]))
            top, left = int(drawn[0] % (down + 1)), int(drawn[1] % (right + 1))
        return latent[:, top : top + height, left : left + width]

    def _check(self, has_cache: bool) -> None:
        if self._dtype not in DTYPES:
            raise UsageError(f"dtype {self._dtype!r}: {', '.join(DTYPES)} wanted")
        if self.on_error not in ("raise", "skip"):
            raise UsageError(f'on_error {self.on_error!r}: "raise" or "skip" wanted')
        if self._crop not in CROPS:
            raise UsageError(f"crop {self._crop!r}: {' or '.join(CROPS)} wanted")
        several = self._planes is not None
        if (several or self._decode) and (self._size is not None or has_cache):
            raise UsageError("size and cache are for one plane, not for planes or pixels")
        if several and self._decode:
            raise UsageError("planes, or decode: one of them")
        if self._size is not None and min(self._size) < 1:
            raise UsageError(f"size {self._size}: rows and columns wanted")
        for name in self._planes or (self.plane,):
            if name not in self._facts:
                raise UsageError(f"no plane {name!r}; there is {', '.join(self._facts)}")
            if self._dtype == "int8" and self._facts[name].dtype != "int8" and not self._decode:
                raise UsageError(
                    f'plane {name!r} has symbols beyond int8: dtype "int16" holds them'
                )

    def _cached(self, folder: Path) -> LatentCache:
        kind = np.dtype(self._dtype)
        digest = hashlib.sha256(self._where.tobytes() + self._keys + self.model.id.encode())
        digest.update(repr((self.preparation, self.plane)).encode())
        return LatentCache(folder, f"{digest.hexdigest()[:16]}-{self._dtype}", self.shapes, kind)
