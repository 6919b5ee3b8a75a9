"""Reading the image files that people have: any mode, depth, orientation and colour profile."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

MAX_PIXELS = 80_000_000
"""Larger pictures are refused before they are decoded; 50 megapixels is a camera's large JPEG."""

NEUTRAL_GREY = (128, 128, 128)


def read_image(source: Path | bytes) -> np.ndarray:
    """An image file as upright RGB.

    Transparent parts become grey, 16-bit and float images are scaled to 8 bits, CMYK and colour
    profiles are converted to sRGB, of an animation the first picture is taken.

    Args:
        source: a file, or the content of one.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        ValueError: missing, truncated, larger than MAX_PIXELS, or not an image.
    """
    name = "the image" if isinstance(source, bytes) else str(source)
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file) as image:
                _check_size(image, name)
                image.load()
                return np.asarray(_to_rgb(ImageOps.exif_transpose(image)))
    except FileNotFoundError:
        raise ValueError(f"no such file: {name}") from None
    except Image.UnidentifiedImageError:
        raise ValueError(
            f"{name} is not an image that can be read here (JPEG, PNG, WebP, TIFF, BMP, GIF)"
        ) from None
    except Image.DecompressionBombError:
        raise ValueError(f"{name} is larger than {MAX_PIXELS // 10**6} megapixels") from None
    except (OSError, SyntaxError, EOFError) as error:
        raise ValueError(f"{name} cannot be read: {str(error) or 'damaged'}") from None


def is_still(path: Path) -> bool:
    """Whether the content of a file is one picture, whatever its name says."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return not (image.format == "GIF" and getattr(image, "is_animated", False))
    except (OSError, SyntaxError, Image.DecompressionBombError):
        return False


def _check_size(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(
            f"{name} has {image.width}x{image.height} pixels, more than the "
            f"{MAX_PIXELS // 10**6} megapixels allowed"
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _to_8_bits(image).convert("RGB")
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        return _flatten(image.convert("RGBA"))
    return _to_srgb(image)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits; the range is the 16-bit one unless the values fit a smaller one."""
    values = np.asarray(image, np.float64)
    top = values.max(initial=0)
    full = 1.0 if top <= 1 and image.mode == "F" else 255.0 if top <= 255 else max(top, 65535.0)
    return Image.fromarray(np.clip(values / full * 255, 0, 255).astype(np.uint8))


def _flatten(image: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", image.size, (*NEUTRAL_GREY, 255))
    return Image.alpha_composite(ground, image).convert("RGB")


def _to_srgb(image: Image.Image) -> Image.Image:
    """Apply the embedded colour profile; one that is damaged is ignored, as browsers do."""
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, own, srgb, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            return image.convert("RGB")
        return converted if converted is not None else image.convert("RGB")
    return image.convert("RGB")
