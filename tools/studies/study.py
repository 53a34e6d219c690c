"""The parts that all studies share: options, pictures, the file of figures, Markdown tables.

A study measures, writes its figures as JSON (--json FILE) and prints them as a table by its function `table`.
--table FILE prints the table of an earlier JSON file.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image

from nacre.entropy.errors import NacreError, UsageError
from nacre.tools.evaluate.results import Evaluation

Figures = dict[str, Any]  # the content of one JSON file
Table = Callable[[Figures], str]

PHOTO = Path(__file__).parents[1] / "demo" / "beacon-street.png"


def parser(doc: str | None, table: Table) -> argparse.ArgumentParser:
    """A parser with the docstring as its help, --json and --table."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    made.add_argument(
        "--table", action=_PrintTable, const=table, type=Path, metavar="FILE",
        help="print the table of a file that --json wrote, and measure nothing",
    )  # fmt: skip
    return made


class _PrintTable(argparse.Action):
    """Prints a table and ends the program, as --help does, even if other arguments are missing."""

    def __call__(self, parser: argparse.ArgumentParser, _: Any, path: Any, __: Any = None) -> None:
        print(self.const(read(path)))
        parser.exit()


def run(main: Callable[[], int]) -> None:
    """Run a study as a program: an error of nacre becomes one line."""
    try:
        raise SystemExit(main())
    except NacreError as error:
        print(f"{Path(sys.argv[0]).stem}: {error}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None


def tables_parser(doc: str | None) -> argparse.ArgumentParser:
    """The options of a study that makes tables from results of `nacre bench`."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("results", type=Path, metavar="JSON", help="what `nacre bench` wrote")
    made.add_argument(
        "--write", type=Path, nargs="+", default=[], metavar="PAGE",
        help="replace the tables with the same heads in these Markdown files",
    )  # fmt: skip
    return made


def print_tables(
    args: argparse.Namespace, found: Evaluation, *tables: Callable[[Evaluation], str]
) -> None:
    """Print the tables of the results, and write them to the pages."""
    made = [table(found) for table in tables]
    for page in args.write:
        page.write_text(with_tables(page.read_text("utf-8"), made), "utf-8")
    print("\n\n".join(made))


def with_tables(text: str, tables: Iterable[str]) -> str:
    """Markdown in which each of `tables` replaces the table that has the same head, if there is one."""
    for table in tables:
        head = re.escape(table.split("\n", 1)[0])
        found = re.search(rf"^{head}(\n\|.*)*$", text, flags=re.MULTILINE)
        if found is not None:
            text = text[: found.start()] + table + text[found.end() :]
    return text


def conditions() -> Figures:
    """The machine, versions and weights of a measurement."""
    import torch

    from nacre.models import zoo
    from nacre.tools.evaluate.bench import processor
    from nacre.tools.evaluate.codecs.sources import code_digest

    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "nacre": version("nacre"),
        "sources": code_digest(),
        "weights": zoo.card("nacre")["sha256"][:16],
        "date": date.today().isoformat(),
    }


def read(path: Path) -> Figures:
    """Read figures. Raises UsageError for a file without figures."""
    try:
        figures = json.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}") from error
    if not isinstance(figures, dict):
        raise UsageError(f"{path}: a JSON object wanted, {type(figures).__name__} found")
    return figures


def write(path: Path | None, figures: Figures) -> None:
    """Write figures; does nothing without a path."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=1) + "\n")


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["|" + "".join(f" {cell} |" if cell else " |" for cell in row) for row in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def picture_files(paths: Sequence[Path]) -> list[Path]:
    """The files in `paths`, and the pictures in its folders, sorted.

    Raises UsageError if there are none.
    """
    from nacre.datasets.pictures import picture_suffixes

    suffixes, found = picture_suffixes(), []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes)
        else:
            found.append(path)
    if not found:
        raise UsageError(f"no pictures in {', '.join(map(str, paths))}")
    return found


def open_rgb(path: Path) -> Image.Image:
    """A picture in RGB. Raises UsageError."""
    try:
        return Image.open(path).convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error


def middle(image: Image.Image, side: int) -> Image.Image:
    """A square from the middle, of at most `side` pixels a side."""
    side = min(side, image.width, image.height)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
