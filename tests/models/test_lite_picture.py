import numpy as np
import pytest
import torch

from avatar.presets import PRESETS
from models.lite.contours import (
    INNER_LOWER,
    INNER_UPPER,
    LIP_ROWS,
    LOWER_LID,
    OUTER_LOWER,
    OUTER_UPPER,
    UPPER_LID,
)
from models.lite.lids import close_lids, fit_lids
from models.lite.lip_edge import lip_trims
from models.lite.own_teeth import keep_own_teeth
from models.lite.picture import place_vertices, talking_face
from models.talking_head import POSE_DIMS, Motion


@pytest.fixture
def pose():
    return torch.zeros(1, POSE_DIMS)


def wearing(lite, portrait, pose, **shapes):
    """The motion in which the portrait wears expressions by name, both sides alike."""
    weights = torch.zeros(len(lite.rig.shape_names))
    for shape, weight in shapes.items():
        for index, name in enumerate(lite.rig.shape_names):
            if name in (shape, f"{shape}_L", f"{shape}_R"):
                weights[index] = weight
    dx = torch.einsum("e,eki->ki", weights, lite.rig.dx)
    dj = torch.einsum("e,ekij->kij", weights, lite.rig.dj)
    return Motion(portrait.x0 + dx, portrait.j0 + dj, pose)


def mouth_box(portrait):
    corners = portrait.source[[61, 291]]
    (x0, y0), (x1, y1) = corners.min(0).astype(int), corners.max(0).astype(int)
    return slice(y0 - 4, y1 + 30), slice(x0, x1)


def test_the_smile_of_the_portrait_comes_off(lite_portrait, lite, demonstration_face):
    own = lite_portrait.own
    smiling = ((demonstration_face.landmarks[[61, 291, 0, 17], :2] - own.shift) / own.scale) @ (
        own.rotation[:2, :2]
    )
    lift = smiling[:2, 1].mean() - smiling[2:, 1].mean()
    rest = lite_portrait.neutral[[61, 291], 1].mean() - lite_portrait.neutral[[0, 17], 1].mean()
    assert rest > lift + 0.03


def test_a_smile_that_is_kept_keeps_its_light_and_still_closes_the_lips(
    lite, lite_portrait, demonstration_face
):
    smiling = lite.encode_portrait(demonstration_face._replace(keep_smile=True))
    kept = smiling.neutral
    lift, rest = (
        f[[61, 291], 1].mean() - f[[0, 17], 1].mean() for f in (kept, lite_portrait.neutral)
    )
    assert not smiling.wrinkles.own.shade.any()
    assert lift < rest - 0.02
    assert np.abs(kept[INNER_LOWER, 1] - kept[INNER_UPPER, 1]).max() < 1e-6


def test_the_resting_lips_touch(lite_portrait):
    gap = lite_portrait.neutral[INNER_LOWER, 1] - lite_portrait.neutral[INNER_UPPER, 1]
    assert np.abs(gap).max() < 1e-6


@pytest.mark.parametrize("emotion", ["angry", "surprised"])
def test_an_emotion_does_not_pinch_lips_that_touch(lite, lite_portrait, emotion):
    n = lite.rig.n_points
    still, flat = torch.zeros(1, n, 2), torch.zeros(1, n, 2, 2)
    with torch.no_grad():
        dx, dj = lite.predictor(lite.encode_emotion(PRESETS[emotion])[:1].clone(), still, flat)
    x, jacobian = lite_portrait.x0 + lite.motion.contact.kept(still, dx), lite_portrait.j0 + dj
    face = talking_face(lite.rig, lite_portrait, x[0], jacobian[0])
    assert (face[INNER_LOWER, 1] - face[INNER_UPPER, 1]).max() < 0.012


