"""What the image cache costs a survey that grows by a hundredth, and one that does not.

Real galaxies where they are beside the project, else noise. Seconds are of processor time: how
many threads decode is the machine's number of cores.
"""

import tempfile
import time
from pathlib import Path

import training_speed

from mlcore import images
from mlcore.train_config import TrainConfig

TITLE = "The image cache of a survey that grows by 1% (default size and crop)"
SHARE = 100


def table():
    """Return one row for each build."""
    with tempfile.TemporaryDirectory() as folder:
        paths = _pictures(Path(folder))
        most = paths[: len(paths) - len(paths) // SHARE]
        kept, fresh = Path(folder, "kept"), Path(folder, "fresh")
        builds = {
            "from nothing": (most, kept),
            "the same again": (most, kept),
            "1% more": (paths, kept),
            "all in another order": (paths[::-1], kept),
            "1% more, from nothing": (paths, fresh),
        }
        return [_row(name, *given) for name, given in builds.items()]


def _pictures(folder):
    real = sorted((training_speed.REAL / "sdss_gz1" / "images").glob("*.jpg"))
    return [path.resolve() for path in real] or training_speed._pictures(folder)


def _row(name, paths, directory):
    config, decode, decoded = TrainConfig(), images.decode_image, []

    def counted(path):
        decoded.append(path)
        return decode(path)

    images.decode_image = counted
    wall, processor = time.monotonic(), time.process_time()
    images.ImageCache.build(
        paths,
        [path.stem for path in paths],
        directory,
        size=config.image_size,
        crop_fraction=config.crop_fraction,
    )
    wall, processor = time.monotonic() - wall, time.process_time() - processor
    images.decode_image = decode
    return {
        "build": name,
        "images": f"{len(paths):,}",
        "decoded": f"{len(decoded):,}",
        "seconds": f"{wall:.2f}",
        "processor seconds": f"{processor:.2f}",
    }
