"""MP4 through imageio-ffmpeg, whose wheel brings the ffmpeg program (extra `video`)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np


def save_mp4(path: Path, draw: Callable[[int], np.ndarray], count: int, fps: float) -> Path:
    """Write the frames draw(k), bytes (height, width, 3) for k < count, as H.264 that every player and browser reads.

    Raises ImportError, which names the extra, where imageio-ffmpeg is missing.
    """
    try:
        import imageio_ffmpeg
    except ImportError:
        raise ImportError('MP4 needs imageio-ffmpeg: pip install "pullback[video]" (a .gif needs nothing)') from None
    first = _even(draw(0))
    size = (first.shape[1], first.shape[0])
    writer = imageio_ffmpeg.write_frames(
        str(path), size, fps=fps, codec="libx264", quality=7, macro_block_size=2, ffmpeg_log_level="error"
    )
    writer.send(None)
    try:
        for k in range(count):
            writer.send(np.ascontiguousarray(_even(draw(k)) if k else first))
    finally:
        writer.close()
    return path


def _even(frame: np.ndarray) -> np.ndarray:
    """H.264 stores colours of two by two pixels: an odd last row or column is left out."""
    return frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]
