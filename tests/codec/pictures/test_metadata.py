"""ICC, EXIF and XMP: what files say of their colours, density and authors, kept or named; never another's."""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from nacre.codec.container import MetaKind
from nacre.codec.pictures import ifd, metadata, png, profiles
from nacre.codec.pictures.colour import ImageWarning, Picture, to_picture, to_pil

RGB = np.random.default_rng(1).integers(0, 256, (23, 37, 3), np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GAMMA = profiles.made(profiles.Colours(curve=(1.8,)), 3)
GREY_GAMMA = profiles.made(profiles.Colours(curve=(1.8,)), 1)
P3 = profiles.made(profiles.by_numbers(12, 13), 3)


def opened(image: Image.Image, format: str, **options) -> Image.Image:
    out = io.BytesIO()
    image.save(out, format, **options)
    return Image.open(out)


def png_of(*chunks: tuple[bytes, bytes], samples=RGB) -> Image.Image:
    return Image.open(io.BytesIO(png.with_chunks(png.write(samples), chunks)))


def quiet(image) -> Picture:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return to_picture(image)


def tags(picture: Picture) -> Image.Exif:
    exif = Image.Exif()
    exif.load(picture.metadata.get(MetaKind.EXIF, b""))
    return exif


# Colours that a file names by numbers

LINEAR = (b"gAMA", struct.pack(">I", 100000))
SRGB_POINTS = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
P3_POINTS = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
P3_CHUNK = (b"cHRM", struct.pack(">8I", *P3_POINTS))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("chunks", "wanted"),
    [
        ([LINEAR], profiles.Colours(curve=(1.0,))),
        ([P3_CHUNK], profiles.by_numbers(12, 13)),
        ([P3_CHUNK, LINEAR], profiles.Colours(*profiles.PRIMARIES[12], (1.0,))),
        ([(b"cICP", bytes([12, 13, 0, 1]))], profiles.by_numbers(12, 13)),
        ([(b"cHRM", struct.pack(">8I", *SRGB_POINTS))], profiles.Colours()),
    ],
)
def test_numbers_become_a_profile(kind, chunks, wanted):
    samples = RGB if kind == np.uint8 else RGB.astype(np.uint16) * 257
    picture = quiet(png_of(*chunks, samples=samples))
    assert picture.metadata.get(MetaKind.ICC, b"") == profiles.made(wanted, 3)
    assert np.array_equal(picture.pixels, samples)


def test_the_first_of_several_counts():
    cicp, srgb = (b"cICP", bytes([9, 1, 0, 1])), (b"sRGB", b"\0")
    icc = png.icc_chunk(GAMMA)
    found = [
        quiet(png_of(*chunks)).metadata.get(MetaKind.ICC, b"")
        for chunks in ([LINEAR, srgb, icc, cicp], [LINEAR, srgb, icc], [LINEAR, srgb], [LINEAR])
    ]
    wanted = [profiles.by_numbers(9, 1), None, profiles.Colours(), profiles.Colours(curve=(1.0,))]
    assert found == [GAMMA if w is None else profiles.made(w, 3) for w in wanted]


@pytest.mark.parametrize("transfer", [16, 18])
def test_colours_that_no_profile_holds_are_named(transfer):
    image = png_of((b"cICP", bytes([9, transfer, 0, 1])), LINEAR)
    with pytest.warns(ImageWarning, match=f"primaries 9 and transfer {transfer}"):
        picture = to_picture(image)
    assert picture.metadata[MetaKind.ICC] == profiles.made(profiles.Colours(curve=(1.0,)), 3)


def test_numbers_that_are_damaged_are_named():
    for chunk in ((b"cHRM", struct.pack(">8I", *[0] * 8)), (b"gAMA", struct.pack(">I", 1))):
        with pytest.warns(ImageWarning, match="not kept"):
            assert MetaKind.ICC not in to_picture(png_of(chunk)).metadata


def test_grey_gets_a_grey_profile():
    picture = quiet(png_of(LINEAR, samples=RGB[..., :1]))
    assert profiles.space(picture.metadata[MetaKind.ICC]) == b"GRAY"


def test_avif_names_its_colours():
    out = io.BytesIO()
    Image.fromarray(RGB).save(out, "AVIF", quality=90)
    data = out.getvalue()
    at = data.index(b"colrnclx") + 8
    assert MetaKind.ICC not in quiet(Image.open(io.BytesIO(data))).metadata
    other = data[:at] + struct.pack(">HH", 12, 13) + data[at + 4 :]
    assert quiet(Image.open(io.BytesIO(other))).metadata[MetaKind.ICC] == P3


# Profiles of other samples


def test_a_grey_picture_with_the_profile_of_a_coloured_one():
    image = Image.fromarray(RGB[..., 0])
    image.info["icc_profile"] = GAMMA
    picture = quiet(image)
    assert picture.metadata[MetaKind.ICC] == GREY_GAMMA and picture.channels == 1
    image.info["icc_profile"] = SRGB
    assert quiet(image).metadata == {}


def test_a_coloured_picture_with_the_profile_of_a_grey_one():
    image = Image.fromarray(RGB)
    image.info["icc_profile"] = GREY_GAMMA
    found = quiet(image).metadata[MetaKind.ICC]
    assert profiles.space(found) == b"RGB "
    wanted = profiles.to_srgb(RGB, GAMMA).astype(int)
    assert np.abs(profiles.to_srgb(RGB, found) - wanted).max() <= 1


