"""The gallery, lived in: people who talk, one real round, its flags, a gold standard, a release.

Made once for a whole module, since nothing else gives every page something to show.
"""

import os
from dataclasses import dataclass
from uuid import uuid4

import numpy as np
import pytest
from django.core.cache import cache
from django.test import Client

from lenticular.accounts.models import User
from lenticular.accounts.services import change_display_name, create_user, volunteer_of
from lenticular.classifications.models import Arm
from lenticular.classify.services import record_classification
from lenticular.community import moderating, services
from lenticular.community.models import Collection, Comment
from lenticular.releases.services import make_release
from lenticular.review.drawing import draw_spot_checks
from lenticular.review.selectors import flags_to_review
from lenticular.review.services import make_gold_standard, record_verdict
from lenticular.rounds import services as rounds
from lenticular.rounds import work
from lenticular.rounds.models import MislabelFlag, Round, RoundState
from lenticular.rounds.tasks import run_round
from lenticular.selection.models import Lease
from tests.browser import gallery

GALAXIES = (*gallery.INDICES, *(n for n in range(60) if n not in gallery.INDICES))
SMOOTH = [("smooth-or-featured", "smooth"), ("how-rounded", "round"), ("merging", "none")]
BARRED = [
    ("smooth-or-featured", "featured-or-disk"), ("disk-edge-on", "no"), ("bar", "strong"),
    ("has-spiral-arms", "no"), ("bulge-size", "moderate"), ("merging", "none"),
]  # fmt: skip
CONFIG = {
    "folds": 2,
    "review_at_least": 4,
    "batch": 20,
    "min_training_subjects": 20,
    "train": {
        "encoder": "test_resnet",
        "crop_fraction": 1.0,
        "epochs": 2,
        "steps_per_epoch": 8,
        "predict_batch_size": 50,
        "average_views": 1,
        "pretrain_steps": 4,
    },
}
WORKER = "machine-1"


@dataclass
class LivedIn:
    """What the table of pages reaches for."""

    sky: gallery.Sky
    people: dict[str, User]
    own: Collection
    listed: Collection
    empty: Collection
    comments: list[Comment]
    flag: MislabelFlag
    judged: MislabelFlag
    spot_check: MislabelFlag
    running: Round

    def addresses(self) -> dict[str, object]:
        """Return what may stand in an address of the table."""
        return {
            "hero": self.sky.subjects[0].pk,
            "unseen": self.sky.subjects[20].pk,
            "own": self.own.token,
            "listed": self.listed.token,
            "empty": self.empty.token,
            "comment": self.comments[0].pk,
            "own_comment": self.comments[2].pk,
            "flag": self.flag.pk,
            "judged": self.judged.pk,
            "spot_check": self.spot_check.pk,
        }

    def prepare(self) -> None:
        """Have the worker be alive and the galaxy of practice be next, however late it is."""
        work.beat_heart(round_id=self.running.pk, worker=WORKER)
        annie = volunteer_of(user=self.people["annie"])
        Lease.objects.filter(volunteer=annie).delete()
        gallery.serve(self.sky, self.people["annie"], self.sky.subjects[9])
        Lease.objects.filter(volunteer=annie).update(arm=Arm.PRACTICE)


def build() -> LivedIn:
    """Build it all through the services."""
    cache.clear()
    side = 424 if os.environ.get("LENTICULAR_SCREENSHOTS") else 212
    sky = gallery.build(indices=GALAXIES, side=side, planted=4)
    names = ("vera", "grace", "annie", "newcomer", "done")
    people = {name: create_user(username=name, password=gallery.PASSWORD) for name in names}
    people |= {
        "volunteer": sky.volunteer, "expert": sky.expert,
        "astronomer": sky.astronomer, "admin": sky.admin,
    }  # fmt: skip
    change_display_name(user=people["vera"], display_name="Vera Cooper")
    _learn(sky)
    for name in ("volunteer", "vera", "grace", "annie"):
        classify(sky, people[name], *sky.subjects[:8])
    classify(sky, people["done"], *sky.subjects)
    make_gold_standard(
        version=sky.workflow.current_version, subject=sky.subjects[9], expert=sky.expert,
        annotations=BARRED, explanation="Look for the straight bright line through the middle.",
    )  # fmt: skip
    flag, judged, spot_check = _judge(sky)
    make_release(workflow=sky.workflow, user=sky.astronomer, title="First light")
    running = _start_two_more(sky)
    own, listed, empty = _collect(sky, people)
    comments = _talk(sky, people)
    return LivedIn(sky, people, own, listed, empty, comments, flag, judged, spot_check, running)


