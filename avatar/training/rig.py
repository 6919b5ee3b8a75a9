"""Fits the rig of model `lite`, jacobians and skinning weights, to the basis by least squares.

    python -m avatar.train rig --face3d DIR --portraits FILE

DIR holds `mediapipe_arkit_basis.npz` (ICT-FaceKit, MIT, on MediaPipe's canonical mesh, Apache-2.0).
FILE holds tracked portraits, for the gains of the tracker's scores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

EYE_CORNERS = (33, 263)
"""Outer eye corners of the mesh, image left and image right."""
NEIGHBOURS = 8
"""Vertices behind one jacobian, and key points behind one vertex."""
RIDGE = 1e-3
"""Pull of the skinning weights towards inverse distance, relative to the mean squared motion."""

# fmt: off
POINTS = {
    "outer lips": [61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91, 185, 409, 375, 146],
    "inner lips": [78, 80, 81, 13, 311, 310, 308, 318, 402, 14, 178, 88],
    "right eye": [33, 160, 159, 158, 133, 153, 145, 144],
    "left eye": [263, 387, 386, 385, 362, 380, 374, 373],
    "brows": [70, 63, 105, 66, 107, 300, 293, 334, 296, 336],
    "nose": [4, 98, 327, 168, 2],
    "cheeks": [50, 280, 205, 425, 36, 266, 216, 436],
    "jaw": [152, 176, 400, 172, 397, 132, 361, 199, 18],
    "forehead": [10, 151, 67, 297, 127, 356],
}
# fmt: on


def image_axes(points: np.ndarray) -> np.ndarray:
    """Face-frame copy of canonical points: y down, z away from the camera; [..., 3] -> [..., 3]."""
    return points * np.array([1, -1, -1], np.float32)


def face_frame(mesh: np.ndarray) -> tuple[np.ndarray, float]:
    """The mesh [V, 3] in the face frame, and its inter-ocular distance before.

    The origin is between the outer eye corners, the unit the distance between them.
    """
    right, left = mesh[list(EYE_CORNERS)]
    span = float(np.linalg.norm(left - right))
    return (mesh - (right + left) / 2) / span, span


def skin_triangles(basis: dict[str, np.ndarray]) -> np.ndarray:
    """The triangles of the skin [N, 3]: those that fill the mouth and the eyes are dropped."""
    keep = np.ones(len(basis["triangles"]), bool)
    for upper, lower in (
        ("inner_lip_upper", "inner_lip_lower"),
        ("eyelid_upper_right", "eyelid_lower_right"),
        ("eyelid_upper_left", "eyelid_lower_left"),
    ):
        rim = np.union1d(basis[upper], basis[lower])
        keep &= ~np.isin(basis["triangles"], rim).all(1)
    return basis["triangles"][keep]


def geodesics(mesh: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Distances along the skin between all vertices, [V, V].

    The lips are neighbours only through the mouth's corners.
    """
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    length = np.linalg.norm(mesh[edges[:, 0]] - mesh[edges[:, 1]], axis=1)
    n = len(mesh)
    shortest = {}
    for (a, b), value in zip(map(tuple, np.sort(edges, axis=1)), length, strict=True):
        shortest[a, b] = value
    rows, cols = np.array(list(shortest)).T
    graph = coo_array((list(shortest.values()), (rows, cols)), shape=(n, n)).tocsr()
    return dijkstra(graph, directed=False)


def fit_jacobians(
    mesh: np.ndarray, deltas: np.ndarray, points: np.ndarray, distance: np.ndarray
) -> np.ndarray:
    """Change of the jacobian of each key point per expression by least squares over its neighbours.

    Args:
        mesh: [V, 2], the neutral mesh, face frame.
        deltas: [E, V, 2], what each expression adds to it.
        points: [K] vertex indices of the key points.
        distance: [V, V], distances along the skin.

    Returns:
        [E, K, 2, 2] float32, dJ = sum (dv - dx)(v - x)^T (sum (v - x)(v - x)^T)^-1.
    """
    out = np.zeros((len(deltas), len(points), 2, 2), np.float32)
    for k, p in enumerate(points):
        near = np.argsort(distance[p])[1 : NEIGHBOURS + 1]
        arm = mesh[near] - mesh[p]
        spread = np.linalg.inv(arm.T @ arm + 1e-5 * np.eye(2))
        relative = deltas[:, near] - deltas[:, p : p + 1]
        out[:, k] = np.einsum("eni,nj->eij", relative, arm) @ spread
    return out


