"""Driving the `brickwork` command, remembering its answers, and writing results down."""
import argparse
import csv
import datetime
import hashlib
import json
import pathlib
import resource
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


class Driver:
    """Runs `brickwork` once for every command line; later runs read the answers it gave then.

    `places` are the folders of this machine with the names that results call them by.
    """

    def __init__(self, binary, work, seed, threads, places):
        self.binary, self.work, self.seed = pathlib.Path(binary), pathlib.Path(work), seed
        self.threads, self.places = threads, {**places, "WORK": self.work}
        self.commands = []
        self.work.mkdir(parents=True, exist_ok=True)
        self.digest = hashlib.sha256(self.binary.read_bytes()).hexdigest()
        self.version = subprocess.check_output([self.binary, "--version"], text=True).strip()

    def __call__(self, *words, seed=None, threads=None):
        """The answer of one command, and the CPU seconds that it took: other work on the machine changes these least."""
        words = [str(word) for word in words] + ["--seed", str(self.seed if seed is None else seed)]
        words += [] if threads is None else ["--threads", str(threads)]
        self.commands.append(self.shown(words))
        # A run that is resumed gives what it would have given.
        asked = [word for word in words if word != "--resume"]
        key = hashlib.sha256(json.dumps([self.digest, asked]).encode()).hexdigest()
        answer = self.work / "answers" / f"{key}.json"
        if not answer.exists() or not self.complete(words):
            print("$ brickwork", self.shown(words), flush=True)
            line = [self.binary, *words, "--json", "--quiet"]
            line += ["--threads", str(self.threads)] if threads is None else []
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            text = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            answer.parent.mkdir(exist_ok=True)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            answer.write_text(json.dumps({**json.loads(text), "cpu_seconds": round(seconds, 1)}))
        return json.loads(answer.read_text())

    def complete(self, words):
        """Whether what the command writes is there."""
        written = [path for option, path in zip(words, words[1:]) if option in ("-o", "--out", "--keep-all")]
        return all(pathlib.Path(path).exists() for path in written)

    def file(self, name):
        """Where a file of this run goes; another build of the command writes others."""
        folder = self.work / self.digest[:12]
        folder.mkdir(exist_ok=True)
        return folder / name

    def shown(self, words):
        text = " ".join(words).replace(self.digest[:12] + "/", "")
        for name, place in sorted(self.places.items(), key=lambda item: -len(str(item[1]))):
            text = text.replace(str(place), name)
        return text

    def source(self, model, meta, classes=None):
        """A copy of a model that knows its classes and preprocessing, from its `meta.json`."""
        facts = json.loads(pathlib.Path(meta).read_text())
        facts.update(facts.get("normalisation", {}))
        numbers = {key: ",".join(map(str, facts[key])) for key in ("mean", "std")}
        annotated = self.file(pathlib.Path(model).name)
        self("annotate", model, "--class-names", ",".join(classes or facts["classes"]), "--mean", numbers["mean"],
             "--std", numbers["std"], "-o", annotated)
        return annotated

    def model(self, folder, classes=None):
        """`source` of a folder with a model and its `meta.json`, or the file FOLDER.onnx that knows these by itself."""
        alone = folder.with_name(f"{folder.name}.onnx")
        return alone if alone.exists() else self.source(folder / f"{folder.name}.onnx", folder / "meta.json", classes)

    def profile(self, model, data, *options, name="profile"):
        profile = self.file(f"{pathlib.Path(model).stem}.{name}.safetensors")
        self("profile", model, "--data", data, *options, "-o", profile)
        return profile

    def cut(self, model, data, profile, classes, name, *options, refit=True, seed=None):
        """A component's file and what `disassemble` says of it."""
        brick = self.file(f"{pathlib.Path(model).stem}.{name}.onnx")
        how = ["--data", data] if refit else ["--refit", "none"]
        answer = self("disassemble", model, "--profile", profile, "--classes", classes, *how, *options,
                      "-o", brick, seed=seed)
        return brick, answer

    def demo(self):
        """Of both sources of `brickwork demo`: the model, its images, a component of all its classes."""
        folder = self.file("demo")
        self("demo", "--out", folder)
        for name in ("digits", "garments"):
            source, images = folder / f"{name}.onnx", folder / "data" / name
            profile = folder / f"{name}.profile.safetensors"
            yield source, images, self.cut(source, images, profile, "0-9", "0-9")[0]

    def test_images(self, data, classes):
        """A folder of the CIFAR-10 test images of these classes alone."""
        folder = self.file("test-" + "".join(map(str, sorted(classes))))
        folder.mkdir(exist_ok=True)
        (folder / "batches.meta.txt").write_bytes((data / "batches.meta.txt").read_bytes())
        images = (data / "test_batch.bin").read_bytes()
        size = 1 + 3 * 32 * 32
        kept = (images[k:k + size] for k in range(0, len(images), size) if images[k] in classes)
        (folder / "test_batch.bin").write_bytes(b"".join(kept))
        return folder

    def eval(self, model, *options):
        return self("eval", model, "--no-latency", *options)

    def latency(self, model):
        """Median time of one image on one thread of this machine, in milliseconds."""
        return self("bench", model, "--batch", 1, "--runs", 500, threads=1)["runs"][0]["forward_ms"]