def test_a_profile_of_other_samples_is_dropped_aloud():
    image = Image.fromarray(RGB)
    image.info["icc_profile"] = SRGB[:16] + b"CMYK" + SRGB[20:]
    with pytest.warns(ImageWarning, match="ICC profile of CMYK"):
        assert to_picture(image).metadata == {}


def test_files_that_hold_the_wrong_profile_are_mended():
    grey = Picture(RGB[..., :1], {MetaKind.ICC: GAMMA})
    assert to_pil(grey).info["icc_profile"] == GREY_GAMMA


# EXIF


def test_tags_of_a_tiff_are_kept_without_its_layout():
    given = {271: "a camera", 33432: "somebody", 282: 300.0, 283: 150.0, 296: 2, 33723: b"iptc"}
    for mode in ("P", "RGB", "L", "1"):
        image = opened(Image.fromarray(RGB).convert(mode), "TIFF", tiffinfo=given)
        exif = tags(quiet(image))
        assert exif[271] == "a camera" and exif[33432] == "somebody" and exif[33723] == b"iptc"
        assert float(exif[282]) == 300
        assert set(exif) == set(given)


def test_layers_of_a_tiff_are_named():
    with pytest.warns(ImageWarning, match="layers"):
        to_picture(opened(Image.fromarray(RGB), "TIFF", tiffinfo={ifd.LAYERS: b"layers"}))


@pytest.mark.parametrize("orientation", [1, 6])
def test_blocks_of_early_files_are_cleaned(orientation):
    exif = Image.Exif()
    exif[271], exif[256], exif[259], exif[273] = "a camera", 5, 4, (8, 9)
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    found = to_pil(Picture(RGB, {MetaKind.EXIF: block}, orientation)).getexif()
    assert set(found) == {271} | ({274} if orientation == 6 else set())
    structure_only = Image.Exif()
    structure_only[256] = 5
    block = structure_only.tobytes().removeprefix(b"Exif\0\0")
    assert "exif" not in to_pil(Picture(RGB, {MetaKind.EXIF: block})).info


def test_an_orientation_that_xmp_tells_goes_into_exif():
    xmp = b'<x tiff:Orientation="6"/>'
    exif = Image.Exif()
    exif[271] = "a camera"
    picture = quiet(opened(Image.fromarray(RGB), "JPEG", xmp=xmp, exif=exif))
    assert picture.orientation == 6 and tags(picture)[274] == 6 and tags(picture)[271] == "a camera"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP"])
def test_density_is_kept(format):
    exif = tags(quiet(opened(Image.fromarray(RGB), format, dpi=(300, 150))))
    assert [round(float(exif[tag])) for tag in (282, 283)] == [300, 150] and exif[296] == 2


def test_density_of_exif_counts_first():
    exif = Image.Exif()
    exif[282], exif[283], exif[296] = 10, 20, 3
    picture = quiet(opened(Image.fromarray(RGB), "JPEG", dpi=(300, 150), exif=exif))
    assert (tags(picture)[282], tags(picture)[283], tags(picture)[296]) == (10, 20, 3)
    assert metadata.density(picture.metadata[MetaKind.EXIF]) == (25.4, 50.8, True)


def test_density_that_pillow_guesses_is_not_kept():
    exif = Image.Exif()
    exif[271] = "a camera"
    assert set(tags(quiet(opened(Image.fromarray(RGB), "JPEG", exif=exif)))) == {271}


def test_pixels_that_are_not_square_are_kept():
    block = quiet(png_of(png.density_chunk(4, 3, False))).metadata[MetaKind.EXIF]
    assert metadata.density(block) == (4, 3, False)
    assert MetaKind.EXIF not in quiet(png_of(png.density_chunk(3, 3, False))).metadata


def with_texts(texts: dict[str, str], **options) -> Image.Image:
    held = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        held.add_text(key, text)
    return opened(Image.fromarray(RGB), "PNG", pnginfo=held, **options)


def test_texts_become_tags():
    texts = {"Author": "Jörg", "Copyright": "(c)", "Description": "a wall", "Software": "mine"}
    for date in ("2024-05-06T07:08:09", "Mon, 6 May 2024 07:08:09 +0000"):
        exif = tags(quiet(with_texts({**texts, "Creation Time": date})))
        assert exif[306] == "2024:05:06 07:08:09" and exif[33432] == "(c)"
        assert exif[270] == "a wall" and exif[305] == "mine"
        assert exif[315].encode("latin-1").decode() == "Jörg"


def test_texts_without_a_tag_are_named_in_one_warning():
    exif = Image.Exif()
    exif[305] = "another"
    image = with_texts(
        {"Title": "t", "parameters": "a cat", "Software": "mine", "Creation Time": "soon"},
        exif=exif,
    )
    with pytest.warns(ImageWarning) as caught:
        found = to_picture(image)
    (message,) = [str(w.message) for w in caught]
    assert message == "texts are not kept: Creation Time, Software, Title, parameters"
    assert tags(found)[305] == "another"


def test_comments_become_descriptions():
    assert tags(quiet(opened(Image.fromarray(RGB), "JPEG", comment="a wall")))[270] == "a wall"


def test_an_exif_block_of_a_camera_is_carried_to_the_byte():
    exif = Image.Exif()
    exif[271], exif[274] = "a camera", 3
    exif.get_ifd(ifd.EXIF_IFD)[37500] = b"the maker's notes"
    image = opened(Image.fromarray(RGB), "JPEG", exif=exif)
    assert quiet(image).metadata[MetaKind.EXIF] == image.info["exif"].removeprefix(b"Exif\0\0")
