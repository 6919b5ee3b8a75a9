"""Published checkpoints become safe files, and what does not fit is said."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar.convert import convert, main
from models.checkpoints import load_tensors
from models.eamm.options import EammOptions
from models.eamm.sizes import EammSizes
from models.eamm.weights import (
    build_a2fd,
    build_fomm,
    load_a2fd,
    load_emotion,
    load_fomm,
    read_settings,
    tensors_of,
)
from models.fomm.discriminator import Discriminator

SHARED = Path(__file__).parents[2].parent / "shared" / "reference" / "eamm_state_dicts.json"


def checkpoint_of(networks, **more) -> dict:
    """A file as the authors write it: our own networks and what a training leaves beside them."""
    checkpoint = {"epoch": 1, "optimizer": {"param_groups": [{"lr": 2e-4}], "state": {}}, **more}
    for key, value in tensors_of(networks).items():
        network, _, name = key.partition(".")
        checkpoint.setdefault(network, {})[name] = value
    return checkpoint


@pytest.fixture(scope="module")
def a2fd_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("published") / "1-6000.pth.tar"
    torch.save(checkpoint_of(build_a2fd(EammSizes())), path)
    return path


@pytest.mark.skipif(not SHARED.is_file(), reason="needs the published names and shapes")
def test_files_of_the_published_names_and_shapes_convert_and_load(tmp_path):
    published = json.loads(SHARED.read_text())
    random = torch.Generator().manual_seed(0)

    def tensors(network: str) -> dict[str, torch.Tensor]:
        def make(key: str, shape: list[int]) -> torch.Tensor:
            if key.endswith("num_batches_tracked"):
                return torch.tensor(7)
            return torch.rand(shape, generator=random)

        return {key: make(key, shape) for key, shape in published[network].items()}

    files = {
        "generator": ("generator", "kp_detector", "discriminator"),
        "a2fd": ("audio_feature", "kp_detector_a"),
        "emotion": ("emo_detector", "kp_detector_a"),
    }
    kept, argv = {}, ["--out", str(tmp_path / "eamm")]
    for option, networks in files.items():
        content = {network: tensors(network) for network in networks}
        kept[option] = content
        torch.save(content, tmp_path / f"{option}.pth.tar")
        argv += [f"--{option}", str(tmp_path / f"{option}.pth.tar")]
    assert main(argv) == 0
    sizes, options = read_settings(tmp_path / "eamm")
    assert (sizes, options) == (EammSizes(), EammOptions())
    fomm, _ = load_fomm(tmp_path / "eamm", sizes, options)
    emotion = load_emotion(tmp_path / "eamm", sizes)
    a2fd = load_a2fd(tmp_path / "eamm", sizes)
    for name, networks in (("generator", fomm), ("a2fd", a2fd), ("emotion", emotion)):
        for key, value in tensors_of(networks).items():
            network, _, rest = key.partition(".")
            assert torch.equal(value, kept[name][network][rest]), key


@pytest.mark.parametrize(
    "critic, n_unused, legacy",
    [
        (None, 0, False),
        (Discriminator(), 26, True),
        (Discriminator(spectral=False, n_points=10), 16, False),
    ],
    ids=["without discriminator", "vox, as torch 1.0 wrote", "vox-adv"],
)
def test_base_models_load_with_and_without_a_discriminator(tmp_path, critic, n_unused, legacy):
    networks = build_fomm(EammSizes(), EammOptions())
    more = {} if critic is None else {"discriminator": critic.state_dict()}
    optimizers = {"optimizer_kp_detector": {"state": {0: {"step": 3}}, "param_groups": []}}
    checkpoint = checkpoint_of(networks, **more, **optimizers)
    assert len(more.get("discriminator", {})) == n_unused
    path = tmp_path / "vox-cpk.pth.tar"
    torch.save(checkpoint, path, _use_new_zipfile_serialization=not legacy)
    assert main(["--generator", str(path), "--out", str(tmp_path / "out")]) == 0
    loaded, template = load_fomm(tmp_path / "out", EammSizes(), EammOptions())
    assert template is None
    wanted = tensors_of(networks)
    assert all(torch.equal(value, wanted[key]) for key, value in tensors_of(loaded).items())


def test_a_file_of_data_parallel_training_loads(tmp_path):
    checkpoint = checkpoint_of(build_a2fd(EammSizes()))
    for network in ("audio_feature", "kp_detector_a"):
        checkpoint[network] = {f"module.{k}": v for k, v in checkpoint[network].items()}
    torch.save(checkpoint, tmp_path / "a.pth.tar")
    (line,) = convert(None, tmp_path / "a.pth.tar", None, tmp_path / "out")
    assert "0 unused" in line
    _, settings = load_tensors("a2fd", tmp_path / "out")
    assert settings["source"] == "a.pth.tar"
    assert len(settings["sha256"]) == 64


def test_missing_and_misshapen_tensors_are_listed_and_nothing_is_written(
    a2fd_file, tmp_path, capsys
):
    checkpoint = torch.load(a2fd_file)
    del checkpoint["audio_feature"]["lstm.bias_hh_l2"]
    checkpoint["kp_detector_a"]["kp.bias"] = torch.zeros(11)
    torch.save(checkpoint, tmp_path / "broken.pth.tar")
    argv = ["--a2fd", str(tmp_path / "broken.pth.tar"), "--out", str(tmp_path / "out")]
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "1 missing: audio_feature.lstm.bias_hh_l2" in error
    assert "1 of another shape: kp_detector_a.kp.bias is [11] instead of [10]" in error
    assert not (tmp_path / "out").exists()


def test_the_wrong_file_is_refused(a2fd_file, tmp_path):
    with pytest.raises(ValueError, match=r"271 missing.* and 263 more"):
        convert(a2fd_file, None, None, tmp_path / "out")


class Attack:
    """Would write a file if it were unpickled the unsafe way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_code_in_a_checkpoint_is_not_run(tmp_path, capsys):
    trace = tmp_path / "trace"
    torch.save({"audio_feature": Attack(trace)}, tmp_path / "evil.pth.tar")
    argv = ["--a2fd", str(tmp_path / "evil.pth.tar"), "--out", str(tmp_path / "out")]
    assert main(argv) == 2
    assert "more than weights" in capsys.readouterr().err
    assert not trace.exists()
    pickle.loads(pickle.dumps(Attack(trace)))
    assert trace.exists()  # the attack is a real one


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04broken"])
def test_a_file_that_is_no_checkpoint_is_one_line(tmp_path, capsys, content):
    (tmp_path / "x.pth.tar").write_bytes(content)
    argv = ["--emotion", str(tmp_path / "x.pth.tar"), "--out", str(tmp_path / "out")]
    assert main(argv) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_no_file_or_a_missing_one_is_one_line(tmp_path, capsys):
    assert main(["--out", str(tmp_path)]) == 2
    assert "at least one of" in capsys.readouterr().err
    assert main(["--a2fd", str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
    assert "no such file" in capsys.readouterr().err


def test_the_authors_template_comes_along(tmp_path):
    networks = build_fomm(EammSizes(), EammOptions())
    torch.save(checkpoint_of(networks, discriminator={"x": torch.zeros(1)}), tmp_path / "vox.tar")
    template = np.random.default_rng(0).random((68, 2))
    np.save(tmp_path / "M003_template.npy", template)
    convert(tmp_path / "vox.tar", None, None, tmp_path / "out", tmp_path / "M003_template.npy")
    _, loaded = load_fomm(tmp_path / "out", EammSizes(), EammOptions())
    np.testing.assert_allclose(loaded, template, atol=1e-6)
    np.save(tmp_path / "wrong.npy", template[:5])
    with pytest.raises(ValueError, match=r"\[5, 2\]"):
        convert(tmp_path / "vox.tar", None, None, tmp_path / "out", tmp_path / "wrong.npy")
