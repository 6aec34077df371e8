"""Finds a sheet of paper on a dark table, and makes the table as bright as the paper's edge."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from .decode import Grey, shrink
from .threshold import Mask, otsu

VIEW = 160
"""Pixels of the longer side of the copy in which the sheet is looked for."""
MIN_SIDE = 0.35
"""Sides of a sheet, as a share of the picture's."""
MIN_AREA, MAX_AREA = 0.15, 0.97
"""Share of the picture that a sheet fills; the rest is table."""
MAX_TABLE = 0.62
"""Brightness of the table beside a sheet, as a share of the paper's."""
MIN_OUTLINE = 0.85
"""Share of a sheet's outline at which the brightness falls so far."""
CONVEX = 0.96
"""Share of its rows and columns, from end to end, that a sheet fills."""
MAX_INK = 0.12
"""Share of a sheet that is as dark as the table; more is the hole of a light 0."""
EDGE = 3
"""Pixels of the copy that belong to the blurred edge of the sheet."""
GRAIN = 9
"""Pixels of the copy: what is narrower belongs to the table."""


def lay_out(levels: Grey) -> tuple[Grey, tuple[int, int]]:
    """Return the sheet, without table around it, and its place from top and left.

    A picture without a sheet on a table is returned whole.
    """
    view = shrink(levels, VIEW)
    if min(view.shape) < VIEW // 3:
        return levels, (0, 0)
    mask = _sheet(ndimage.gaussian_filter(view, 1))
    if mask is None:
        return levels, (0, 0)
    inner = ndimage.binary_erosion(mask, iterations=EDGE, border_value=1)
    if not inner.any():
        return levels, (0, 0)
    size = levels.shape[1], levels.shape[0]
    nearest = ndimage.distance_transform_edt(~inner, return_distances=False, return_indices=True)
    paper = ndimage.gaussian_filter(ndimage.maximum_filter(view, 5), 1)[tuple(nearest)]
    weight = np.asarray(Image.fromarray(inner.astype(np.float32)).resize(size))
    around = np.asarray(Image.fromarray(paper).resize(size))
    laid: Grey = weight * levels + (1 - weight) * around
    rows, columns = ndimage.find_objects((weight > 0).astype(np.int8))[0]
    return laid[rows, columns], (rows.start, columns.start)


def _sheet(view: Grey) -> Mask | None:
    """Return where the sheet is: the largest bright region that is convex and has an outline.

    Logarithms are compared: a shadow on paper is nearer to paper in them than a table is. Otsu's
    threshold may divide the paper by a shadow; then a lower one divides paper and table.
    """
    depth = np.log(np.maximum(view, 1 / 64))
    middle = _cut(depth)
    cuts = _cut(depth[depth < middle]), middle, _cut(depth[depth >= middle])
    found = [_region(depth >= cut) for cut in cuts]
    sheets = [
        region
        for region, cut in zip(found, cuts, strict=True)
        if region.any() and _is_sheet(region, depth >= cut, view)
    ]
    return max(sheets, key=np.sum, default=None)


def _region(is_bright: Mask) -> Mask:
    """Return the largest bright region, without holes and without what is narrow.

    `binary_fill_holes` and `binary_opening` make the same masks, in 3 and 7 times the time.
    """
    outside, _ = ndimage.label(~np.pad(is_bright, 1))
    filled = (outside != 1)[1:-1, 1:-1]
    padded = np.pad(filled, GRAIN, "edge")
    eroded = ndimage.minimum_filter(padded, GRAIN, mode="constant")
    opened = ndimage.maximum_filter(eroded, GRAIN, mode="constant")
    labels, _ = ndimage.label(opened[GRAIN:-GRAIN, GRAIN:-GRAIN])
    region: Mask = labels == 1 + int(np.argmax(np.bincount(labels.ravel(), minlength=2)[1:]))
    return region


def _cut(depth: Grey) -> float:
    """Return Otsu's threshold."""
    if not depth.size:
        return 0.0
    counts, edges = np.histogram(depth, 64)
    return float(edges[otsu(edges[:-1], counts)[0]])


def _is_sheet(region: Mask, is_bright: Mask, view: Grey) -> bool:
    rows, columns = ndimage.find_objects(region.astype(np.int8))[0]
    spans = (rows.stop - rows.start, columns.stop - columns.start)
    if min(a / b for a, b in zip(spans, region.shape, strict=True)) < MIN_SIDE:
        return False
    ink = (region & ~is_bright).sum() / region.sum()
    if not MIN_AREA < region.mean() < MAX_AREA or ink > MAX_INK:
        return False
    near = ndimage.binary_dilation(region, iterations=EDGE + 1)
    beside = near & ~ndimage.binary_dilation(region, iterations=EDGE)
    paper = ndimage.maximum_filter(view, 4 * EDGE + 1)
    if not beside.any() or (view < MAX_TABLE * paper)[beside].mean() < MIN_OUTLINE:
        return False
    return all(region.sum() > CONVEX * _span(turned) for turned in (region, region.T))


def _span(region: Mask) -> int:
    """Return how many pixels lie between the first and the last of each row."""
    some = region[region.any(axis=1)]
    first, last = some.argmax(axis=1), some.shape[1] - some[:, ::-1].argmax(axis=1)
    return int((last - first).sum())
