"""What others measured of galaxies before networks: moments, concentration and HOG."""

import numpy as np

CELL, ORIENTATIONS = 8, 9


def shape_and_hog(images):
    """Return features (n, D) of images (n, size, size, 3): moments, colours, light, HOG."""
    grey = np.asarray(images, dtype=np.float64).mean(axis=3) / 255
    return np.concatenate([_moments(grey), _light(grey), _colours(images), hog(grey)], axis=1)


def hog(grey):
    """Return histograms of oriented gradients (Dalal & Triggs 2005), in blocks of 2 x 2 cells."""
    down, across = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(down, across)
    place = np.mod(np.arctan2(down, across), np.pi) / np.pi * ORIENTATIONS
    lower = np.floor(place).astype(int)
    share = place - lower
    number, cells = len(grey), grey.shape[1] // CELL
    histogram = np.zeros((number, cells, cells, ORIENTATIONS))
    for orientation in range(ORIENTATIONS):
        weight = (lower % ORIENTATIONS == orientation) * (1 - share)
        weight += ((lower + 1) % ORIENTATIONS == orientation) * share
        summed = (weight * strength).reshape(number, cells, CELL, cells, CELL).sum(axis=(2, 4))
        histogram[..., orientation] = summed
    corners = [histogram[:, y : cells - 1 + y, x : cells - 1 + x] for y in (0, 1) for x in (0, 1)]
    blocks = np.concatenate(corners, axis=3)
    blocks /= np.sqrt((blocks**2).sum(axis=3, keepdims=True) + 1e-4)
    return blocks.reshape(number, -1)


def _moments(grey):
    """Return Hu's seven invariants, on a log scale with their sign, and the elongation."""
    y, x = np.indices(grey.shape[1:]) - (grey.shape[1] - 1) / 2
    total = grey.sum(axis=(1, 2)) + 1e-9
    x = x - (grey * x).sum(axis=(1, 2), keepdims=True) / total[:, None, None]
    y = y - (grey * y).sum(axis=(1, 2), keepdims=True) / total[:, None, None]

    def eta(p, q):
        return (grey * x**p * y**q).sum(axis=(1, 2)) / total ** (1 + (p + q) / 2)

    n20, n02, n11, n30, n03, n21, n12 = (
        eta(*each) for each in ((2, 0), (0, 2), (1, 1), (3, 0), (0, 3), (2, 1), (1, 2))
    )
    a, b, c, d = n30 + n12, n21 + n03, n30 - 3 * n12, 3 * n21 - n03
    hu = [
        n20 + n02,
        (n20 - n02) ** 2 + 4 * n11**2,
        c**2 + d**2,
        a**2 + b**2,
        c * a * (a**2 - 3 * b**2) + d * b * (3 * a**2 - b**2),
        (n20 - n02) * (a**2 - b**2) + 4 * n11 * a * b,
        d * a * (a**2 - 3 * b**2) - c * b * (3 * a**2 - b**2),
    ]
    elongation = np.sqrt(np.maximum(hu[1], 0)) / (hu[0] + 1e-9)
    return np.stack([np.sign(h) * np.log1p(np.abs(h) * 1e3) for h in hu] + [elongation], axis=1)


def _light(grey):
    """Return concentration, asymmetry under half a turn, Gini and growth of the light."""
    size = grey.shape[1]
    y, x = np.indices(grey.shape[1:]) - (size - 1) / 2
    radius = np.hypot(x, y) / (size / 2)
    total = grey.sum(axis=(1, 2)) + 1e-9
    growth = [(grey * (radius < r)).sum(axis=(1, 2)) / total for r in (0.1, 0.2, 0.3, 0.5, 0.8)]
    asymmetry = np.abs(grey - grey[:, ::-1, ::-1]).sum(axis=(1, 2)) / total
    ordered = np.sort(grey.reshape(len(grey), -1), axis=1)
    rank = np.arange(1, ordered.shape[1] + 1)
    gini = ((2 * rank - len(rank) - 1) * ordered).sum(axis=1) / (total * (len(rank) - 1))
    return np.stack([*growth, asymmetry, gini, np.log(total)], axis=1)


def _colours(images):
    centre = images.shape[1] // 4
    inner = images[:, centre:-centre, centre:-centre].reshape(len(images), -1, 3).mean(axis=1)
    whole = images.reshape(len(images), -1, 3).mean(axis=1)
    return np.concatenate([inner, whole], axis=1) / 255
