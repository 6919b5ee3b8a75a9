import numpy as np

from models.lite.sides import shown_backdrop, turned, unfold_sides


def half_cylinder():
    """[169, 3] px seen from the front, and its triangles; the ends of its width lie at a slant."""
    angle, height = np.meshgrid(np.linspace(-1.5, 1.5, 13), np.linspace(-90, 90, 13))
    points = np.stack([100 * np.sin(angle), height, -100 * np.cos(angle)], -1).reshape(-1, 3)
    cells = [13 * i + j for i in range(12) for j in range(12)]
    triangles = [t for a in cells for t in ((a, a + 1, a + 14), (a, a + 14, a + 13))]
    return points, np.array(triangles)


def test_slanted_skin_is_taken_from_beside_it_and_the_front_from_where_it_is():
    points, triangles = half_cylinder()
    source = points[:, :2]
    seen = np.zeros(len(points))
    out = unfold_sides(source, points, triangles, np.abs(points[:, 0]) / 100, seen)
    front = np.abs(points[:, 0]) < 60
    assert np.allclose(out[front], source[front], atol=1e-3)
    rows = out.reshape(13, 13, 2)[..., 0]
    ends = source.reshape(13, 13, 2)[:, [0, -1], 0]
    assert (np.abs(rows[:, [0, -1]]) < np.abs(ends) - 1).all()
    assert (np.diff(rows, axis=1) > 0).all()


def test_an_outline_that_lies_on_the_background_takes_its_skin_from_the_face():
    points, triangles = half_cylinder()
    source = points[:, :2] + 150
    image, background = np.full((300, 300, 3), 90, np.uint8), np.full((300, 300, 3), 90, np.uint8)
    image[:, 70:] = 200
    radius = np.abs(points[:, 0]) / 100
    seen = shown_backdrop(image, background, source, radius)
    assert (seen[source[:, 0] < 60] > 0.9).all() and (seen[source[:, 0] > 80] < 0.1).all()
    assert unfold_sides(source, points, triangles, radius, seen)[:, 0].min() > 70
    assert not shown_backdrop(background, background, source, radius).any()


def test_sides_stay_as_in_the_portrait_until_the_head_turns():
    shares = [turned(np.array([yaw, 0.0, 30.0])) for yaw in (0, 3, 6, 9, -15)]
    assert shares[:2] == [0, 0] and shares[-1] == 1
    assert 0 < shares[2] < shares[3] < 1
