"""Tells which files are pictures that can be read here: by suffix, and by content if it is not known."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from enum import Enum, auto
from importlib import import_module
from typing import TYPE_CHECKING

from nacre.codec.chunks import SIGNATURE
from nacre.entropy.errors import LimitError

if TYPE_CHECKING:
    from PIL import Image


class Kind(Enum):
    """Judgement of a file that was found in a folder."""

    TAKEN = auto()  # a picture
    UNREADABLE = auto()  # a picture of a format that cannot be read here
    HIDDEN = auto()  # a picture whose name begins with a dot
    OTHER = auto()  # not a picture
    BESIDE = auto()  # a file that programs put beside pictures, such as a side-car; not reported


ROWS_SUFFIX = ".npy"  # uint8 or uint16 (H, W, 1 to 4), row by row
RAW = frozenset(
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .k25 .kdc .mef .mos .mrw .nef .nrw .orf"
    " .pef .raf .raw .rw2 .rwl .sr2 .srf .srw .x3f".split()
)
PACKAGES = {  # which package adds a format to Pillow
    ".heic": "pillow-heif",
    ".heif": "pillow-heif",
    ".heics": "pillow-heif",
    ".hif": "pillow-heif",
    ".jxl": "pillow-jxl-plugin",
    ".avif": "pillow-avif-plugin",
}
PLUGINS = {"pillow_heif": "register_heif_opener", "pillow_jxl": ""}
NO_PACKAGE = frozenset(
    ".afphoto .ai .bpg .dcm .djvu .emf .eps .exr .flif .hdp .hdr .jxr .kra .ora .psb .svg .svgz .wdp .wmf"
    " .xcf".split()
)
BESIDE = frozenset(
    ".aae .cos .csv .db .dop .htm .html .icc .icm .ini .json .lnk .log .lrcat .lrprev .md .md5 .ncr .nfo .on1"
    " .part .pp3 .sha256 .thm .tmp .txt .url .vrd .xml .xmp .yaml .yml".split()
)
# Formats of Pillow with an unambiguous signature.
SELF_EVIDENT = frozenset(
    "AVIF BMP DDS GIF HEIF ICNS JPEG JPEG2000 JXL MPO PNG PPM PSD QOI TIFF WEBP".split()
)
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
JXL_HEADS = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
HEAD_BYTES = 16
DNG_VERSION, SUBFILE_TYPE, SUB_IFDS = 50706, 254, 330  # tags of TIFF


def add_plugins() -> None:
    """Let Pillow read HEIC and JPEG XL where the packages for it are installed."""
    for module, function in PLUGINS.items():
        try:
            plugin = import_module(module)
            if function:
                getattr(plugin, function)()
        except Exception:  # a package that is missing, or broken, adds nothing
            continue


class Pictures:
    """Judges the files of a folder by suffix, and by content where the suffix is not known."""

    def __init__(self, suffixes: Iterable[str]) -> None:
        from PIL import Image

        Image.init()
        self._known = frozenset(suffixes)
        self._unread = (RAW | NO_PACKAGE | set(PACKAGES)) - self._known
        self._formats = sorted(SELF_EVIDENT & set(Image.OPEN))

    def __call__(self, path: str) -> Kind:
        name = os.path.basename(path).lower()
        suffix = os.path.splitext(name)[1]
        if name.startswith("."):  # those with ._ are resource forks of macOS
            is_hidden = not name.startswith("._") and suffix in self._known | self._unread
            return Kind.HIDDEN if is_hidden else Kind.BESIDE
        if suffix in self._known:
            return Kind.TAKEN
        if suffix in self._unread:
            return Kind.UNREADABLE
        return Kind.BESIDE if suffix in BESIDE else self._by_content(path)

    def _by_content(self, path: str) -> Kind:
        from PIL import Image, UnidentifiedImageError

        from nacre.codec.container import Limits
        from nacre.codec.pictures.pillow_limit import pixel_limit

        try:
            with open(path, "rb") as file:
                unread = suffix_of(file.read(HEAD_BYTES))
                file.seek(0)
                with warnings.catch_warnings(), pixel_limit(Limits().pixels):
                    warnings.simplefilter("ignore")
                    image = Image.open(file, formats=self._formats)
                return Kind.UNREADABLE if is_raw(image) else Kind.TAKEN
        except LimitError:
            return Kind.TAKEN  # the reader of the pixels raises it
        except UnidentifiedImageError:
            return Kind.UNREADABLE if unread else Kind.OTHER
        except Exception:  # readers of Pillow raise whatever their parsing hits
            return Kind.OTHER


def suffix_of(head: bytes) -> str:
    """Suffix of the format of a file, HEIC, AVIF or JPEG XL, by its first bytes; empty for all others."""
    if head[4:8] == b"ftyp":
        return ".heic" if head[8:12] in HEIF_BRANDS else ".avif" if head[8:11] == b"avi" else ""
    return ".jxl" if head.startswith(JXL_HEADS) else ""


def is_raw(image: Image.Image) -> bool:
    """Whether the image is the preview in a raw camera file, whose container is TIFF."""
    tags = getattr(image, "tag_v2", {})
    if DNG_VERSION in tags or (tags.get(SUBFILE_TYPE) == 1 and SUB_IFDS in tags):
        return True
    file = getattr(image, "fp", None)
    if image.format != "TIFF" or file is None:
        return False
    place = file.tell()
    file.seek(8)
    mark = file.read(2)
    file.seek(place)
    return bool(mark == b"CR")  # CR2 of Canon


def reason(suffix: str) -> str:
    """Why files of that suffix cannot be read here, and the remedy; empty for formats that Pillow reads."""
    if suffix in RAW:
        return "a raw file of a camera must be developed first, with rawpy for one"
    if suffix in PACKAGES:
        return f"pip install {PACKAGES[suffix]} adds {suffix}"
    return f"{suffix} must be converted first" if suffix in NO_PACKAGE else ""


def why_not(name: str, data: bytes) -> str:
    """Error message for a file that Pillow cannot identify."""
    if data.startswith(SIGNATURE):
        return "a nacre file already"
    suffix = suffix_of(data[:HEAD_BYTES]) or os.path.splitext(name)[1].lower()
    return "; ".join(filter(None, ["not a picture that Pillow can read", reason(suffix)]))
