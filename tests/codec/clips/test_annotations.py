"""Titles of streams, chapters and attached files: through a coded file and back."""

from __future__ import annotations

import dataclasses
import io
import random
import warnings
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from nacre.codec.chunks import read_chunks
from nacre.codec.clips.annotations import AttachedFile, ChapterList, StreamTags
from nacre.codec.clips.facts import Attachment, Chapter, ClipWarning
from nacre.codec.clips.payloads import Gop
from nacre.codec.clips.source import SourceOptions, open_source
from nacre.codec.container import Limits
from nacre.entropy.errors import CorruptStream, NacreError
from nacre.tools.fuzz_clips import mutated
from tests.codec.clips import made
from tests.codec.clips.clip_files import STREAMS, frames_of, packets_of, write
from tests.codec.clips.made import MS
from tests.codec.clips.test_container import opened, told
from tests.codec.clips.test_files import coded, decoded

CHAPTERS = (Chapter(0, 300, MS, {"title": "Größe"}), Chapter(300, 700, MS, {"title": "Two"}))
FONT = Attachment("a.ttf", "font/ttf", b"a font")
FRAMES = frames_of(6, 4, 5)
PACKETS = packets_of(FRAMES)
ANNOTATIONS = {
    "stream_metadata": {"title": "Main", "language": "deu"},
    "chapters": CHAPTERS,
    "attachments": (FONT, Attachment("b", "", b"")),
}
DATA = write(FRAMES, PACKETS, **ANNOTATIONS)
METADATA = {"title": "Film", "COM.EXAMPLE.CAMERA": "X1"}  # Matroska has keys in capitals


def cover() -> Attachment:
    file = io.BytesIO()
    Image.fromarray(made.picture(0, 32, 24)).save(file, "JPEG")
    return Attachment("cover.jpg", "image/jpeg", file.getvalue())


def make(path, attachments=(), metadata=METADATA):
    """A clip with all kinds of annotations, made by PyAV."""
    format = path.suffix[1:]
    options = {"movflags": "use_metadata_tags"} if len(metadata) > 1 else {}
    with av.open(str(path), "w", options=options) as container:
        video = container.add_stream("ffv1" if format == "mkv" else "libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.metadata.update({"title": "Main", "language": "deu"})
        sound = container.add_stream("aac", rate=48000)
        sound.metadata.update({"title": "Commentary", "language": "fra"})
        container.metadata.update(metadata)
        container.set_chapters(
            [
                {"id": k, "start": c.start, "end": c.end, "time_base": MS, "metadata": c.metadata}
                for k, c in enumerate(CHAPTERS)
            ]
        )
        covers = []
        for file in attachments:
            if format == "mkv":
                container.add_attachment(file.name, file.media_type, file.data)
            else:
                covers.append(container.add_mux_stream("mjpeg", width=24, height=32))
                covers[-1].disposition = av.stream.Disposition.attached_pic
        container.start_encoding()
        for stream, file in zip(covers, attachments, strict=format != "mkv"):
            packet = av.Packet(file.data)
            packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, 0, 0, True
            container.mux(packet)
        for i in range(25):
            frame = av.VideoFrame.from_ndarray(made.picture(i, 48, 64), "rgb24")
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        samples = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        samples.sample_rate, samples.pts = 48000, 0
        container.mux([*sound.encode(samples), *sound.encode(None), *video.encode(None)])
    return path


def annotations_of(path) -> dict[str, object]:
    """As PyAV reads them."""
    own = {"filename", "mimetype", "DURATION", "encoder", "ENCODER", "vendor_id", "minor_version"}
    with av.open(str(path)) as container:
        chapters = [
            (c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"])
            for c in container.chapters()
        ]
        files = [(s.name, s.mimetype, s.data) for s in container.streams if s.type == "attachment"]
        covers = [
            bytes(p) for p in container.demux()
            if p.size and p.stream.disposition & av.stream.Disposition.attached_pic
        ]  # fmt: skip
        streams = [
            (s.type, {k: v for k, v in s.metadata.items() if k not in own})
            for s in container.streams if s.type in ("video", "audio")
        ]  # fmt: skip
        metadata = {
            k: v for k, v in container.metadata.items() if "brand" not in k and k not in own
        }
    return {
        "chapters": chapters, "files": files, "covers": covers, "streams": streams, "file": metadata,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "attachments", "metadata"),
    [("a.mkv", [FONT, cover()], METADATA), ("a.mp4", [], METADATA), ("a.mov", [], METADATA),
     ("a.mp4", [cover()], {"title": "Film"})],
)  # fmt: skip
def test_there_and_back(tmp_path, name, attachments, metadata):
    before = make(tmp_path / name, attachments, metadata)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClipWarning)
        after = decoded(coded(before), tmp_path / f"after-{name}")
    found = annotations_of(after)
    assert found == annotations_of(before)
    assert metadata.items() <= found["file"].items()
    assert found["chapters"][0] == (0, Fraction(3, 10), {"title": "Größe"})
    assert found["covers"] == [a.data for a in attachments if a != FONT]
    assert all(word in str(found["streams"]) for word in ("Main", "Commentary"))
    assert ("deu" in str(found["streams"])) == (not name.endswith(".mov"))  # has no such code


