"""Parameters of audio and subtitle streams, kept as small files that hold the stream and nothing else.

FFmpeg keeps the parameters of a stream (extra data, channels, rates) in structures without a serial form. A
container file without packets gives them one.
"""

from __future__ import annotations

import io
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av

from nacre.codec.clips.av_annotations import kept_metadata
from nacre.codec.clips.facts import HeadForm, StreamFacts, StreamKind
from nacre.codec.clips.payloads import LANGUAGE
from nacre.entropy.errors import CorruptStream

NAMES = {HeadForm.MOV: "mov", HeadForm.MATROSKA: "matroska", HeadForm.NUT: "nut"}
KINDS = {"audio": StreamKind.AUDIO, "subtitle": StreamKind.SUBTITLE}
PLACEHOLDER = bytes(8)  # Matroska and NUT are not opened without a packet


def facts_of_stream(stream: Any, container: str) -> StreamFacts | None:
    """The facts of a stream in a file of format `container`; None where no form keeps its parameters."""
    kind = KINDS.get(stream.type)
    if kind is None or stream.codec_context is None or stream.time_base is None:
        return None
    forms = (
        list(HeadForm) if "mp4" in container else [HeadForm.MATROSKA, HeadForm.NUT, HeadForm.MOV]
    )
    for form in forms:
        with suppress(av.error.FFmpegError, ValueError, CorruptStream):
            head = _written(stream, form)
            if _parameters(open_head(form, head)) == _parameters(stream):
                codec = stream.codec_context.codec.canonical_name
                metadata = kept_metadata(stream.metadata, of_mp4_stream="mp4" in container)
                language = metadata.get("language", "")
                if LANGUAGE.fullmatch(language):
                    metadata.pop("language", None)
                else:  # stays with the metadata, which hold any text
                    language = ""
                return StreamFacts(
                    kind, codec, stream.time_base, language, int(stream.disposition), form, head,
                    metadata,
                )  # fmt: skip
    return None


def open_head(form: HeadForm, head: bytes) -> Any:
    """The stream in a head of `StreamFacts`; its container stays open with it. Raises CorruptStream."""
    try:
        container = av.open(io.BytesIO(head), "r", format=NAMES[form], metadata_errors="replace")
        streams = [s for s in container.streams if s.type in KINDS and s.codec_context is not None]
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise CorruptStream(f"the parameters of a stream cannot be read: {error}") from error
    if len(streams) != 1:
        raise CorruptStream("the parameters of a stream are not those of one stream")
    return streams[0]


def _written(stream: Any, form: HeadForm) -> bytes:
    file = io.BytesIO()
    options = {"fflags": "+bitexact"}
    if form == HeadForm.MOV:
        options["movflags"] = "empty_moov+default_base_moof"
    with av.open(file, "w", format=NAMES[form], container_options=options) as container:
        copy = container.add_stream_from_template(stream)
        container.start_encoding()
        if form != HeadForm.MOV:
            packet = av.Packet(PLACEHOLDER)
            packet.stream, packet.pts, packet.dts, packet.duration = copy, 0, 0, 1
            packet.time_base, packet.is_keyframe = Fraction(1, 1000), True
            container.mux(packet)
    return file.getvalue()


def _parameters(stream: Any) -> tuple[Any, ...]:
    """The parameters that a copy must keep."""
    context = stream.codec_context
    found = [context.codec.canonical_name, context.extradata]
    if stream.type == "audio":
        found += [context.sample_rate, context.layout.name]
    return tuple(found)
