"""What a notebook shows of models and answers is what the command's pages show."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import brickwork as bw
import pytest
from conftest import command

ALONE = {"img", "meta"}
"""Elements that hold nothing."""


class Page(HTMLParser):
    """Tables and headings of a page, as text, and all of its elements, each of which must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: set[str] = set()
        self.links: list[str] = []
        self.styles: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.headings: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "srcdoc")]
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)
        if tag not in ALONE:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in ALONE:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.styles.append(data)
        elif {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data
        elif {"h1", "h2", "h3"} & set(self.open):
            self.headings[-1] += data


def shown(thing: bw.Model | bw.Profile | bw.Answer) -> Page:
    """What a notebook shows, which is a part of somebody else's page: it loads and runs nothing, and restyles nothing."""
    text = thing._repr_html_()
    assert text.startswith('<div class="brickwork"><style>') and text.endswith("</div>")
    assert "memory:" not in text
    page = Page(text)
    assert not page.elements & {"script", "link", "iframe", "object", "html", "body", "head", "meta"}
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    (sheet,) = page.styles
    assert sheet.startswith(".brickwork.brickwork {") and "light-dark(" in sheet and "url(" not in sheet
    assert "@import" not in sheet
    return page


def steady(tables: list[list[list[str]]]) -> list[list[list[str]]]:
    """Tables without rows of times, and of where something was written."""
    return [[row for row in table if row[0] != "output" and " ms" not in " ".join(row)] for table in tables]


Asked = Callable[[dict[str, bw.Model], Path], bw.Answer | None]


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (
            "eval shoes.onnx --data data/garments --source garments.onnx --no-latency",
            lambda m, demo: m["shoes"].evaluate(demo / "data/garments", source=m["garments"], no_latency=True),
        ),
        (
            "disassemble digits.onnx --profile digits.profile.safetensors --classes 3,8 --refit none --hold-out none -o x",
            lambda m, demo: m["digits"].disassemble(
                "3,8", profile=demo / "digits.profile.safetensors", refit="none", hold_out="none", called="x"
            ).made,
        ),
        ("assemble low.onnx shoes.onnx -o x", lambda m, demo: bw.assemble(m["low"], m["shoes"]).made),
        (
            "calibrate joined.onnx --data data/digits --data data/garments --method affine -o x",
            lambda m, demo: m["joined"].calibrate([demo / "data/digits", demo / "data/garments"], method="affine").made,
        ),
        ("diff garments.onnx shoes.onnx", lambda m, demo: m["garments"].diff(m["shoes"])),
        ("verify garments.onnx shoes.onnx", lambda m, demo: m["shoes"].verify(m["garments"])),
        ("inspect garments.onnx", lambda m, demo: m["garments"].inspect()),
        ("masks shoes.onnx", lambda m, demo: m["shoes"].masks()),
        (
            "profile digits.onnx --data data/digits --samples 2 -o x",
            lambda m, demo: m["digits"].profile(demo / "data/digits", samples=2).made,
        ),
        (
            "route digits.profile.safetensors --model digits.onnx --classes 3,8 -o x.svg",
            lambda m, demo: m["digits"].route(demo / "digits.profile.safetensors", "3,8"),
        ),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else "",
)
def test_answers_look_as_their_pages(words: str, asked: Asked, demo: Path, tmp_path: Path) -> None:
    names = ("digits", "garments", "low", "shoes", "joined")
    answer = asked({name: bw.load(demo / f"{name}.onnx") for name in names}, demo)
    assert answer is not None
    paths = [str(demo / word) if (demo / word).exists() else word for word in words.split()]
    written = [str(tmp_path / word) if before == "-o" else word for before, word in zip(["", *paths], paths)]
    command(*written, "--report", str(tmp_path / "page.html"), "-q")
    page, found = Page((tmp_path / "page.html").read_text()), shown(answer)
    # The page alone tells how it was made.
    assert steady(found.tables) == steady(page.tables[:-1]) and found.headings == page.headings[:-1]
    assert any(cell for table in found.tables for row in table for cell in row)
    assert found.elements & {"svg", "img"} == page.elements & {"svg", "img"}
    assert pickle.loads(pickle.dumps(answer))._repr_html_() == answer._repr_html_()


def test_models_look_as_their_reports(demo: Path, tmp_path: Path) -> None:
    command("report", str(demo / "ready.onnx"), "-o", str(tmp_path / "page.html"))
    page, model = Page((tmp_path / "page.html").read_text()), bw.load(demo / "ready.onnx")
    found = shown(model)
    assert found.tables == page.tables and found.headings == page.headings
    model.report(output=tmp_path / "own.html")
    assert (tmp_path / "own.html").read_text() == (tmp_path / "page.html").read_text()
    for made in (model.annotate(class_names=[*"abcdefghijk"]), bw.init("lenet5", classes=3)):
        assert "output" not in {row[0] for table in shown(made).tables for row in table}


def test_parts_and_profiles_are_tables_of_their_fields(demo: Path) -> None:
    digits, profile = bw.load(demo / "digits.onnx"), bw.load_profile(demo / "digits.profile.safetensors")
    assert shown(profile).headings[0] == "profile of digits"
    layers = digits.inspect().layers
    assert layers is not None
    assert ["params", "156"] in shown(layers[0]).tables[0]
