import numpy as np
import pytest
import torch

from avatar.presets import PRESETS, SHAPE_NAMES, face_scores
from models.lite.feeling import PULL, emphasised, likeness, named
from models.lite.measures import measure_faces
from models.lite.rig import expression_weights, skin
from models.talking_head import FaceTrack


def clip(rows, name=""):
    """A clip that a tracker has read; one row of 52 scores per picture."""
    return FaceTrack(np.asarray(rows, np.float32), np.zeros((len(rows), 6)), name=name)


def smiling(strengths):
    return np.array([face_scores({"mouthSmile": s, "mouthUpperUp": s / 3}) for s in strengths])


def top(lite, scores):
    return lite.feelings.names[int(likeness(lite.feelings, scores).argmax())]


def test_likeness_is_a_distribution(lite):
    likely = likeness(lite.feelings, smiling([0.2, 0.9]))
    assert likely.shape == (8,) and float(likely.sum()) == pytest.approx(1, abs=1e-5)


def test_what_the_mesh_shows_counts_beside_the_scores(lite):
    rig, rest = lite.rig, lite.rest[None]
    flat = rig.mesh[:, :2]
    startled = face_scores({"browInnerUp": 0.6, "browOuterUp": 0.6, "eyeWide": 0.6})
    weights = torch.from_numpy(expression_weights(rig, startled))
    dx, dj = (torch.einsum("e,e...->...", weights, basis) for basis in (rig.dx, rig.dj))
    moved = skin(rig, flat, flat[rig.point_indices], dx, dj)
    faces = np.stack([rig.mesh, torch.cat([flat + moved, rig.mesh[:, 2:]], 1)])
    at_rest, seen = (
        likeness(lite.feelings, rest, row[None]) for row in measure_faces(faces, rig.mesh.numpy())
    )
    surprised = lite.feelings.names.index("surprised")
    assert seen[surprised] > 2 * at_rest[surprised]


def test_a_smile_is_happy(lite):
    assert top(lite, smiling([0.7, 0.8])) == "happy"


def test_a_resting_face_means_nothing_and_hardly_moves(lite):
    rest = lite.rest[None]
    assert top(lite, rest) == "neutral"
    worn = emphasised(lite.feelings, lite.worn_weights(clip(rest)), likeness(lite.feelings, rest))
    assert worn.abs().max() < 0.2


def test_a_name_says_what_the_clip_means(lite):
    rows = np.tile(face_scores({"browDown": 0.15, "eyeSquint": 0.5}), (5, 1))
    angry, unnamed = (lite.encode_emotion(clip(rows, name)) for name in ("angry", "take 3"))
    preset = lite.encode_emotion(PRESETS["angry"])
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(angry, preset).min() > 0.9 > cosine(unnamed, preset).max()
    assert named(lite.feelings, "take 3") is None


def test_a_clip_that_is_named_neutral_loses_what_it_wore(lite):
    weights = lite.worn_weights(clip(smiling([0.6])))
    worn = emphasised(lite.feelings, weights, named(lite.feelings, "neutral"))
    assert torch.allclose(worn, (1 - PULL) * weights)


def test_emphasis_keeps_the_rise_and_fall_of_the_clip(lite):
    rise = np.linspace(0.35, 0.8, 10)
    rows = smiling(rise)
    worn = emphasised(lite.feelings, lite.worn_weights(clip(rows)), likeness(lite.feelings, rows))
    corner = worn[:, lite.rig.shape_names.index("mouthSmile_L")]
    assert (corner.diff() > 0).all() and corner[-1] > 1.4 * corner[0]


def test_presets_are_worn_as_they_are(lite):
    preset = PRESETS["sad"]
    assert torch.equal(
        lite.encode_emotion(preset), lite.encoder(lite.worn_weights(preset)).detach()
    )


def test_the_faces_are_the_presets(lite):
    for name, face in zip(lite.feelings.names, lite.feelings.faces, strict=True):
        assert torch.allclose(face, lite.worn_weights(PRESETS[name])[0], atol=1e-6)


def test_every_pair_is_a_mean_of_scores(lite):
    pairs = lite.feelings.pairs
    assert pairs.shape[1] == len(SHAPE_NAMES)
    assert torch.allclose(pairs.sum(1), torch.ones(len(pairs)))
