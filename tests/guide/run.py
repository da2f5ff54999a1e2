#!/usr/bin/env python3
"""Runs every command of the guide; exit code 1 with the page and the command if one fails.

    cargo build --release --locked
    python3 tests/guide/run.py --bin target/release

A command begins with `$ brickwork` in a block of the kind `console`; a line that ends in a backslash goes
on in the next. Each page runs from top to bottom in an empty folder that holds only what
`brickwork demo --out brickwork-demo` makes. Blocks of other kinds (`sh`, `text`, `python`) are not run: they
need data or programs that the demo does not bring, or are what a command answers.
"""
import argparse
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/guide").glob("*.md"))]
DEMO = "brickwork-demo"


def blocks(page):
    """Kind and lines of every block, with the number of the line before it."""
    kind, lines, start = None, [], 0
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if not line.startswith("```"):
            lines.append(line)
        elif kind is None:
            kind, lines, start = line.removeprefix("```"), [], number
        else:
            yield kind, lines, start
            kind = None
    if kind is not None:
        sys.exit(f"{page.relative_to(ROOT)}:{start}: the block has no end")


def commands(page):
    """The number of the first line and the words of every command."""
    for kind, lines, start in blocks(page):
        if kind != "console":
            marked = [line for line in lines if line.startswith("$ ")]
            if marked:
                sys.exit(f"{page.relative_to(ROOT)}:{start}: `{marked[0]}` is not in a block `console`")
            continue
        text = ""
        for number, line in enumerate(lines, start + 1):
            if not text and not line.startswith("$ brickwork "):
                sys.exit(f"{page.relative_to(ROOT)}:{number}: `{line}` does not begin with `$ brickwork`")
            text += line.removeprefix("$ ").removesuffix("\\")
            if not line.endswith("\\"):
                yield number, shlex.split(text)
                text = ""
        if text:
            sys.exit(f"{page.relative_to(ROOT)}:{start}: the last command goes on after its block")


def run(page, program, demo, scratch):
    """Runs the commands of a page; gives how many there were."""
    found = list(commands(page))
    if not found:
        return 0
    folder = scratch / page.stem
    folder.mkdir()
    if not any(words[1] == "demo" for _, words in found):
        shutil.copytree(demo, folder / DEMO)
    for number, words in found:
        done = subprocess.run([program, *words[1:]], cwd=folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            print(done.stdout)
            place = f"{page.relative_to(ROOT)}:{number}"
            sys.exit(f"{place}: exit code {done.returncode}\n    {shlex.join(words)}")
    return len(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target/release",
                        help="the folder of the program `brickwork`")
    parser.add_argument("--demo", type=pathlib.Path, help="what the demo wrote, if it was run already")
    options = parser.parse_args()
    program = options.bin.resolve() / "brickwork"
    with tempfile.TemporaryDirectory() as made:
        scratch = pathlib.Path(made)
        demo = options.demo or scratch / DEMO
        if options.demo is None:
            subprocess.run([program, "demo", "--out", demo, "-q"], check=True, stdout=subprocess.DEVNULL)
        counts = []
        for page in PAGES:
            started = time.monotonic()
            counts.append(run(page, program, demo, scratch))
            seconds = time.monotonic() - started
            print(f"{counts[-1]:3} commands  {seconds:5.1f} s  {page.relative_to(ROOT)}", flush=True)
    if sum(counts) == 0:
        sys.exit("no page has a command")


if __name__ == "__main__":
    main()
