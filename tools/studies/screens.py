"""Compare screenshots at equal PSNR with AVIF, WebP and JPEG XL, and without loss with PNG: docs/odd.md.

    python -m nacre.tools.studies.screens FOLDER --json docs/results/screens.json
    python -m nacre.tools.studies.screens FOLDER --photos PHOTOS --json FILE

Pages with text, code, tables, charts, maps and photographs are drawn from a seed and rendered into FOLDER by
Chromium. A FOLDER that already has pictures is measured without rendering.
"""

from __future__ import annotations

import base64
import html
import io
import math
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from nacre import codec
from nacre.codec.encoder import DEFAULT_EFFORT
from nacre.datasets.pictures import Pixels
from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.bdrate import Curve, bd_rate
from nacre.tools.evaluate.metrics import psnr_db
from nacre.tools.studies import study
from nacre.tools.studies.odd_pictures import saved
from nacre.tools.studies.study import PHOTO, Figures

SIZE = (1000, 760)  # pixels
SEED = 5
PIECES = 8  # into which the demonstration photograph is cut if no other is given
QUALITIES: dict[str, Sequence[int]] = {
    "nacre": (1, 5, 15, 30, 50, 70, 90), "AVIF": (20, 40, 55, 70, 80, 88, 94, 98),
    "WEBP": (10, 30, 50, 70, 85, 95), "JXL": (30, 50, 70, 85, 93, 97),
}  # fmt: skip
WORDS = """the of and to in is that for it as was with be by on not he his but at are this have from or had
an they which one you were all her she there would their we him been has when who will no more if out so up
said what its about than into them can only other time new some could these two may first then""".split()
KEYWORDS = r"\b(def|class|return|for|if|in|not|else|import|from|raise|with|None|True|False)\b"

Draw = random.Random


