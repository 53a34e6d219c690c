"""Whether a file is whole, what of it is damaged, and whether it can be decoded here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nacre.codec.chunks import SIGNATURE, Bytes, read_chunks
from nacre.codec.container import End, Limits, Stream
from nacre.entropy.errors import CorruptStream, NacreError, StreamError, TruncatedStream


@dataclass(frozen=True)
class ChunkState:
    """One chunk of a file."""

    kind: str
    at: int  # bytes from the start of the file
    size: int  # bytes, framing included
    is_damaged: bool


@dataclass(frozen=True)
class Verdict:
    """The state of a file, after every byte of it was read."""

    is_whole: bool  # it ends with its end chunk
    is_damaged: bool  # some bytes differ from the bytes that were written
    is_decodable: bool  # this installation makes a picture of it, whole or coarser
    remarks: tuple[str, ...]  # why not, a line each
    chunks: tuple[ChunkState, ...]


def verify(data: Bytes, *, model: str | Path | None = None, limits: Limits = Limits()) -> Verdict:
    """Check every chunk, then parse every symbol if the model is installed. Raises no NacreError."""
    chunks, remarks = _chunk_states(data)
    is_damaged = any(chunk.is_damaged for chunk in chunks) or bool(remarks)
    is_whole = bool(chunks) and chunks[-1].kind == End.TYPE.decode()
    try:
        stream = Stream.from_bytes(data, limits, may_be_cut=True)
        is_whole = stream.end is not None
        if not is_whole:
            remarks.append("the file is cut: it decodes to a coarser picture")
        _parse(data, model, limits)
    except TruncatedStream as error:
        return Verdict(False, is_damaged, False, _distinct([*remarks, str(error)]), chunks)
    except NacreError as error:
        is_damaged = is_damaged or isinstance(error, CorruptStream)
        return Verdict(is_whole, is_damaged, False, _distinct([*remarks, str(error)]), chunks)
    return Verdict(is_whole, is_damaged, True, _distinct(remarks), chunks)


def _parse(data: Bytes, model: str | Path | None, limits: Limits) -> None:
    import warnings

    from nacre.codec.decoder import CutFileWarning, Opened

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CutFileWarning)  # already a remark
        Opened(data, model=model, limits=limits).parse()


def _chunk_states(data: Bytes) -> tuple[tuple[ChunkState, ...], list[str]]:
    """All chunks that can be told apart, and why no more of them can."""
    found: list[ChunkState] = []
    remarks: list[str] = []
    at = len(SIGNATURE)
    try:
        for chunk in read_chunks(data):
            try:
                chunk.checked()
                is_damaged = False
            except CorruptStream:
                is_damaged = True
                remarks.append(f"{chunk.kind.decode()} at byte {at} is damaged")
            found.append(ChunkState(chunk.kind.decode(), at, chunk.size, is_damaged))
            at += chunk.size
    except TruncatedStream:
        pass  # `verify` reports it
    except StreamError as error:
        remarks.append(f"at byte {at}: {error}")
    return tuple(found), remarks


def _distinct(remarks: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(remarks))
