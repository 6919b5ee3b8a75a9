import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avatar.images import is_still, read_image
from avatar.matte import CUT_SIDE, cut_person, separate
from avatar.portrait import check_face, cut_out, find_faces, place_crop, read_portrait
from avatar.tracking import TrackedFace, pose_of

PORTRAITS = Path(__file__).parents[2].parent / "shared" / "data" / "portraits"


def file_of(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def a_face(width=200, pose=(0, 0, 0), at=(300, 300)):
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (478, 3)) * (width, 1.1 * width, width)
    points += (*at, 0)
    points[0, 0], points[1, 0] = at[0] - width / 2, at[0] + width / 2
    pose = np.array([*pose, 0, 0, 0], np.float32)
    return TrackedFace(points.astype(np.float32), np.zeros(52, np.float32), pose)


@pytest.fixture(scope="module")
def astronaut(face_picture):
    return Image.fromarray(face_picture)


@pytest.fixture(scope="module")
def portrait(tracker):
    return read_portrait(None, 512, tracker)[0]


# files


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "RGB"),
        ("JPEG", "RGB"),
        ("WEBP", "RGB"),
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "P"),
    ],
)
def test_every_kind_of_file_shows_the_same_picture(astronaut, kind, mode):
    data = file_of(astronaut.convert(mode), kind)
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("L"), float)
    read = read_image(data)
    assert read.dtype == np.uint8 and read.shape == (512, 512, 3)
    assert np.abs(read.mean(-1) - shown).mean() < 12


def test_sixteen_bit_grey_is_scaled_to_eight(astronaut):
    grey = np.asarray(astronaut.convert("L"))
    data = file_of(Image.fromarray(grey.astype(np.uint16) * 257))
    assert np.abs(read_image(data)[..., 0].astype(int) - grey).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_become_grey(mode):
    image = Image.new(mode, (64, 64))
    assert np.all(read_image(file_of(image)) == 128)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_camera_says(orientation):
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:10, :20] = 255
    stored = upright
    if orientation in (5, 6, 7, 8):
        stored = np.swapaxes(stored, 0, 1)
    if orientation in (2, 3, 7, 8):
        stored = stored[:, ::-1]
    if orientation in (3, 4, 6, 7):
        stored = stored[::-1] if orientation != 6 else stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = {5: stored, 6: upright.swapaxes(0, 1)[::-1], 7: upright.swapaxes(0, 1)[::-1, ::-1],
              8: upright.swapaxes(0, 1)[:, ::-1]}.get(orientation, stored)  # fmt: skip
    read = read_image(file_of(Image.fromarray(np.ascontiguousarray(turned)), exif=exif))
    assert read.shape == upright.shape and np.array_equal(read, upright)


@pytest.mark.parametrize("cut", [0, 10, 2000])
def test_truncated_files_end_in_one_line(astronaut, cut):
    with pytest.raises(ValueError) as error:
        read_image(file_of(astronaut, "JPEG")[:cut])
    assert "\n" not in str(error.value)


def test_other_files_end_in_one_line(tmp_path):
    text = tmp_path / "notes.jpg"
    text.write_text("not a picture")
    for path in (text, tmp_path / "absent.png", tmp_path):
        with pytest.raises(ValueError, match=str(path)) as error:
            read_image(path)
        assert "\n" not in str(error.value)


def test_pictures_beyond_80_megapixels_are_refused_unread():
    with pytest.raises(ValueError, match="megapixels"):
        read_image(file_of(Image.new("1", (10_000, 9_000))))


def test_stills_are_told_from_clips_by_their_content(face_file, face_clip, tmp_path):
    renamed = tmp_path / "picture.mp4"
    renamed.write_bytes(face_file.read_bytes())
    assert is_still(renamed) and not is_still(face_clip)


# faces


def test_head_pose_has_the_signs_of_the_contract():
    turn = np.radians(20)
    to_image_right = np.eye(4)
    to_image_right[[0, 0, 2, 2], [0, 2, 0, 2]] = [
        np.cos(turn),
        np.sin(turn),
        -np.sin(turn),
        np.cos(turn),
    ]
    nod = np.eye(4)
    nod[[1, 1, 2, 2], [1, 2, 1, 2]] = [np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn)]
    assert pose_of(to_image_right)[:3] == pytest.approx([20, 0, 0], abs=1e-4)
    assert pose_of(nod)[:3] == pytest.approx([0, 20, 0], abs=1e-4)


def test_no_face_ends_in_one_line(tracker, grey_picture):
    with pytest.raises(ValueError, match="no face"):
        read_portrait(grey_picture, 512, tracker)


def test_a_face_of_60_px_is_refused_with_its_width(tracker, astronaut):
    small = Image.new("RGB", (800, 600), (90, 90, 90))
    small.paste(astronaut.resize((340, 340)), (200, 100))
    with pytest.raises(ValueError, match=r"(5\d|6\d) px wide; at least 80"):
        read_portrait(file_of(small), 512, tracker)


@pytest.mark.parametrize("pose", [(50, 0, 0), (0, -50, 0), (0, 0, 60)])
def test_a_face_turned_too_far_is_refused(pose):
    with pytest.raises(ValueError, match="degrees"):
        check_face([a_face(pose=pose)])


def test_of_several_faces_the_largest_is_taken_and_told(tracker, astronaut):
    group = Image.new("RGB", (1100, 512), (120, 120, 120))
    group.paste(astronaut, (560, 0))
    group.paste(astronaut.resize((400, 400)), (80, 50))
    face, notices = read_portrait(file_of(group), 512, tracker)
    assert notices == ["2 faces: took the largest"]
    alone, none = read_portrait(file_of(astronaut), 512, tracker)
    assert none == [] and np.ptp(face.landmarks[:, 0]) == pytest.approx(
        np.ptp(alone.landmarks[:, 0]), rel=0.06
    )