def pages(rng: Draw, photos: Sequence[Image.Image]) -> dict[str, str]:
    """HTML by name."""

    def say(count: int) -> str:
        return " ".join(rng.choice(WORDS) for _ in range(count)).capitalize() + "."

    def photo(width: int) -> str:
        image = rng.choice(photos)
        image = image.resize((width, width * image.height // image.width), Image.Resampling.LANCZOS)
        return "data:image/png;base64," + base64.b64encode(saved(image, "PNG")).decode()

    def text(*counts: int) -> str:
        return "".join(f"<h2>{say(5)}</h2><p>{say(count)}</p>" for count in counts)

    serif = '<body style="font:16px/1.4 serif;max-width:960px;margin:16px">'
    source = re.sub(KEYWORDS, r"<b style='color:#c586c0'>\1</b>", html.escape(_code()))
    row = "<tr>" + "<td>{:,}</td>" * 7 + "</tr>"
    rows = "".join(
        row.format(*(rng.randrange(10 ** rng.randrange(1, 7)) for _ in range(7))) for _ in range(25)
    )
    bars = "".join(
        f'<rect x="{40 + 40 * i}" y="{260 - h}" width="28" height="{h}" fill="hsl({37 * i},70%,50%)"/>'
        f'<text x="{42 + 40 * i}" y="276" font-size="11">{2010 + i}</text>'
        for i, h in enumerate(rng.randrange(30, 240) for _ in range(12))
    )
    line = "M" + " L".join(f"{40 + 8 * i},{rng.randrange(60, 240)}" for i in range(60))
    roads = "".join(
        f'<path d="M{rng.randrange(1000)},{rng.randrange(760)} Q{rng.randrange(1000)},{rng.randrange(760)} '
        f'{rng.randrange(1000)},{rng.randrange(760)}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        for colour, width in zip(
            ["#fff", "#fc6", "#f96", "#9cf"] * 15, [2, 3, 6, 9] * 15, strict=True
        )
    )
    names = "".join(
        f'<text x="{rng.randrange(950)}" y="{rng.randrange(760)}" font-size="11">'
        f"{rng.choice(WORDS)} road</text>"
        for _ in range(60)
    )
    letters = "".join(
        f'<div style="border-bottom:1px solid #ddd;padding:7px;background:{colour}">'
        f"<b>{say(2)}</b> {say(9)}</div>"
        for colour in ["#fff", "#eef3ff"] * 13
    )
    offers = "".join(
        f'<div style="display:inline-block;width:220px;margin:8px;border:1px solid #ddd">'
        f'<img src="{photo(214)}">'
        f'<br><b style="color:#c00">{rng.randrange(99)}.99</b> {say(8)}<button>BUY</button></div>'
        for _ in range(8)
    )
    figures = "".join(f'<img src="{photo(310)}" style="margin:6px">' for _ in range(6))
    return {
        "article": serif + text(110, 120, 100),
        "article with a photograph": serif + f'<img src="{photo(420)}" style="float:right">' + text(150, 140),
        "code": f'<body style="background:#1e1e1e;color:#d4d4d4"><pre style="font-size:13px">{source}</pre>',
        "table": f'{serif}<table border=1 cellspacing=0 style="font:14px sans-serif">{rows}</table>',
        "charts": f'{serif}{text(30)}<svg width=540 height=300>{bars}</svg><svg width=540 height=300>'
        f'<path d="{line}" fill="none" stroke="#06c" stroke-width="2"/></svg>',
        "gallery": f"<body>{figures}",
        "shop": f'<body style="margin:0;font:14px sans-serif">{offers}',
        "mail": f'<body style="margin:0;font:13px sans-serif">{letters}',
        "dark": '<body style="background:linear-gradient(160deg,#123,#312);color:#eee;font:15px sans-serif">'
        f'<h1 style="color:#0ff">{say(4)}</h1><p style="color:#ff0">{say(60)}</p>{text(60, 80)}',
        "map": f'<body style="margin:0;background:#e8e4d8"><svg width=1000 height=760>{roads}{names}</svg>',
    }  # fmt: skip


def _code() -> str:
    return Path(codec.__file__).with_name("tiles.py").read_text()[1500:5500]


def render(folder: Path, photos: Sequence[Image.Image], seed: int = SEED) -> None:
    """Write screenshots of the pages into `folder`. Raises UsageError without Chromium."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise UsageError("rendering the pages needs chromium or google-chrome on the PATH")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(random.Random(seed), photos).items():
        page = folder / f"{name}.html"
        page.write_text("<meta charset=utf-8>" + text)
        subprocess.run(
            [
                program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                f"--window-size={SIZE[0]},{SIZE[1]}", f"--screenshot={folder / name}.png",
                f"file://{page.resolve()}",
            ],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip


def coders(effort: int) -> dict[str, Callable[[Pixels, int], bytes]]:
    """Functions that encode pixels at a quality, by the name of their codec."""
    found: dict[str, Callable[[Pixels, int], bytes]] = {
        "nacre": lambda pixels, q: codec.encode(pixels, quality=q, effort=effort),
        "AVIF": lambda p, q: saved(Image.fromarray(p), "AVIF", quality=q, subsampling="4:4:4"),
        "WEBP": lambda p, q: saved(Image.fromarray(p), "WEBP", quality=q, method=6),
    }
    try:
        import pillow_jxl  # noqa: F401
    except ImportError:
        return found
    return found | {"JXL": lambda p, q: saved(Image.fromarray(p), "JXL", quality=q)}


def measure(pixels: Pixels, effort: int) -> Figures:
    """Bytes and PSNR of every codec at its qualities, and bytes of lossless files."""
    found: Figures = {}
    for name, code in coders(effort).items():
        found[name] = []
        for quality in QUALITIES[name]:
            data = code(pixels, quality)
            image = codec.decode(data) if name == "nacre" else Image.open(io.BytesIO(data))
            found[name].append((len(data), psnr_db(np.asarray(image.convert("RGB")), pixels)))
    image = Image.fromarray(pixels)
    found["lossless"] = {
        "nacre": len(codec.encode(pixels, lossless=True)),
        "WEBP": len(saved(image, "WEBP", lossless=True)),
        "PNG": len(saved(image, "PNG", optimize=True)),
    }
    return found


def gaps(found: Figures) -> dict[str, float]:
    """BD-rate of nacre against each other codec, in per cent, over the shared range of PSNR.

    Not a number where the two curves share no PSNR.
    """
    curves = {
        name: Curve.of(name, [size for size, _ in points], [db for _, db in points])
        for name, points in found.items()
        if name != "lossless"
    }
    own = curves.pop("nacre")
    gap = {}
    for name, curve in curves.items():
        overlap = min(curve.quality.max(), own.quality.max()) > max(
            curve.quality.min(), own.quality.min()
        )
        gap[name] = float(bd_rate(curve, own).value) if overlap else math.nan
    return gap


def table(figures: Figures) -> str:
    """Markdown: BD-rate of nacre against the others, and bytes of lossless files."""
    pages = figures["pages"]
    others = [name for name in next(iter(pages.values())) if name not in ("nacre", "lossless")]
    head = ["page", *(f"against {name}" for name in others), "lossless nacre", "WebP", "PNG"]
    every = {page: gaps(found) for page, found in pages.items()}
    rows = []
    for page, found in pages.items():
        found_gaps = [every[page][name] for name in others]
        cells = ["" if math.isnan(gap) else f"{gap:+.1f} %" for gap in found_gaps]
        sizes = [str(found["lossless"][name]) for name in ("nacre", "WEBP", "PNG")]
        rows.append([page, *cells, *sizes])
    means = [float(np.nanmean([gap[name] for gap in every.values()])) for name in others]
    rows.append(["mean", *(f"{mean:+.1f} %" for mean in means), "", "", ""])
    return study.markdown(head, rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--photos",
        type=Path,
        help="a folder of photographs for the pages (default: the demonstration's)",
    )
    parser.add_argument("--effort", type=int, default=DEFAULT_EFFORT)
    args = parser.parse_args(argv)
    if not list(args.folder.glob("*.png")):
        files = study.picture_files([args.photos]) if args.photos else []
        render(args.folder, [study.open_rgb(path) for path in files] or _pieces())
    figures: Figures = {"conditions": study.conditions(), "effort": args.effort, "pages": {}}
    for path in sorted(args.folder.glob("*.png")):
        figures["pages"][path.stem] = measure(np.asarray(study.open_rgb(path)), args.effort)
        study.write(args.json, figures)
    print(table(figures))
    return 0


def _pieces() -> list[Image.Image]:
    whole = Image.open(PHOTO).convert("RGB")
    width, height = whole.width // 4, whole.height // 2
    corners = [(x * width, y * height) for y in range(2) for x in range(PIECES // 2)]
    return [whole.crop((x, y, x + width, y + height)) for x, y in corners]


if __name__ == "__main__":
    study.run(main)
