"""What the networks run on is what was asked for, or there is an error."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from melodysim.cli import cli
from melodysim.errors import MelodysimError, MissingDependencyError
from melodysim.transcribe import accelerators, basic_pitch, separator
from melodysim.transcribe.onnx_networks import inference_session


@pytest.fixture
def choose(monkeypatch):
    return lambda name: monkeypatch.setenv(accelerators.VARIABLE, name)


def test_the_processor_is_the_default_and_others_are_named(choose, monkeypatch):
    monkeypatch.delenv(accelerators.VARIABLE, raising=False)
    assert accelerators.chosen() == "cpu"
    for name in accelerators.PROVIDERS:
        choose(name.upper())
        assert accelerators.chosen() == name
    choose("abacus")
    with pytest.raises(MelodysimError, match=r"“abacus”; MELODYSIM_ACCELERATOR is one of cpu, cuda"):
        accelerators.chosen()


def test_an_accelerator_is_asked_for_before_the_processor():
    here = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    (first, settings), (second, none) = accelerators.providers("cuda", here)
    assert [first, second] == here
    assert settings["use_tf32"] == "0"
    assert not none
    assert accelerators.providers("cpu", here) == [("CPUExecutionProvider", {})]
    with pytest.raises(MissingDependencyError, match="pip install onnxruntime-openvino"):
        accelerators.providers("openvino", here)


def test_going_on_with_the_processor_unasked_is_an_error():
    fallen_back = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    accelerators.require_running("cpu", fallen_back)
    with pytest.raises(MelodysimError, match="cuda was asked for"):
        accelerators.require_running("cuda", fallen_back)


def test_networks_load_where_they_were_asked_to(choose):
    choose("cpu")
    assert inference_session("basic_pitch", 1).get_providers() == ["CPUExecutionProvider"]
    choose("cuda")
    with pytest.raises(MissingDependencyError, match="does not run on cuda"):
        inference_session("basic_pitch", 1)


def test_the_option_is_inherited_by_what_the_command_starts(monkeypatch):
    monkeypatch.setenv(accelerators.VARIABLE, "cpu")
    seen = CliRunner().invoke(cli, ["--accelerator", "openvino", "doctor"])
    assert os.environ[accelerators.VARIABLE] == "openvino"
    assert "networks on      openvino" in seen.output
    refused = CliRunner().invoke(cli, ["--accelerator", "abacus", "doctor"])
    assert refused.exit_code == 2
    assert "'cpu', 'cuda'" in refused.output


def test_what_is_heard_does_not_hang_on_how_much_is_listened_to_at_once(monkeypatch):
    sound = np.random.default_rng(3).standard_normal(30 * basic_pitch.SAMPLE_RATE).astype(np.float32)
    magnitude = np.abs(separator._spectra(sound)[:, : separator.BINS])

    def heard():
        note, onset, contour = basic_pitch.polyphonic_salience(sound, 1)
        return note, onset, contour, separator.voice_mask(magnitude, 1)

    alone = heard()
    monkeypatch.setattr(accelerators, "at_once", lambda processor, accelerator: accelerator)
    for one, many in zip(alone, heard(), strict=True):
        np.testing.assert_allclose(one, many, atol=1e-5)
