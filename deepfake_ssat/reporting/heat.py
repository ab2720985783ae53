"""Heat laid over a picture: colours of the heat alone, above the picture in grey.

H W pixels; a heat map has (h, w) cells.
"""

from __future__ import annotations

import cv2
import numpy as np

HEAT_OPACITY = 0.55


def heated(picture: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 and cells in [0, 1] -> (H, W, 3) uint8; the cells are blended into each other."""
    height, width = picture.shape[:2]
    values = (255 * np.clip(cells, 0.0, 1.0)).astype(np.uint8)
    values = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.cvtColor(cv2.applyColorMap(values, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB)
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(colours, HEAT_OPACITY, grey, 1.0 - HEAT_OPACITY, 0.0)
