"""Every block of Python in the guide runs, and every page with commands has them in Python, too."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import command

DOCS = Path(__file__).parents[3] / "docs"
PAGES = [*sorted((DOCS / "guide").glob("*.md")), DOCS / "scale.md"]
ALONE = {"recipes"}
"""Pages of what the command alone has."""


def blocks(page: Path) -> Iterator[tuple[int, str]]:
    """The lines before every block of Python, and the block."""
    start, lines = None, list[str]()
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if start is None and line == "```python":
            start, lines = number, []
        elif start is not None and line == "```":
            yield start, "\n".join(lines) + "\n"
            start = None
        elif start is not None:
            lines.append(line)
    assert start is None, f"{page.name}:{start}: the block has no end"


def lacking(block: str) -> set[str]:
    """Packages that a block needs besides those of the tests, and that are not installed."""
    nodes = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Import)]
    names = {name.name.removeprefix("brickwork.").split(".")[0] for node in nodes for name in node.names}
    return {name for name in names & {"ray", "torch", "torchvision"} if importlib.util.find_spec(name) is None}


@pytest.mark.parametrize("page", [page for page in PAGES if any(blocks(page))], ids=lambda page: page.stem)
def test_blocks_run(
    page: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    uses_ray = any(name in block for _, block in blocks(page) for name in ("import ray", "brickwork.ray", "bw.ray"))
    if uses_ray and importlib.util.find_spec("ray"):
        request.getfixturevalue("cluster")
    (tmp_path / "brickwork-demo").symlink_to(small)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    if page.stem == "box":
        command("box", "add", *(f"brickwork-demo/{name}.onnx" for name in ("digits", "low", "shoes")))
    space: dict[str, Any] = {"__name__": page.stem}
    missing = set[str]()
    for start, block in blocks(page):
        missing |= lacking(block)
        if not lacking(block):
            # What goes wrong is told with its line of the page.
            exec(compile("\n" * start + block, page, "exec"), space)
    if missing:
        pytest.skip(f"blocks that need {', '.join(sorted(missing))} were not run, which is not installed")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_with_commands_have_them_in_python(page: Path) -> None:
    text = page.read_text()
    if "\n$ brickwork " in text and page.stem not in ALONE:
        _, section = text.split("\n## In Python\n")
        assert "\n```python\nimport brickwork as bw\n" in section
