"""Regions of interest: masks and rectangles of the picture as shown, to the weights that `encode` takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacre.codec.container import Limits
from nacre.codec.pictures import turned
from nacre.codec.pictures.colour import Picture
from nacre.codec.pictures.reading import Source, read_picture
from nacre.codec.pictures.turned import Box
from nacre.entropy.errors import ImageError

LEAST_WEIGHT = 1 / 16  # of squared errors outside the region of interest


def read_mask(source: Source, *, limits: Limits = Limits()) -> NDArray[np.float64]:
    """Read a mask from a picture file: (H, W) from 0 to 1, as the picture is shown.

    Colours are averaged, and multiplied by transparency. Raises the errors of `read_picture`, and ImageError
    for a mask that is black everywhere.
    """
    picture = read_picture(source, limits=limits)
    mask: NDArray[np.float64] = picture.pixels.mean(2) / np.iinfo(picture.pixels.dtype).max
    if picture.alpha is not None:
        mask = mask * (picture.alpha / np.iinfo(picture.alpha.dtype).max)
    if not mask.any():
        raise ImageError("it is black everywhere")
    return turned.shown(mask, picture.orientation)


def roi_weights(roi: Box | NDArray[np.floating], picture: Picture) -> NDArray[np.float32]:
    """Weights of squared errors, (H, W) as the pixels of `picture` are stored: `encode(picture, roi=...)`.

    `roi` is a rectangle (x, y, width, height) in pixels, or a mask (H, W) from 0 to 1, both of the picture
    as it is shown, that is, with its orientation applied. The weight is LEAST_WEIGHT where the mask is 0 and
    1 where it is 1; between them its logarithm is linear in the mask.

    Raises ImageError for a rectangle outside the picture and for a mask of another size.
    """
    height, width = picture.pixels.shape[:2]
    width, height = turned.shown_size(width, height, picture.orientation)
    if isinstance(roi, tuple):
        x, y, w, h = roi
        mask: NDArray[np.floating] = np.zeros((height, width), np.float32)
        mask[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)] = 1
        if not mask.any():
            raise ImageError(f"outside the {width}x{height} pixels")
    else:
        mask = np.asarray(roi)
        if mask.shape != (height, width):
            found = "x".join(map(str, mask.shape[::-1]))
            raise ImageError(f"{found}, the picture {width}x{height}")
    stored = turned.stored(mask, picture.orientation)
    return np.power(LEAST_WEIGHT, 1 - stored).astype(np.float32)