def arguments(description, name, models=True, data=True):
    """The options that every experiment takes; `models` and `data` say whether it starts from such."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--models", required=models, type=pathlib.Path, help="folder of models")
    parser.add_argument("--data", required=data, type=pathlib.Path, help="folder of data sets")
    parser.add_argument("--bin", default=ROOT / "target/release/brickwork", type=pathlib.Path)
    parser.add_argument("--work", default=ROOT / "target/experiments", type=pathlib.Path,
                        help="folder for models and answers; a second run goes on from there")
    parser.add_argument("--out", default=HERE / "results", type=pathlib.Path)
    parser.add_argument("--name", default=name, help="name of the result files")
    parser.add_argument("--seed", default=0, type=int)
    parser.add_argument("--threads", default=2, type=int)
    return parser


def driver(options):
    places = {"MODELS": options.models, "DATA": options.data, "OUT": options.out}
    places = {name: place for name, place in places.items() if place}
    return Driver(options.bin, options.work, options.seed, options.threads, places)


def header(profile):
    """What a profile says of itself: the samples it is made of, the layers in order."""
    with open(profile, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return json.loads(json.loads(file.read(size))["__metadata__"]["brickwork.profile"])


def members(task):
    """The class numbers of a class list such as `0,3-5`."""
    ends = [part.split("-") for part in task.split(",")]
    return {number for end in ends for number in range(int(end[0]), int(end[-1]) + 1)}


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def percent(number):
    return "–" if number is None else f"{number:.2f}"


def thousands(number):
    return f"{number:,.0f}"


def command():
    """The command line without what only says where things are."""
    words = iter(sys.argv[1:])
    kept = [f"python3 experiments/{pathlib.Path(sys.argv[0]).name}"]
    kept += [f"{option} {option[2:].upper()}" for option in ("--models", "--data") if option in sys.argv]
    for word in words:
        if word in ("--models", "--data", "--bin", "--work", "--out"):
            next(words)
        else:
            kept.append(shlex.quote(word))
    return " ".join(kept)


def rows_of(figures, key):
    """Every row of `figures`, a dictionary of lists, with the name of its list as `key`."""
    return [{key: name, **row} for name, rows in figures.items() for row in rows]


def write_csv(path, figures, key):
    rows = rows_of(figures, key)
    with path.open("w", newline="") as file:
        columns = list(dict.fromkeys(column for row in rows for column in row))
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def save(options, run, title, text, figures, key="task", chart=None):
    """Writes `NAME.json`, `NAME.csv`, `NAME.md` and, if there is a chart, `NAME.svg`."""
    options.out.mkdir(parents=True, exist_ok=True)
    facts = {"version": run.version, "date": datetime.date.today().isoformat(), "seed": run.seed}
    record = {"command": command(), **facts, "commands": run.commands, "figures": figures}
    path = options.out / f"{options.name}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    write_csv(path.with_suffix(".csv"), figures, key)
    if chart:
        path.with_suffix(".svg").write_text(chart)
        text = f"![{title}]({options.name}.svg)\n\n{text}"
    page = (f"# {title}\n\n    {record['command']}\n\n{run.version}, {facts['date']}, seed {run.seed}; every command "
            f"is in `{path.name}`, every figure in `{options.name}.csv`.\n\n{text}\n")
    path.with_suffix(".md").write_text(page)
    print(page)
