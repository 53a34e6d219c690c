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

from nacre.codec.chunks import chunk_to_bytes, read_chunks, write_varint
from nacre.codec.clips.annotations import AttachedFile, ChapterList, StreamTags
from nacre.codec.clips.container import ClipFile
from nacre.codec.clips.facts import Attachment, Chapter, ClipWarning
from nacre.codec.clips.numbers import MAX_ALL_PAIRS, Fields
from nacre.codec.clips.payloads import Gop
from nacre.codec.clips.source import SourceOptions, open_source
from nacre.codec.container import Limits
from nacre.entropy.errors import CorruptStream, NacreError, UsageError
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


def make(path, attachments=(), metadata=METADATA, chapters=CHAPTERS, language="fra"):
    """A clip with all kinds of annotations, made by PyAV."""
    format = path.suffix[1:]
    options = {"movflags": "use_metadata_tags"} if len(metadata) > 1 else {}
    with av.open(str(path), "w", options=options) as container:
        video = container.add_stream("ffv1" if format == "mkv" else "libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.metadata.update({"title": "Main", "language": "deu"})
        sound = container.add_stream("aac", rate=48000)
        sound.metadata.update({"title": "Commentary", "language": language})
        container.metadata.update(metadata)
        container.set_chapters(
            [
                {"id": k, "start": c.start, "end": c.end, "time_base": MS, "metadata": c.metadata}
                for k, c in enumerate(chapters)
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
        ("a.gif", ["chapters", "'a.ttf', 'cover.jpg'"]),
        ("%d.png", ["chapters"]),
    ):
        with pytest.warns(ClipWarning) as seen:
            decoded(data, tmp_path / name)
        assert name == "%d.png" or len(made.times(tmp_path / name)) == 25
        messages = [str(w.message) for w in seen]
        assert len(messages) == len(lacks)
        assert all(word in text for word, text in zip(lacks, messages, strict=True))


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov"])
def test_chapters_of_any_times_are_written(tmp_path, name):
    late = Chapter(2**60, 2**61, MS, {"title": "Never"})
    chapters = (
        Chapter(-200, -100, MS, {"title": "Before"}), Chapter(500, 2**60, MS, {"title": "Last"}),
        Chapter(100, 300, MS), Chapter(300, 400, MS, {"title": "One"}), late,
    )  # fmt: skip
    with pytest.warns(ClipWarning, match=r"2 chapter"):
        decoded(write(frames_of(6, 48, 64), chapters=chapters), tmp_path / name)
    found = annotations_of(tmp_path / name)["chapters"]
    starts = {(float(start), tags.get("title", "")) for start, _, tags in found}
    filler = set() if name == "a.mkv" else {(0, "")}  # MP4 has no time without a chapter
    assert starts == {(0.1, ""), (0.3, "One"), (0.5, "Last")} | filler


def test_chapters_keep_their_place_in_a_clip_that_begins_late(tmp_path):
    chapters = (Chapter(10000, 10300, MS, {"title": "One"}),)
    data = write(frames_of(6, 48, 64, pts=900000), chapters=chapters)
    for name in ("a.mkv", "a.mp4"):
        path = decoded(data, tmp_path / name)
        assert made.times(path)[0] == annotations_of(path)["chapters"][-1][0] == 10


@pytest.mark.parametrize("language", ["zh-Hant-TW", "en US", "de_DE.UTF-8@euro-and-more"])
def test_any_language_comes_back(tmp_path, language):
    before = make(tmp_path / "a.mkv", language=language)
    after = decoded(coded(before), tmp_path / "b.mkv")
    assert language in str(annotations_of(after)["streams"])


def test_a_time_code_beside_chapters(tmp_path):
    """FFmpeg then writes the chapters as subtitles too."""
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.metadata["timecode"] = 64, 48, "01:00:00:00"
        container.set_chapters(
            [{"id": 1, "start": 0, "end": 40, "time_base": MS, "metadata": {"title": "One"}}]
        )
        frame = av.VideoFrame.from_ndarray(made.picture(0, 48, 64), "rgb24")
        container.mux([*video.encode(frame.reformat(format="yuv420p")), *video.encode(None)])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClipWarning)
        data = coded(path)
        with av.open(str(decoded(data, tmp_path / "b.mkv"))) as container:
            assert [s.type for s in container.streams] == ["video"]
            assert container.streams[0].metadata["TIMECODE"] == "01:00:00:00"
    with pytest.warns(ClipWarning, match="time code"):
        decoded(data, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert [s.type for s in container.streams] == ["video", "data"]


@pytest.mark.parametrize(
    "data", [b"", b"<svg/>", b"P6 99999999999999999999 1 255 ", b"\xff\xd8\xff\xe0 broken"]
)
def test_a_cover_that_is_no_picture_is_left_out(tmp_path, data):
    name = "\x1b[2J" + 100 * "a"
    file = Attachment(name, "image/jpeg", data)
    with pytest.warns(ClipWarning) as seen:
        decoded(write(frames_of(2, 48, 64), attachments=(file,) * 9), tmp_path / "a.mp4")
    (text,) = (str(w.message) for w in seen)
    assert text.isprintable() and len(text) < 500 and text.endswith("and 4 more")


def test_covers_of_other_kinds(tmp_path):
    file = io.BytesIO()
    Image.fromarray(made.picture(0, 24, 32)).save(file, "GIF")
    covers = [Attachment("c.gif", "image/gif", file.getvalue())]
    source = open_source(make(tmp_path / "a.mkv", covers))
    assert list(source.facts.attachments) == covers
    source.close()


def test_too_many_keys_are_left_out(tmp_path):
    with pytest.warns(ClipWarning, match="905 are left out"):
        source = open_source(make(tmp_path / "a.mkv", (), {f"K{i}": "" for i in range(5001)}))
    assert len(source.facts.metadata) == 4096
    source.close()


def test_what_a_source_takes_a_reader_takes(tmp_path):
    limits = Limits(metadata_bytes=10000)
    files = [Attachment(f"{i}.ttf", "font/ttf", bytes(1000)) for i in range(12)]
    with pytest.warns(ClipWarning, match="are left out"):
        source = open_source(make(tmp_path / "a.mkv", files), SourceOptions(limits=limits))
    assert len(source.facts.attachments) == 9
    data = write(FRAMES, attachments=source.facts.attachments)
    assert len(ClipFile(data, limits).facts.attachments) == 9
    source.close()


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
        ChapterList((Chapter(0, 0, MS, {}),)).to_bytes().replace(b"\xe8\x03\0\0", b"\1\0\0\x80"),  # over 2^31
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


def test_the_first_tags_and_chapters_count():
    start = next(c.at for c in read_chunks(DATA) if c.kind == StreamTags.TYPE)
    first = [(b"TAGS", StreamTags({0: {"title": "First"}})), (b"CHAP", ChapterList(CHAPTERS[1:]))]
    early = b"".join(chunk_to_bytes(kind, payload.to_bytes()) for kind, payload in first)
    clip = opened(DATA[:start] + early + DATA[start:])
    assert clip.facts.stream_metadata == {"title": "First"} and clip.facts.chapters == CHAPTERS[1:]
    assert told(clip) == told(FRAMES)


def test_hostile_annotations_take_little_time(monkeypatch):
    pairs = write_varint(4096) + bytes(2 * 4096)
    chapter = ChapterList.BASE.pack(1, 1) + bytes(2) + pairs
    hostile = {
        b"TAGS": b"".join(write_varint(i) + pairs for i in range(65)),
        b"CHAP": write_varint(400) + 400 * chapter,
    }
    texts = []
    text = Fields.text
    monkeypatch.setattr(Fields, "text", lambda self: texts.append(1) or text(self))
    first = next(c.at for c in read_chunks(DATA) if c.kind == StreamTags.TYPE)
    for kind, payload in hostile.items():
        data = DATA[:first] + 9 * chunk_to_bytes(kind, payload) + DATA[first:]
        assert ClipFile(data).facts.attachments == ANNOTATIONS["attachments"]
    assert len(texts) < 6 * MAX_ALL_PAIRS
    with pytest.raises(UsageError, match="keys in all"):
        write(FRAMES, chapters=17 * (Chapter(0, 1, MS, {f"{i}": "" for i in range(4096)}),))


@pytest.mark.parametrize(
    "facts",
    [
        {"chapters": (Chapter(0, 1, Fraction(1, 2**31)),)}, {"chapters": (Chapter(5, 4, MS),)},
        {"chapters": (Chapter(0, 2**62 + 1, MS),)}, {"chapters": 4097 * (Chapter(0, 1, MS),)},
        {"attachments": 65 * (FONT,)}, {"stream_metadata": {f"{i}": "" for i in range(4097)}},
    ],
)  # fmt: skip
def test_what_a_reader_refuses_is_not_written(facts):
    with pytest.raises(UsageError):
        write(FRAMES, **facts)


def test_annotations_behind_many_chunks_are_not_looked_for():
    first = next(c.at for c in read_chunks(DATA) if c.kind == StreamTags.TYPE)
    for count in (1000, 2000):
        data = DATA[:first] + count * chunk_to_bytes(b"ABCD", b"") + DATA[first:]
        clip = opened(data)
        assert told(clip) == told(FRAMES) and bool(clip.facts.chapters) == (count == 1000)


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
