"""The codings of a file: for each, the module that reads the chunks between HEAD and TEND."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from nacre.codec.container import Coding, Head, Stream
from nacre.entropy.errors import UnsupportedStream

if TYPE_CHECKING:
    from nacre.codec.region import Region
    from nacre.codec.strips import Pixels

MODULES = {Coding.LATENT: "latent", Coding.CELLS: "stored"}


class Body(Protocol):
    """A region of a picture, ready to be read from the chunks of its file.

    Its constructor takes the head, the region and the run options; it checks the limits, and loads the model
    where one is needed. The module of a coding calls it `BODY`.
    """

    tiles: Container[int]  # the entropy tiles that the region needs

    def require_all_layers(self, stream: Stream) -> None:
        """Raises CorruptStream unless the chunks of a whole file have every layer."""

    def rows(self, stream: Stream, expected: int | None) -> Iterator[Pixels]:
        """Rows (n, width, 1 or 3) of the region, downwards.

        The checksum of the file is compared with `expected` before the last rows are given.
        Raises CorruptStream.
        """

    def parse(self, stream: Stream, expected: int | None) -> None:
        """Read every symbol and every cell, without making pixels. Raises CorruptStream."""


def open_body(head: Head, region: Region, options: Mapping[str, Any]) -> Body:
    """The body of a file of this head. Raises UnsupportedStream, and errors of its constructor."""
    if head.coding not in MODULES:
        raise UnsupportedStream(f"coding {head.coding.name} is not read by this version")
    module = import_module(f"{__name__}.{MODULES[head.coding]}")
    body: Body = module.BODY(head, region, options)
    return body
