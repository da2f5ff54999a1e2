"""Keyword arguments have the names, defaults and words of the command's options."""

from __future__ import annotations

import inspect
import json
from typing import Any

import brickwork as bw
import pytest
from brickwork._shared import Shared
from conftest import command

PLACES: dict[str, tuple[Any, set[str]]] = {
    "init": (bw.init, {"output", "list"}),
    "assemble": (bw.assemble, {"output"}),
    "train": (bw.train, {"output"}),
    "distill": (bw.distill, {"output"}),
    "probe": (bw.probe, set()),
    "inspect": (bw.Model.inspect, {"model"}),
    "report": (bw.Model.report, {"model"}),
    "card": (bw.Model.model_card, {"model", "output"}),
    "profile": (bw.Model.profile, {"model", "output"}),
    "disassemble": (bw.Model.disassemble, {"model", "output", "dry_run"}),
    "compress": (bw.Model.compress, {"model", "output"}),
    "calibrate": (bw.Model.calibrate, {"model", "output"}),
    "refit": (bw.Model.refit, {"model", "output"}),
    "reject": (bw.Model.reject, {"model", "output"}),
    "eval": (bw.Model.evaluate, {"model"}),
    "predict": (bw.Model.predict, {"model"}),
    "doctor": (bw.Model.doctor, {"model"}),
    "finetune": (bw.Model.finetune, {"model", "output"}),
    "verify": (bw.Model.verify, set()),
    "masks": (bw.Model.masks, {"model"}),
    "diff": (bw.Model.diff, {"a"}),
    "route": (bw.Model.route, {"model"}),
    "annotate": (bw.Model.annotate, {"model", "output"}),
    "bench": (bw.Model.bench, {"model"}),
}


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command("schema", "--json"))
    return found


@pytest.mark.parametrize("verb", PLACES)
def test_options_are_keyword_arguments(verb: str, schemas: dict[str, Any]) -> None:
    function, without = PLACES[verb]
    options = schemas[verb]["request"]["properties"]
    arguments = dict(inspect.signature(function).parameters)
    for name in ("self", "progress", "threads", "seed", "called"):
        arguments.pop(name, None)
    assert set(arguments) == set(options) - without
    for name, argument in arguments.items():
        if argument.default is inspect.Parameter.empty:
            continue
        default = list(argument.default) if isinstance(argument.default, tuple) else argument.default
        wanted = options[name]["default"]
        assert default == (pytest.approx(wanted, rel=1e-6) if isinstance(wanted, float) else wanted)
        assert isinstance(default, bool) == isinstance(wanted, bool)


@pytest.mark.parametrize("verb", PLACES)
def test_docstrings_are_the_help(verb: str, schemas: dict[str, Any]) -> None:
    function, without = PLACES[verb]
    told = " ".join((function.__doc__ or "").split())
    request = schemas[verb]["request"]
    assert " ".join(request["description"].split("\n\n")[0].split()) in told
    for name, option in request["properties"].items():
        if name not in without and "description" in option:
            assert " ".join(option["description"].split()) in told, name


SHARED: dict[str, Any] = {"profile": Shared.profile, "eval": Shared.evaluate}
"""Verbs whose work several processes can share."""


@pytest.mark.parametrize("verb", SHARED)
def test_shared_work_takes_what_the_verb_takes(verb: str) -> None:
    alone, shared = (dict(inspect.signature(function).parameters) for function in (PLACES[verb][0], SHARED[verb]))
    for name in ("progress", "threads"):
        del alone[name]
    assert [*shared] == [*alone]
    assert all(shared[name].default == argument.default for name, argument in alone.items())


BOX = {f"box {name}" for name in ("add", "ls", "show", "rm", "tag", "check", "export", "gc")}
ALONE = {"error", "recipe.toml", "gcn train", "gcn disassemble", "gcn eval", "build", "recipe", "init-recipe"} | BOX
"""What the command alone has."""


def test_every_verb_has_a_place(schemas: dict[str, Any]) -> None:
    assert set(schemas) - ALONE == set(PLACES)


def test_answers_have_the_fields_of_the_schema(schemas: dict[str, Any]) -> None:
    for verb, schema in schemas.items():
        answer = schema.get("answer", {})
        if verb in ALONE or "properties" not in answer:
            continue
        form = getattr(bw.answers, answer["title"])
        fields = {name.rstrip("_") for name in form.__annotations__}
        assert fields == set(answer["properties"]), verb
