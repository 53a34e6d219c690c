"""Writes the tree of modules in docs/architecture.md: a line for each, the first line of its docstring.

python -m nacre.tools.layout        # after modules were added, moved or renamed
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
FOLDERS = ("entropy", "models", "codec", "datasets", "tools")
START, END = "<!-- tree -->\n", "<!-- end of the tree -->\n"
COLUMN = 30


def tree() -> str:
    """The tree as an indented block of Markdown."""
    return "".join(f"    {line}\n" for folder in FOLDERS for line in _lines(ROOT / folder, 0))


def _lines(folder: Path, depth: int) -> Iterator[str]:
    """A folder, its modules, then its packages."""
    yield _line(f"{folder.name}/", folder / "__init__.py", depth)
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            yield _line(path.name, path, depth + 1)
    for path in sorted(folder.iterdir()):
        if (path / "__init__.py").is_file():
            yield from _lines(path, depth + 1)


def _line(name: str, module: Path, depth: int) -> str:
    said = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    return f"{'  ' * depth + name:{COLUMN}} {said.splitlines()[0].rstrip('.')}"


def written(page: str) -> str:
    """The page with the current tree."""
    before, rest = page.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n{tree()}\n{END}{after}"


def main() -> int:
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
