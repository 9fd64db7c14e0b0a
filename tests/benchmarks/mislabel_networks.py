"""What a review of the flagged is worth to a round's own model, on real galaxies.

As in `mislabel_reviews`: confusable flips on 2.5% of the labels of sdss_gz1's "judged" part, of
which the 5% most suspect are reviewed. Here the network of a round, with its default settings,
learns from the labels as given and as mended, five votes each that agree, alone and with
look-alikes. It answers for the "chosen-on" part, by the published labels, and, as Cheng et al.
measured, by labels that were spoilt and reviewed in the same way. Its encoder is pretrained on the
images that it learns from. The two networks of a seed begin alike.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import _galaxies
import numpy as np
from _mislabel_trials import question_of
from _planted import REAL, Galaxies, real_galaxies
from mislabel_reviews import reviewed
from mislabels import interval

import mlcore.cnn  # noqa: F401 - before torch
from mlcore.images import ImageCache
from mlcore.simulate.replay_folder import read_labelled_folder
from mlcore.train_config import TrainConfig

TITLE = "What a review is worth to a round's own model (sdss_gz1, confusable flips)"
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "8"))
KIND, CONFIG = "confusable flips", TrainConfig()
MODELS = ("network alone", "with look-alikes")


def table():
    """Return a row for the network alone, and one for it with look-alikes."""
    surveys = real_galaxies(), real_galaxies("chosen-on")
    if None in surveys:
        return [{"model": f"not measured: {REAL / 'sdss_gz1'} is not there"}]
    with _galaxies.working_folder() as folder:
        retraining = Retraining(folder, *surveys, CONFIG)
        found = np.array([retraining.accuracies(seed) for seed in range(SEEDS)])
    return [row_of(name, found[:, place]) for place, name in enumerate(MODELS)]


def row_of(name, accuracies):
    """Return the row of a model's accuracies (seeds, 4); see `scored`."""
    before, after, given, mended = accuracies.T
    return {
        "model": name,
        "labels as given": f"{before.mean():.4f}",
        "mended": f"{after.mean():.4f}",
        "gain": interval(after - before, 4),
        "as Cheng et al.": f"{given.mean():.4f} to {mended.mean():.4f}",
        "gain so": interval(mended - given, 4),
        "seeds": str(len(accuracies)),
    }


def scored(before, after, theirs):
    """Return four accuracies of answers (n,) from labels as given and as mended.

    By the true labels each, then the first by the labels as given, the second by those as mended.
    """
    pairs = [(before, theirs.true), (after, theirs.true)]
    pairs += [(before, theirs.given), (after, theirs.mended)]
    return [float(np.mean(said == labels)) for said, labels in pairs]


@dataclass(frozen=True)
class Retraining:
    """The survey that is learnt from and the one that is asked about; answers are kept."""

    folder: Path
    known: Galaxies
    asked: Galaxies
    config: TrainConfig

    def accuracies(self, seed):
        """Return the accuracies (2, 4) of a seed: of both models, as `scored` has them."""
        ours, theirs = (reviewed(each, KIND, seed) for each in (self.known, self.asked))
        said = [
            self._answers(f"{name}-{seed}", labels, seed)
            for name, labels in (("given", ours.given), ("mended", ours.mended))
        ]
        found = [scored(*both, theirs) for both in zip(*said, strict=True)]
        print(seed, *np.round(found, 4).tolist(), file=sys.stderr, flush=True)
        return found

    def _answers(self, name, labels, seed):
        """Return both models' answers (2, n), taught by labels (m,)."""
        kept = self.folder / f"answers-{name}.npy"
        if not kept.is_file():
            models = self.learnt(name, labels, seed)
            np.save(kept, [_said(model, self._images(self.asked)) for model in models])
        return np.load(kept)

    def learnt(self, name, labels, seed):
        """Return a network taught by labels (m,), alone and with look-alikes."""
        from mlcore.cnn.pretrain import pretrain
        from mlcore.cnn.train import train

        images, config, rows = self._images(self.known), self.config, np.arange(len(labels))
        tree = question_of(self.known.n_classes)
        votes = _galaxies.VOTES * np.eye(self.known.n_classes)[labels]
        encoder = pretrain(images, config, directory=self.folder / "pretrained", seed=0)
        alone = train(
            images,
            rows,
            votes,
            tree,
            config,
            directory=self.folder / f"trained-{name}",
            seed=seed,
            start_from=encoder,
        )
        both = _galaxies.with_lookalikes(alone, images, rows, votes, encoder=encoder, seed=seed)
        return alone, both

    def _images(self, galaxies):
        found = read_labelled_folder(REAL / "sdss_gz1").galaxies
        paths = {each.id_str: each.image.resolve() for each in found}
        return ImageCache.build(
            [paths[name] for name in galaxies.ids],
            list(galaxies.ids),
            self.folder / f"images-{len(galaxies.ids)}",
            size=self.config.image_size,
            crop_fraction=self.config.crop_fraction,
        )


def _said(model, images):
    from mlcore.cnn.predict import predict

    return predict(model, images, np.arange(len(images))).concentrations.argmax(axis=1)