def classify(sky, user, *subjects, path=SMOOTH) -> None:
    """Have the user take each of these for the same."""
    gallery.serve(sky, user, *subjects)
    for subject in subjects:
        record_classification(
            volunteer=volunteer_of(user=user), uuid=uuid4(), subject_id=subject.pk,
            version_id=sky.workflow.current_version.pk, annotations=path,
        )  # fmt: skip


def session_of(user: User, url: str) -> dict[str, str]:
    """Return the cookie of a browser in which the user is signed in."""
    client = Client()
    client.force_login(user)
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}


def _start(sky) -> Round:
    """Start a round that no worker hears of."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "enqueue_round", lambda *, round_id: None)
        return rounds.start_round(workflow=sky.workflow, user=sky.admin, config=CONFIG, seed=7)


def _learn(sky) -> None:
    round_ = _start(sky)
    run_round(round_.pk)
    round_.refresh_from_db()
    assert (round_.state, round_.error) == (RoundState.SUCCEEDED, "")


def _judge(sky) -> tuple[MislabelFlag, MislabelFlag, MislabelFlag]:
    """Judge a flag and some spot checks; return a flag, the one judged, and a spot check."""
    flag, judged = flags_to_review(state="open")[:2]
    record_verdict(
        flag=judged, expert=sky.expert, state="votes-right", note="A ring, seen at an angle."
    )
    draw_spot_checks(round=flag.round, expert=sky.expert, rng=np.random.default_rng(1))
    spot_check, *others = flags_to_review(kind="spot-checks")[:25]
    for each in others:
        record_verdict(flag=each, expert=sky.expert, state="votes-right")
    return flag, judged, spot_check


def _start_two_more(sky) -> Round:
    """Leave a round that failed; return one that is running."""
    for fails in (True, False):
        round_ = _start(sky)
        work.claim_round(round_id=round_.pk, worker=WORKER)
        work.record_provenance(round_id=round_.pk, worker=WORKER, votes=458, devices=["cpu"])
        for stage, fraction in (("snapshot", 1.0), ("train", 0.4)):
            work.report_progress(
                round_id=round_.pk, worker=WORKER, stage=stage, fraction=fraction,
                message="epoch 2 of 5" if stage == "train" else "60 galaxies",
            )  # fmt: skip
        if fails:
            error = "the disk must have 2 GB free, has 1 GB"
            work.fail_round(round_id=round_.pk, worker=WORKER, stage="train", error=error)
    return round_


def _collect(sky, people) -> list[Collection]:
    made = [
        services.create_collection(volunteer=volunteer_of(user=people[owner]), name=name, **more)
        for owner, name, more in (
            ("volunteer", "Rings and almost rings", {}),
            ("grace", "Seen from the side", {"description": "Thin disks.", "is_listed": True}),
            ("volunteer", "For later", {}),
        )
    ]
    for subject in sky.subjects[:7]:
        services.set_favourite(
            volunteer=volunteer_of(user=sky.volunteer), subject_id=subject.pk, favourite=True
        )
        for owner, collection in zip((sky.volunteer, people["grace"]), made, strict=False):
            services.add_to_collection(
                volunteer=volunteer_of(user=owner), collection=collection, subject_id=subject.pk
            )
    return made


def _talk(sky, people) -> list[Comment]:
    said = (
        ("vera", "Is that a ring, or two arms that meet?"),
        ("grace", "Cheap telescopes at https://example.org/shop <b>now</b>"),
        ("volunteer", "The bar is faint, but it is there."),
        ("annie", "@volunteer: I see it too, a little to the left."),
    )
    comments = [
        services.post_comment(author=people[name], subject_id=sky.subjects[0].pk, text=text)
        for name, text in said
    ]
    services.report_comment(
        comment_id=comments[1].pk, reporter=people["vera"], reason="spam", note="A strange address"
    )
    moderating.moderate_comment(
        comment_id=comments[3].pk, moderator=sky.expert, act="dismiss", reason="Kind and on topic"
    )
    return comments