def test_a_small_face_in_50_megapixels_is_found(tracker, face_picture):
    large = np.full((6000, 8400, 3), 110, np.uint8)
    large[3500:5548, 6000:8048] = face_picture.repeat(4, 0).repeat(4, 1)
    (face,) = find_faces(large, tracker)
    (alone,) = find_faces(face_picture, tracker)
    expected = 4 * alone.landmarks[4, :2] + (6000, 3500)
    assert face.landmarks[4, :2] == pytest.approx(expected, abs=20)


def test_a_face_that_fills_the_picture_is_found(tracker, face_picture):
    assert len(find_faces(face_picture[60:190, 165:285], tracker)) == 1


# crop


def test_crop_has_head_room_where_the_picture_is_large():
    face = a_face(width=200, at=(1000, 800))
    crop = place_crop(face.landmarks, 1600, 2000)
    low, high = face.landmarks[:, 1].min(), face.landmarks[:, 1].max()
    assert 0.42 <= (high - low) / crop.side <= 0.48
    assert (low - crop.top) / crop.side > 0.2


@pytest.mark.parametrize("at", [(150, 300), (450, 300), (300, 160), (300, 440)])
def test_crop_prefers_the_inside_of_the_picture(at):
    crop = place_crop(a_face(width=200, at=at).landmarks, 600, 600)
    outside = max(-crop.left, -crop.top, crop.left + crop.side - 600, crop.top + crop.side - 600)
    assert outside < 0.2 * crop.side


@pytest.mark.parametrize(
    ("period", "size", "least", "most"), [(6, 512, 0.85, 1.05), (2.5, 256, 0, 0.4)]
)
def test_cropping_keeps_what_is_fine_and_drops_what_is_too_fine(period, size, least, most):
    wave = 128 + 60 * np.sin(2 * np.pi * np.arange(700) / period)
    picture = np.broadcast_to(wave[None, :, None], (700, 700, 3)).astype(np.uint8)
    image, _ = cut_out(picture, a_face(width=260, at=(350, 350)), size)
    contrast = image[100:-100, 100:-100].std() / picture.std()
    assert least < contrast < most


@pytest.mark.parametrize("size", [256, 512, 768])
def test_portrait_has_the_size_asked_for_and_exact_landmarks(tracker, size):
    face, _ = read_portrait(None, size, tracker)
    assert face.image.shape == face.background.shape == (size, size, 3)
    assert face.matte.shape == (size, size)
    assert face.landmarks.shape == (478, 3) and face.blendshapes.shape == (52,)
    again = tracker.settle_face(face.image)
    assert np.abs(again.landmarks - face.landmarks)[:, :2].max() < 0.01 * size
    assert face.blendshapes[44] > 0.5  # she smiles


def test_size_out_of_range_is_refused(tracker):
    with pytest.raises(ValueError, match="2048"):
        read_portrait(None, 2048, tracker)


# matte


def test_matte_holds_the_person_and_not_the_backdrop(portrait):
    x, y = np.rint(portrait.landmarks[:468, :2]).astype(int).T
    assert (portrait.matte[y, x] > 128).mean() > 0.99
    top = portrait.landmarks[10, :2]
    assert portrait.matte[int(top[1]) - 50, int(top[0])] > 128  # hair above the forehead
    assert portrait.matte[:60, :60].max() < 40 and portrait.matte[:60, -60:].max() < 40


def test_background_is_the_picture_where_nobody_is_and_has_no_face(portrait, tracker):
    far = np.s_[:60, :60]
    assert np.abs(portrait.background[far].astype(int) - portrait.image[far]).mean() < 2
    assert tracker.find_faces(portrait.background) == []


def test_matte_is_the_same_every_time(portrait):
    again, background = separate(portrait.image, portrait.landmarks)
    assert np.array_equal(again, portrait.matte)
    assert np.array_equal(background, portrait.background)


def test_colour_settles_where_the_segmenter_is_not_sure():
    """A red person on blue with an edge at column 80, which a segmenter sees somewhere near."""
    image = np.zeros((CUT_SIDE, CUT_SIDE, 3), np.uint8) + np.array([30, 30, 200], np.uint8)
    image[:, 80:] = 200, 30, 30
    image += np.random.default_rng(0).integers(0, 20, image.shape, np.uint8)
    likely = np.zeros((CUT_SIDE, CUT_SIDE), np.float32)
    likely[:, 60:100], likely[:, 100:] = 0.6, 1.0
    mask = cut_person(image, likely, np.full((478, 2), 150.0))
    assert (mask[:, 84:] == 255).all() and (mask[:, :76] == 0).all()


@pytest.mark.skipif(not PORTRAITS.is_dir(), reason="needs ../shared")
def test_a_hat_belongs_to_its_person(tracker):
    face, _ = read_portrait(PORTRAITS / "congress_W000808.jpg", 512, tracker)
    crown, brim = face.matte[30:90, 200:350], face.matte[85:110, 50:80]
    assert (crown > 128).all() and (brim > 128).all()


@pytest.mark.skipif(not PORTRAITS.is_dir(), reason="needs ../shared")
@pytest.mark.parametrize("name", ["D000327", "C001075", "D000605", "E000287"])
def test_shoulders_and_hair_belong_to_real_people(tracker, name):
    """Heads that lean, dark jackets on dark backdrops, backdrops that change from top to bottom."""
    face, _ = read_portrait(PORTRAITS / f"congress_{name}.jpg", 512, tracker)
    assert (face.matte[-8:] > 128).mean() > 0.75
    assert (face.matte[:256, :10] < 128).all() and (face.matte[:256, -10:] < 128).all()
