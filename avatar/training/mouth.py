"""Renders the inside of the mouth from the 3D face: an upper layer, and a lower with the tongue.

    python -m avatar.train mouth --face3d DIR

ICT-FaceKit (MIT) gives teeth, gums and tongue; the light is ours. The layers are seen from the
front, in inter-ocular distances, with the line between the closed lips as their origin.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

PIXELS_PER_UNIT = 220
"""Layer pixels per inter-ocular distance."""
WIDTH, HEIGHT = 0.9, 0.62
"""Extent of a layer in inter-ocular distances; the lip line is in the middle."""
LIGHT = np.array([0.15, 0.45, 0.88])
COLOURS = {"M_Teeth": (237, 214, 189), "M_GumsTongue": (158, 82, 82)}
"""Teeth are as warm as the mean of those that 170 public-domain portraits show."""
DEPTH_FADE = 0.9
"""Inter-ocular distances behind the front teeth at which the light has fallen to its floor."""
LIGHT_FLOOR = 0.30
THROAT_BELOW = -0.03
"""Gums of the skull below this are the throat, which would hide the tongue."""
JAW_SHOWN = 0.35
"""Weight of the opened jaw at which the lower layer is seen: from above, so the tongue shows."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train mouth`."""
    parser.add_argument("--face3d", type=Path, required=True, help="folder of the 3D face")


def run(args: argparse.Namespace) -> None:
    """Render both layers and write them beside the other weights."""
    from models.checkpoints import save_tensors

    with np.load(args.face3d / "ict_facekit.npz") as file:
        ict = {name: file[name] for name in file.files}
    with np.load(args.face3d / "mediapipe_to_ict.npz") as file:
        on_ict = {name: file[name] for name in ("tri_vertices", "barycentric")}
    vertices, jaw_open = normalised(ict, on_ict)
    moved = np.linalg.norm(jaw_open, axis=1)
    triangles, colours = inside_triangles(ict)
    lower = moved[triangles].mean(1) > 0.25 * moved[triangles].max()
    gums = (colours == COLOURS["M_GumsTongue"]).all(1)
    throat = ~lower & gums & (vertices[triangles, 1].mean(1) > THROAT_BELOW)
    triangles, colours, lower = triangles[~throat], colours[~throat], lower[~throat]
    teeth = np.unique(triangles[lower])
    chin = surface_points(jaw_open, on_ict)[152, 1]
    front = teeth[vertices[teeth, 2] < np.quantile(vertices[teeth, 2], 0.3)]
    opened = vertices + JAW_SHOWN * (jaw_open - jaw_open[front].mean(0))
    layers = {
        "upper": render(vertices, triangles[~lower], colours[~lower]),
        "lower": render(opened, triangles[lower], colours[lower]),
    }
    settings = {
        "pixels_per_unit": PIXELS_PER_UNIT,
        "jaw_ratio": float(jaw_open[front, 1].mean() / chin),
        "depth": float(np.quantile(vertices[np.unique(triangles), 2], 0.02)),
        "source": "ICT-FaceKit light model (MIT), rendered by avatar/training/mouth.py",
    }
    save_tensors("mouth", layers, settings)
    print({key: settings[key] for key in ("jaw_ratio", "depth")})


def surface_points(vertices: np.ndarray, on_ict: dict[str, np.ndarray]) -> np.ndarray:
    """The 468 mesh points on the surface of any ICT mesh [V, 3] -> [468, 3]."""
    return np.einsum("nk,nki->ni", on_ict["barycentric"], vertices[on_ict["tri_vertices"]])


def normalised(
    ict: dict[str, np.ndarray], on_ict: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Neutral vertices and the jawOpen delta, both [V, 3].

    y down, z away from the camera, in inter-ocular distances, the lip line at 0.
    """
    axes = np.array([1, -1, -1], np.float32)
    neutral = ict["neutral"] * axes
    mesh = surface_points(neutral, on_ict)
    span = np.linalg.norm(mesh[263] - mesh[33])
    lips = (mesh[13] + mesh[14] + mesh[78] + mesh[308]) / 4
    lips[2] = (mesh[13, 2] + mesh[14, 2]) / 2
    opened = ict["expressions"][list(ict["expression_names"]).index("jawOpen")].astype(np.float32)
    return (neutral - lips) / span, opened * axes / span


def inside_triangles(ict: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of teeth, gums and tongue [M, 3] and their colours [M, 3] 0..255."""
    triangles, colours = [], []
    for quad, material in zip(ict["quads"], ict["quad_material"], strict=True):
        name = str(ict["materials"][material])
        if name not in COLOURS:
            continue
        for corners in ((0, 1, 2), (0, 2, 3)) if quad[3] >= 0 else ((0, 1, 2),):
            triangles.append(quad[list(corners)])
            colours.append(COLOURS[name])
    return np.array(triangles), np.array(colours, np.float32)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Smooth unit normals towards the camera (z < 0), [V, 3]."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    flat = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], flat)
    return normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9)


def render(vertices: np.ndarray, triangles: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """One layer seen from the front, [H, W, 4] uint8 premultiplied RGBA; 2x2 samples a pixel."""
    samples = 2
    scale = PIXELS_PER_UNIT * samples
    height, width = (samples * round(side * PIXELS_PER_UNIT) for side in (HEIGHT, WIDTH))
    pixels = vertices[:, :2] * scale + np.array([width, height]) / 2
    normals = vertex_normals(vertices, triangles)
    front = np.quantile(vertices[np.unique(triangles), 2], 0.02)
    image, depth = np.zeros((height, width, 4)), np.full((height, width), np.inf)
    for corners, colour in zip(triangles, colours, strict=True):
        _draw(image, depth, pixels[corners], vertices[corners, 2], normals[corners], colour, front)
    small = image.reshape(height // samples, samples, width // samples, samples, 4).mean((1, 3))
    return np.clip(small.round(), 0, 255).astype(np.uint8)


def _draw(
    image: np.ndarray,
    depth: np.ndarray,
    corners: np.ndarray,
    z: np.ndarray,
    normals: np.ndarray,
    colour: np.ndarray,
    front: float,
) -> None:
    """One shaded triangle with a depth test."""
    low = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(0)).astype(int), [image.shape[1] - 1, image.shape[0] - 1])
    (ax, ay), (bx, by), (cx, cy) = corners
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    if (high < low).any() or abs(area) < 1e-9:
        return
    x, y = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
    wb = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
    wc = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
    bary = np.stack([1 - wb - wc, wb, wc], -1)
    z_here = bary @ z
    window = (slice(low[1], high[1] + 1), slice(low[0], high[0] + 1))
    seen = (bary >= -1e-6).all(-1) & (z_here < depth[window])
    depth[window][seen] = z_here[seen]
    colours = _shade(bary @ normals, z_here, colour, front)
    image[window][seen, :3] = colours[seen]
    image[window][seen, 3] = 255


def _shade(normal: np.ndarray, z: np.ndarray, colour: np.ndarray, front: float) -> np.ndarray:
    """Lambert and a small highlight, fading into the depth of the mouth; [..., 3] 0..255."""
    normal = normal / (np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9)
    towards = np.abs(normal * np.array([1, 1, -1]) @ (LIGHT * np.array([1, -1, 1])))
    fade = np.clip(1 - (z - front) / DEPTH_FADE, LIGHT_FLOOR, 1)
    shine = towards**30 * 40
    return np.clip(
        (colour * (0.45 + 0.6 * towards)[..., None] + shine[..., None]) * fade[..., None], 0, 255
    )