def fit_skin(
    mesh: np.ndarray,
    deltas: np.ndarray,
    points: np.ndarray,
    dj: np.ndarray,
    distance: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Skinning of each vertex by its nearest key points: ridge regression, weights sum to one.

    The motions that the weights must reproduce are the expressions themselves, and the three
    affine motions of the plane, so that identity and scale pass through unchanged.

    Returns:
        [V, 8] int64 key points and [V, 8] float32 weights.
    """
    V = len(mesh)
    index = np.argsort(distance[:, points], axis=1)[:, :NEIGHBOURS]
    weight = np.zeros((V, NEIGHBOURS), np.float32)
    scale = RIDGE * float((deltas**2).mean()) * len(deltas) * 2
    for v in range(V):
        near = index[v]
        arm = mesh[v] - mesh[points[near]]
        moved = deltas[:, points[near]] + np.einsum("ekij,kj->eki", dj[:, near], arm)
        design = moved.transpose(0, 2, 1).reshape(-1, NEIGHBOURS)
        target = deltas[:, v].reshape(-1)
        prior = 1 / (distance[v, points[near]] + 0.02)
        prior /= prior.sum()
        weight[v] = constrained_ridge(design, target, prior, scale)
    return index, weight


def constrained_ridge(
    design: np.ndarray, target: np.ndarray, prior: np.ndarray, ridge: float
) -> np.ndarray:
    """The argmin of |A w - b|^2 + ridge |w - prior|^2 subject to sum w = 1, by its Lagrangian."""
    n = len(prior)
    system = np.zeros((n + 1, n + 1))
    system[:n, :n] = design.T @ design + ridge * np.eye(n)
    system[n, :n] = system[:n, n] = 1
    right = np.append(design.T @ target + ridge * prior, 1.0)
    return np.linalg.solve(system, right)[:n]


def fit(basis: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All tensors of the rig from the expression basis."""
    mesh, span = face_frame(image_axes(basis["canonical"]))
    deltas = image_axes(basis["deltas"].transpose(2, 0, 1)) / span
    flat, moves = mesh[:, :2], deltas[..., :2]
    points = np.array([p for group in POINTS.values() for p in group])
    distance = geodesics(mesh, skin_triangles(basis))
    dj = fit_jacobians(flat, moves, points, distance)
    index, weight = fit_skin(flat, moves, points, dj, distance)
    return {
        "point_indices": points,
        "x": flat[points],
        "dx": moves[:, points],
        "dj": dj,
        "mesh": mesh,
        "skin_index": index,
        "skin_weight": weight,
        "triangles": basis["triangles"].astype(np.int64),
    }


def held_out_error(rig: dict[str, np.ndarray], basis: dict[str, np.ndarray]) -> dict[str, float]:
    """Mean vertex error on random mixes of expressions, per cent of the inter-ocular distance."""
    mesh, span = face_frame(image_axes(basis["canonical"]))
    moves = image_axes(basis["deltas"].transpose(2, 0, 1))[..., :2] / span
    mixes = np.random.default_rng(0).uniform(0, 1, (200, len(moves))) ** 4
    truth = np.einsum("ne,evi->nvi", mixes, moves)
    dx, dj = (np.einsum("ne,e...->n...", mixes, rig[k]) for k in ("dx", "dj"))
    arm = mesh[:, None, :2] - rig["x"][rig["skin_index"]]
    moved = dx[:, rig["skin_index"]] + np.einsum("nvkij,vkj->nvki", dj[:, rig["skin_index"]], arm)
    made = (rig["skin_weight"][..., None] * moved).sum(2)
    error = np.linalg.norm(made - truth, axis=-1) * 100
    lips = np.array([*POINTS["outer lips"], *POINTS["inner lips"], 82, 312, 87, 317, 39, 269])
    return {
        "motion_percent": float(np.linalg.norm(truth, axis=-1).mean() * 100),
        "error_percent": float(error.mean()),
        "lips_error_percent": float(error[:, lips].mean()),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train rig`."""
    parser.add_argument("--face3d", type=Path, required=True, help="folder of the expression basis")
    parser.add_argument(
        "--portraits",
        type=Path,
        required=True,
        help="npz with landmarks and blendshapes of portraits",
    )


def run(args: argparse.Namespace) -> None:
    """Fit the rig, print its error and write it beside the other weights."""
    from avatar.training.score_gains import fit_score_gains
    from models.checkpoints import save_tensors

    with np.load(args.face3d / "mediapipe_arkit_basis.npz") as file:
        basis = {name: file[name] for name in file.files}
    rig = fit(basis)
    error = held_out_error(rig, basis)
    print("  ".join(f"{name} {value:.3f}" for name, value in error.items()))
    names, scores = (tuple(map(str, basis[key])) for key in ("names", "mediapipe_names"))
    span = face_frame(image_axes(basis["canonical"]))[1]
    deltas = image_axes(basis["deltas"].transpose(2, 0, 1)) / span
    rig["score_gain"] = fit_score_gains(args.portraits, deltas, rig["mesh"], names, scores)
    save_tensors("rig", rig, {"shape_names": names, "score_names": scores, "error": error})
