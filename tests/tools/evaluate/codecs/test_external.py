"""External programs, by stand-ins that check the exact command lines."""

from __future__ import annotations

import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nacre.tools.evaluate.codecs.base import CodecFailed, CodecMissing
from nacre.tools.evaluate.codecs.registry import create
from nacre.tools.evaluate.metrics import psnr_db

# Lossless coders in place of VTM's: they refuse every command line but the one that is known to work.
ENCODER = """
    import os, sys, zlib, numpy as np
    config = sys.argv[2]
    assert sys.argv[1:] == [
        "-c", config, "-i", "in.yuv", "-b", "out.bin", "-o", os.devnull, "-q", "22", "-wdt", "56", "-hgt", "40",
        "-fr", "1", "-f", "1", "--InputChromaFormat=444", "--InputBitDepth=DEPTH", "--InternalBitDepth=10",
        "--ConformanceWindowMode=1"], sys.argv
    assert open(config).read() == "intra"
    kind = np.uint8 if DEPTH == 8 else np.dtype("<u2")
    samples = np.fromfile("in.yuv", kind).astype("<u2")
    assert samples.size == 3 * 56 * 40
    open("out.bin", "wb").write(zlib.compress((samples << (10 - DEPTH)).tobytes()))
"""
DECODER = """
    import sys, zlib
    assert sys.argv[1:] == ["-b", "out.bin", "-o", "rec.yuv", "-d", "10"], sys.argv
    open("rec.yuv", "wb").write(zlib.decompress(open("out.bin", "rb").read()))
"""


def program(path, text):
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
    path.chmod(0o755)
    return path


@pytest.fixture
def vtm(tmp_path):
    """Makes the codec from texts of programs."""

    def make(encoder=ENCODER, decoder=DECODER, depth=8, more=""):
        (tmp_path / "intra.cfg").write_text("intra")
        parts = {
            "encoder": program(tmp_path / "E", encoder.replace("DEPTH", str(depth))),
            "decoder": program(tmp_path / "D", decoder),
            "config": tmp_path / "intra.cfg",
        }
        named = ",".join(f"{key}={value}" for key, value in parts.items())
        return create(f"vtm@{named},depth={depth}{more}")

    return make


@pytest.mark.parametrize("depth", [8, 10])
def test_vtm_is_called_as_it_wants_to_be(vtm, noise, depth):
    codec = vtm(depth=depth)
    image = Image.fromarray(noise)
    decoded = codec.decode(codec.encode(image, 22), image.size)
    assert psnr_db(noise, np.asarray(decoded)) > (50 if depth == 8 else 58)
    assert "-c encoder_intra_vtm.cfg" in codec.settings and "-q Q" in codec.settings


def test_cutting_fractions_off_is_an_option(vtm, noise):
    image = Image.fromarray(noise)
    psnr = [
        psnr_db(noise, np.asarray(codec.decode(codec.encode(image, 22), image.size)))
        for codec in (vtm(), vtm(more=",truncate=1"))
    ]
    assert psnr[1] < psnr[0] - 2


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        ("import sys; print('no memory'); sys.exit(3)", "ended with 3: no memory"),
        ("import os; os.abort()", "ended with -6"),
        ("pass", "wrote nothing"),
        ("open('out.bin', 'w')", "wrote nothing"),
    ],
)
def test_an_encoder_that_fails_is_told(vtm, photo, encoder, said):
    with pytest.raises(CodecFailed, match=said):
        vtm(encoder=encoder).encode(photo, 22)


def test_an_encoder_that_hangs_is_ended_with_its_children(vtm, photo, tmp_path):
    child = f"open({str(tmp_path / 'alive')!r}, 'w').write(str(__import__('os').getpid()))"
    encoder = f"""
        import subprocess, sys, time
        subprocess.Popen([sys.executable, "-c", {child + "; import time; time.sleep(60)"!r}])
        time.sleep(60)
    """
    with pytest.raises(CodecFailed, match="ended after 2 s"):
        vtm(encoder=encoder, more=",time_limit=2").encode(photo, 22)
    process = int((tmp_path / "alive").read_text())
    stat = Path(f"/proc/{process}/stat")
    for _ in range(100):  # a signal takes its time
        if not stat.exists() or stat.read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    raise AssertionError("its child lives on")


def test_a_decoder_that_gives_another_size_is_told(vtm, photo):
    with pytest.raises(CodecFailed, match="bytes, not"):
        vtm(decoder="open('rec.yuv', 'wb').write(bytes(10))").decode(b"x", photo.size)


def test_nothing_is_left_behind(vtm, photo, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    with pytest.raises(CodecFailed):
        vtm(encoder="import sys; sys.exit(1)").encode(photo, 22)
    assert not any((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize(
    ("name", "variable"), [("vtm", "NACRE_VTM_ENCODER"), ("vvenc", "NACRE_VVENCAPP"), ("bpg", "NACRE_BPGENC")]
)  # fmt: skip
def test_a_program_that_is_not_there_is_said_with_how_to_name_it(name, variable, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CodecMissing, match=variable):
        create(name)
    monkeypatch.setenv(variable, "/nowhere/it")
    with pytest.raises(CodecMissing, match="/nowhere/it is not a file"):
        create(name)


def test_programs_are_found_by_environment(tmp_path, monkeypatch, photo):
    """Stand-ins for bpgenc and bpgdec that copy their input."""
    encoder = """
        import sys, shutil
        assert sys.argv[1:] == "-q 22 -f 444 -c ycbcr -b 8 -e x265 -m 9 -o out.bpg in.png".split()
        shutil.copy("in.png", "out.bpg")
    """
    decoder = """
        import sys, shutil
        assert sys.argv[1:] == "-o rec.png out.bpg".split()
        shutil.copy("out.bpg", "rec.png")
    """
    monkeypatch.setenv("NACRE_BPGENC", str(program(tmp_path / "bpgenc", encoder)))
    monkeypatch.setenv("NACRE_BPGDEC", str(program(tmp_path / "bpgdec", decoder)))
    codec = create("bpg")
    assert codec.decode(codec.encode(photo, 22), photo.size).tobytes() == photo.tobytes()


def test_another_build_of_a_program_is_another_version(vtm):
    """Otherwise a run would reuse rows of the old build."""
    first, same = vtm().version, vtm().version
    other = vtm(encoder=ENCODER + "\n# rebuilt").version
    assert first == same != other
    assert first.split()[0] == other.split()[0] == "E"


def test_vvenc_is_given_even_sides_and_ten_bits(tmp_path, photo):
    encoder = """
        import os, sys
        assert sys.argv[1:] == [
            "--input", "in.yuv", "--size", "102x68", "--format", "yuv420_10", "--framerate", "1",
            "--frames", "1",
            "--intraperiod", "1", "--preset", "slow", "--qp", "22", "--qpa", "0", "--internal-bitdepth", "10",
            "--threads", "1", "--output", "out.266"], sys.argv
        assert os.path.getsize("in.yuv") == 102 * 68 * 3
        open("out.266", "wb").write(b"a stream")
    """
    codec = create(f"vvenc@encoder={program(tmp_path / 'vvencapp', encoder)}")
    assert codec.encode(photo.crop((0, 0, 101, 67)), 22) == b"a stream"
