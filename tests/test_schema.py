"""Every JSON answer of the real command line is valid against the published schema."""

import copy
import json

import jsonschema
import pytest
from conftest import FIXTURES, ROOT

SCHEMA = json.loads((ROOT / "docs" / "melodysim-1.schema.json").read_text())


def validator(name):
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("name", "arguments", "status"),
    [
        ("check", ["check", "paper-lanterns.mid", "twinkle-piano.ogg", "none.mid"], 1),
        ("check", ["check", "copies-paper-lanterns.mp3", "--top", "2"], 1),
        ("check", ["check", "greensleeves.musicxml", "harbour-band.mid", "twinkle.mid"], 0),
        ("compare", ["compare", "copies-paper-lanterns.mp3", "paper-lanterns.mid"], 1),
        ("compare", ["compare", "twinkle.mid", "paper-lanterns.mid"], 0),
        ("list", ["library", "list", "lanterns"], 0),
        ("show", ["library", "show", "paper-lanterns.mid"], 0),
        ("stats", ["library", "stats"], 0),
        ("doctor", ["doctor"], 0),
    ],
)
def test_answers_are_valid(run, library_path, name, arguments, status):
    if arguments[0] in {"check", "compare"}:
        arguments = [FIXTURES / a if "." in a else a for a in arguments]
    done = run(*arguments, "--format", "json", "--library", library_path)
    assert done.returncode == status, done.stderr
    answer = json.loads(done.stdout)
    validator(name).validate(answer)
    jsonschema.Draft202012Validator(SCHEMA).validate(answer)


def test_imports_are_valid(run, tmp_path):
    arguments = ["library", "import", FIXTURES, "--format", "json", "--library", tmp_path / "new.db"]
    for _ in range(2):
        done = run(*arguments)
        validator("import").validate(json.loads(done.stdout))


def test_a_field_that_the_schema_does_not_know_is_not_valid(run, library_path):
    done = run("check", FIXTURES / "twinkle.mid", "--format", "json", "--library", library_path)
    answer = json.loads(done.stdout)
    for change in (
        lambda a: a.update(extra=1),
        lambda a: a["tracks"][0].update(verdict="maybe"),
        lambda a: a["tracks"][0]["matches"][0].pop("e_value"),
        lambda a: a["tracks"][0]["matches"][0]["query"].update(notes=[1]),
    ):
        wrong = copy.deepcopy(answer)
        change(wrong)
        assert not validator("check").is_valid(wrong)
