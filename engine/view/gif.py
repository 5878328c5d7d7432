"""Animated GIFs with Pillow, which comes with matplotlib.

matplotlib's own PillowWriter picks the 256 colours of each frame anew: surfaces at rest then flicker, and each frame
carries its palette. It also weighs colours by area, so that the many tones of the background displace those of a thin
robot. Here all frames share one palette, taken from a few of them.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

_PALETTE_FRAMES = 6
_EXACT = 48  # so many of the commonest colours, the background's, are kept as they are
_AREA_POWER = 0.3  # a colour on 1000 times as many pixels weighs 8 times as much


def save_gif(path: Path, draw: Callable[[int], np.ndarray], count: int, fps: float) -> Path:
    """Write the frames draw(k), bytes (height, width, 3) for k < count, repeated for ever.

    A few frames are drawn twice, first for the palette: only frames of one byte a pixel are kept in memory.
    """
    chosen = np.unique(np.linspace(0, count - 1, _PALETTE_FRAMES).astype(int))
    palette = _palette(np.concatenate([_packed(draw(int(k))).ravel() for k in chosen]))
    known = np.full(1 << 24, -1, dtype=np.int16)  # colour -> entry of the palette, filled as colours turn up
    images = (_indexed(_packed(draw(k)), palette, known) for k in range(count))
    # GIF counts in hundredths of a second: the ends of the frames are rounded, so that errors do not add up.
    ends = np.round(100.0 / fps * np.arange(count + 1)).astype(int)
    durations = [int(10 * d) for d in np.diff(ends)]
    next(images).save(path, save_all=True, append_images=images, duration=durations, loop=0, optimize=False)
    return path


def _palette(pixels: np.ndarray) -> np.ndarray:
    """256 colours (256, 3) that serve these pixels best: the commonest, and a median cut of all."""
    colours, count = np.unique(pixels, return_counts=True)
    exact = _rgb(colours[np.argsort(-count, kind="stable")[:_EXACT]])
    weighted = _rgb(np.repeat(colours, np.ceil(count**_AREA_POWER).astype(int)))
    cut = Image.fromarray(weighted[None]).quantize(256 - len(exact), method=Image.Quantize.MEDIANCUT)
    return np.concatenate([exact, np.array(cut.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)])[:256]


def _indexed(pixels: np.ndarray, palette: np.ndarray, known: np.ndarray) -> Image.Image:
    """The frame in the nearest colours of the palette. Pillow's own search is coarse and tints plain surfaces."""
    new = np.unique(pixels[known[pixels] < 0])
    colours = palette.astype(np.float32)
    # |c - p|^2 less |c|^2, which is the same for all p; all numbers are integers that float32 holds exactly.
    known[new] = np.argmin((colours**2).sum(axis=1) - 2.0 * _rgb(new).astype(np.float32) @ colours.T, axis=1)
    image = Image.fromarray(known[pixels].astype(np.uint8))
    image.putpalette(palette.tobytes())
    return image


def _packed(frame: np.ndarray) -> np.ndarray:
    """One number for each colour of a frame (height, width, 3)."""
    r, g, b = np.moveaxis(frame.astype(np.int32), -1, 0)
    return (r << 16) + (g << 8) + b


def _rgb(colours: np.ndarray) -> np.ndarray:
    return np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8)