def test_an_open_jaw_shows_the_inside_of_the_mouth(lite, lite_portrait, pose):
    box = mouth_box(lite_portrait)
    shut = lite.render(lite_portrait, wearing(lite, lite_portrait, pose))[box]
    open_ = lite.render(lite_portrait, wearing(lite, lite_portrait, pose, jawOpen=0.4))[box]
    assert (open_.sum(-1) < 240).mean() > (shut.sum(-1) < 240).mean() + 0.05


def test_a_turned_head_leaves_the_background_still(lite, lite_portrait, pose, demonstration_face):
    turned = pose.clone()
    turned[0, :3] = torch.tensor([12.0, 5.0, 6.0])
    still, moved = (
        lite.render(lite_portrait, wearing(lite, lite_portrait, p)).astype(int)
        for p in (pose, turned)
    )
    changed = np.abs(still - moved).max(-1) > 12
    far = np.zeros_like(changed)
    far[:40, :40] = far[:40, -40:] = True
    assert (demonstration_face.matte[far] == 0).all()
    assert changed[far].mean() < 0.01
    assert changed[100:160, 100:160].mean() > 0.2


def test_no_pose_tears_the_picture(lite, lite_portrait, pose):
    """Neighbouring pixels of the portrait stay neighbours: no hole shows the untouched canvas."""
    magenta = lite_portrait._replace(
        background=np.full_like(lite_portrait.background, (255, 0, 255))
    )
    opaque = magenta._replace(
        pixels=np.dstack([magenta.pixels[..., :3] // 2, magenta.pixels[..., 3] | 255])
    )
    for yaw, roll in ((-20, 0), (20, 0), (0, 15), (15, -15)):
        pose[0, 0], pose[0, 2] = yaw, roll
        picture = lite.render(opaque, wearing(lite, opaque, pose, jawOpen=0.2))
        assert not (picture == (255, 0, 255)).all(-1).any()


@pytest.mark.parametrize("wide", [0.0, 0.8], ids=["calm", "wide-eyed"])
def test_a_whole_blink_closes_the_eyes(lite, lite_portrait, pose, wide):
    motion = wearing(lite, lite_portrait, pose, eyeWide=wide)
    x, jacobian = lite.blink(motion.x, motion.jacobian, torch.ones(1))
    face = talking_face(lite.rig, lite_portrait, x[0], jacobian[0])
    gap = face[LOWER_LID, 1] - face[UPPER_LID, 1]
    rest = lite_portrait.neutral[LOWER_LID, 1] - lite_portrait.neutral[UPPER_LID, 1]
    assert gap.max() < 0.3 * rest.max()


def test_closed_lids_leave_no_sliver_of_the_eye(lite, lite_portrait, pose):
    """Nor does a squint that a blink ends: the lids meet where the lower one is at rest."""
    motion = wearing(lite, lite_portrait, pose, eyeSquint=0.8, cheekSquint=0.8)
    x, jacobian = lite.blink(motion.x, motion.jacobian, torch.ones(1))
    face = talking_face(lite.rig, lite_portrait, x[0], jacobian[0])
    assert (face[UPPER_LID] == face[LOWER_LID]).all()
    assert (face[LOWER_LID, 1] > lite_portrait.neutral[LOWER_LID, 1] - 0.005).all()


@pytest.mark.parametrize(
    "gap, kept", [(0.05, 0), (0.0725, 0.5), (0.1, 1)], ids=["small", "between", "usual"]
)
def test_eyes_squint_the_less_the_less_they_are_open(lite, gap, kept):
    upper, lower = ([lite.rig.point_of(v) for v in lids] for lids in ((159, 386), (145, 374)))
    x0 = lite.rig.x[None].clone()
    x0[0, upper, 1] = x0[0, lower, 1] - gap
    shapes = [lite.rig.shape_names.index(f"eyeSquint_{side}") for side in "LR"]
    squint = 0.5 * lite.rig.dx[shapes].sum(0)
    eased, _ = lite.ease_squint(x0 + squint, torch.eye(2).expand(1, len(squint), 2, 2), x0)
    widened, wanted = ((x[lower] - x[upper])[:, 1] for x in (eased[0] - x0[0], squint))
    assert wanted.max() < -0.005
    assert torch.allclose(widened, kept * wanted, atol=1e-5)


def test_open_eyes_keep_their_own_lids(lite_portrait):
    pixels = lite_portrait.pixels.copy()
    close_lids(pixels, lite_portrait.lids, (0.0, 0.0))
    assert (pixels == lite_portrait.pixels).all()


def test_a_closed_lid_wipes_out_no_frame_of_glasses(lite_portrait, demonstration_face):
    """A dark line across the sockets stays, though skin as even as lids' is laid around it."""
    socket = demonstration_face.landmarks[[224, 444], :2].mean(0)
    (left, _), (right, _) = demonstration_face.landmarks[[225, 445], :2]
    row, columns = int(socket[1]), slice(int(left), int(right))
    framed = demonstration_face.image.copy()
    framed[row - 1 : row + 1, columns] = 20
    pixels = np.dstack([framed, np.full(framed.shape[:2], 255, np.uint8)])
    close_lids(pixels, fit_lids(framed, demonstration_face.landmarks), (1.0, 1.0))
    assert np.percentile(pixels[row - 1 : row + 1, columns, :3], 75) < 40


def test_a_blink_draws_lashes_over_even_skin(lite, lite_portrait, pose):
    """Above the edge of a closed lid the skin is even and light; the edge itself is dark."""
    motion = wearing(lite, lite_portrait, pose)
    x, jacobian = lite.blink(motion.x, motion.jacobian, torch.ones(1))
    picture = lite.render(lite_portrait, Motion(x, jacobian, pose)).astype(float).mean(-1)
    face = talking_face(lite.rig, lite_portrait, x[0], jacobian[0])
    edge = place_vertices(lite_portrait, face, pose[0].numpy())[[159, 386]].round().astype(int)
    rest = lite_portrait.source[[159, 386], 1]
    for (column, row), top in zip(edge, rest.round().astype(int), strict=True):
        lid = picture[top : row - 3, column - 4 : column + 5]
        lashes = picture[row - 1 : row + 3, column - 4 : column + 5].min(0)
        assert lid.std() < 12
        assert lashes.mean() < lid.mean() - 40


def test_the_rows_of_the_resting_lips_are_in_order(lite_portrait):
    """From the line where the lips touch outwards: no row lies on the other side of the next."""
    y = lite_portrait.neutral[:, 1]
    for inner, (near, far), outer, side in (
        (INNER_UPPER, LIP_ROWS[0], OUTER_UPPER, -1),
        (INNER_LOWER, LIP_ROWS[1], OUTER_LOWER, 1),
    ):
        rows = side * np.stack([y[row][1:-1] for row in (inner, near, far, outer)])
        assert (np.diff(rows, axis=0) > -1e-4).all()


def test_teeth_of_the_portrait_are_not_taken_for_lips():
    """The contours lie on white teeth; the red of the lips begins halfway outwards."""
    picture = np.full((60, 100, 3), (170, 80, 80), np.uint8)
    picture[20:40] = (235, 230, 220)
    x = np.linspace(20, 80, 11)
    rows = {y: np.column_stack([x, np.full(11, y)]).astype(np.float32) for y in (14, 26, 34, 46)}
    upper, lower = lip_trims(picture, (rows[26], rows[14]), (rows[34], rows[46]))
    assert (upper > 0.5).all() and (upper <= 0.7).all()
    assert (lower == np.float32(0.3)).all()
    shut = lip_trims(picture, (rows[26], rows[14]), (rows[26], rows[46]))
    assert np.allclose(shut, 0.12)


def smile_in_layer():
    """Layers of gums over grey teeth, a smile with yellow teeth, its lips, and where it lies."""
    layer = np.zeros((136, 198, 4), np.uint8)
    layer[16:50] = (150, 80, 80, 255)
    layer[50:70] = (200, 200, 200, 255)
    picture = np.full((136, 198, 3), (170, 80, 80), np.uint8)
    picture[50:70, 40:160] = (240, 220, 150)
    picture[50:70, 97:103] = (90, 60, 40)  # a gap between two teeth
    x = np.linspace(40, 159, 11)
    lips = np.stack([np.column_stack([x, np.full(11, y)]) for y in (50, 78)]).astype(np.float32)
    return layer, picture, lips, np.array([[1.0, 0, 0], [0, 1, 0]])


def test_the_upper_teeth_of_a_smile_are_kept():
    """Yellow teeth in the portrait stay yellow in the layer, below the lip; lips are left out."""
    layer, picture, lips, same_place = smile_in_layer()
    own, lower = keep_own_teeth(layer, layer, picture, lips, same_place)
    assert np.abs(own[55:68, 50:94, :3].astype(int) - (240, 220, 150)).max() < 12
    assert own[55:68, 50:150, 3].min() == 255
    assert own[74:, 50:150, 3].max() == 0
    picture[50:70] = (60, 20, 20)
    own, lower = keep_own_teeth(layer, layer, picture, lips, same_place)
    assert (own == layer).all()
    assert (lower == layer).all()


def test_a_light_spot_of_the_lower_lip_is_no_tooth():
    """What hangs from the edge of own teeth and is narrower than one is left out."""
    layer, picture, lips, same_place = smile_in_layer()
    picture[70:77, 120:130] = (240, 220, 150)
    own, _ = keep_own_teeth(layer, layer, picture, lips, same_place)
    assert own[73:, 50:150, 3].max() == 0


def test_generic_teeth_take_the_colour_of_the_own_ones():
    """Beside yellow own teeth, and below them, grey ones turn yellow; gums stay as they are."""
    layer, picture, lips, same_place = smile_in_layer()
    own, lower = keep_own_teeth(layer, layer, picture, lips, same_place)
    for teeth in (own[55:66, :30], own[55:66, 170:], lower[50:70]):
        assert np.abs(teeth[..., :3].astype(int) - (240, 220, 150)).max() <= 4
    assert (lower[16:50] == layer[16:50]).all()


def test_generic_teeth_go_on_from_the_edge_of_the_own_ones():
    """Where the outermost own teeth end higher, so do those beside them."""
    layer, picture, lips, same_place = smile_in_layer()
    picture[64:70, 40:70] = picture[64:70, 130:160] = (60, 20, 20)
    own, _ = keep_own_teeth(layer, layer, picture, lips, same_place)
    for beside in (own[:, 20, 3], own[:, 180, 3]):
        assert abs(np.flatnonzero(beside > 127).max() - 63) <= 1


def test_a_closed_lid_does_not_fall_far_below_the_lower_one(lite, lite_portrait, pose):
    """The line of closed lids follows the lower lid to both corners of the eye."""
    motion = wearing(lite, lite_portrait, pose)
    x, jacobian = lite.blink(motion.x, motion.jacobian, torch.ones(1))
    shut = talking_face(lite.rig, lite_portrait, x[0], jacobian[0])
    fallen = shut[UPPER_LID, 1] - lite_portrait.neutral[LOWER_LID, 1]
    assert fallen.max() < 0.03


def test_a_wide_open_mouth_is_round_below(lite, lite_portrait, pose):
    motion = wearing(lite, lite_portrait, pose, jawOpen=1.0)
    lip = talking_face(lite.rig, lite_portrait, motion.x[0], motion.jacobian[0])[INNER_LOWER]
    along = (lip[:, 0] - lip[0, 0]) / (lip[-1, 0] - lip[0, 0])
    depth = lip[:, 1] - np.interp(along, [0, 1], lip[[0, -1], 1])
    assert depth.max() > 0.05
    assert (depth >= 4 * along * (1 - along) * depth.max() - 1e-4).all()