def test_what_a_format_does_not_hold_is_told(tmp_path):
    data = coded(make(tmp_path / "a.mkv", [FONT, cover()]), SourceOptions(with_audio=False))
    for name, lacks in (
        ("a.mp4", ["EXAMPLE", "a.ttf"]),
        ("a.gif", ["chapters", "a.ttf", "cover.jpg"]),
    ):
        with pytest.warns(ClipWarning) as seen:
            decoded(data, tmp_path / name)
        assert len(made.times(tmp_path / name)) == 25
        messages = [str(w.message) for w in seen]
        assert len(messages) == len(lacks)
        assert all(word in text for word, text in zip(lacks, messages, strict=True))


def test_attached_files_over_the_limit_are_left_out(tmp_path):
    path = make(tmp_path / "a.mkv", [FONT, dataclasses.replace(FONT, data=bytes(3000))])
    with pytest.warns(ClipWarning, match="a.ttf"):
        source = open_source(path, SourceOptions(limits=Limits(metadata_bytes=2000)))
    assert source.facts.attachments == (FONT,)
    source.close()


def test_what_was_written_is_read():
    clip = opened(DATA)
    for name, value in ANNOTATIONS.items():
        assert getattr(clip.facts, name) == value
    titled = dataclasses.replace(STREAMS[1], metadata={"title": "Second"})
    tags = StreamTags({0: {"a": "b"}, 2: titled.metadata})
    assert StreamTags.from_bytes(tags.to_bytes()) == tags
    assert told(clip) == told(FRAMES) and clip.streams == STREAMS


def test_pinned_bytes():
    assert StreamTags({2: {"a": "bc"}}).to_bytes().hex() == "02010161026263"
    assert ChapterList((Chapter(5, 9, MS, {}),)).to_bytes().hex() == "0101000000e80300000a0800"
    assert AttachedFile(FONT).to_bytes() == b"\x05a.ttf\x08font/ttfa font"


@pytest.mark.parametrize(
    "payload",
    [
        ChapterList((Chapter(9, 9, MS, {}),)).to_bytes()[:-2] + b"\x01\x00",  # ends before it starts
        ChapterList((Chapter(0, 0, MS, {}),)).to_bytes().replace(b"\xe8\x03", b"\x00\x00"),  # ticks of x/0
        b"\x81\x20",  # 4097 chapters
        b"\x01",
    ],
)  # fmt: skip
def test_wrong_chapters_are_refused(payload):
    with pytest.raises(CorruptStream):
        ChapterList.from_bytes(payload)


@pytest.mark.parametrize(
    "payload", [b"\x41\x00", b"\x00\x00\x00\x00", b"\x00\x81\x20", b"\x00\x01"]
)
def test_wrong_tags_are_refused(payload):
    with pytest.raises(CorruptStream):
        StreamTags.from_bytes(payload)


def test_damaged_annotations_cost_themselves_alone():
    for chunk in read_chunks(DATA):
        if chunk.kind not in (StreamTags.TYPE, ChapterList.TYPE, AttachedFile.TYPE):
            continue
        for at in range(chunk.at, chunk.at + chunk.size):
            data = bytearray(DATA)
            data[at] ^= 1
            clip = opened(bytes(data))
            assert told(clip) == told(FRAMES)
            assert list(clip.file.packets(0)) == list(opened(DATA).file.packets(0))


def test_a_file_cut_in_its_annotations_is_empty():
    first = next(c.at for c in read_chunks(DATA) if c.kind in (Gop.TYPE, b"PKTS"))
    start = next(c.at for c in read_chunks(DATA) if c.kind == StreamTags.TYPE)
    for cut in range(start, first):
        assert len(opened(DATA[:cut])) == 0


def test_mutated_files_are_refused_or_play():
    rng, outcomes = random.Random(3), {"refused": 0, "played": 0}
    for _ in range(300):
        data = mutated(DATA, rng)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ClipWarning)
                clip = opened(data)
                assert all(frame.pixels.shape == (4, 5, 3) for frame in clip)
            outcomes["played"] += 1
        except NacreError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 30
