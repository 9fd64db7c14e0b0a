"""A handsome little world for the browser: drawn galaxies and the tree of Galaxy Zoo DECaLS."""

import random
import sqlite3
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.utils import timezone
from PIL import Image

from lenticular.accounts.models import Role, User
from lenticular.accounts.services import create_anonymous_volunteer, create_user, volunteer_of
from lenticular.classifications.models import Arm
from lenticular.classify.services import record_classification
from lenticular.selection.models import Lease
from lenticular.selection.services import fill_queue, lease_subjects
from lenticular.subjects.models import Subject
from lenticular.subjects.services import (
    add_subject,
    get_or_create_subject_set,
    get_or_create_survey,
)
from lenticular.workflows.models import Workflow
from lenticular.workflows.services import create_workflow
from mlcore.simulate.answers import answer_fractions
from mlcore.simulate.galaxies import draw_truth
from mlcore.simulate.render import render
from mlcore.tree import DecisionTree

PASSWORD = "a-galaxy-of-words"
SEED = 5
HERO = 51
INDICES = (HERO, 0, 2, 23, 34, 37, 42, 71, 87, 89, 100, 119, 136, 142, 159, 175, 177, 178)
PAGE = "/classify/drawn/"


@dataclass
class Sky:
    """What the browser tests reach for; `seen` is the galaxy that people take each for."""

    workflow: Workflow
    subjects: list[Subject]
    seen: dict[int, int]
    volunteer: User
    expert: User
    astronomer: User
    admin: User


_KEPT = {}


def world(**given) -> Sky:
    """Return the world of `build`, built once and then laid back into the empty tables."""
    if connection.vendor != "sqlite":
        return build(**given)
    # What is counted by the day must be of today.
    key = (tuple(sorted(given.items())), settings.MEDIA_ROOT, timezone.localdate())
    if key in _KEPT:
        tables, sky = _KEPT[key]
        connection.ensure_connection()
        tables.backup(connection.connection)
        ContentType.objects.clear_cache()
    else:
        sky, tables = build(**given), sqlite3.connect(":memory:", check_same_thread=False)
        connection.connection.backup(tables)
        _KEPT[key] = tables, sky
    return deepcopy(sky)


def build(indices=INDICES, volunteers=5, side=424, planted=0) -> Sky:
    """Build the world through the services; the first subject is the handsomest.

    The last `planted` galaxies are taken for the first ones by everybody.
    """
    survey = get_or_create_survey(slug="drawn", name="Drawn galaxies")
    subject_set = get_or_create_subject_set(survey=survey, slug="gallery", name="Gallery")
    subjects = [_subject(survey, subject_set, index, side) for index in indices]
    tree = DecisionTree.from_file(Path(settings.ROOT) / "fixtures" / "trees" / "gz-decals-5.json")
    workflow = create_workflow(
        slug="drawn",
        name="Drawn galaxies",
        tree=tree,
        subject_sets=[subject_set],
        control_panel=0.25,
    )
    fill_queue(workflow=workflow)
    people = [create_user(username=f"a-{role}", password=PASSWORD, role=role) for role in Role]
    seen = [*indices[: len(indices) - planted], *indices[:planted]]
    by_subject = {subject.pk: index for subject, index in zip(subjects, seen, strict=True)}
    sky = Sky(workflow, subjects, by_subject, *people)
    _vote(sky, volunteers)
    return sky


def _subject(survey, subject_set, index, side) -> Subject:
    truth = draw_truth(SEED, index)
    subject, _ = add_subject(
        survey=survey,
        external_id=f"J{truth.ra:08.4f}{truth.dec:+08.4f}",
        image=_picture(index, side),
        ra=truth.ra,
        dec=truth.dec,
        metadata={"redshift": round(truth.redshift, 3), "magnitude": round(truth.magnitude, 2)},
        hidden_metadata={"truth": truth.kind},
        subject_sets=[subject_set],
    )
    return subject


@cache
def _picture(index, side=424) -> bytes:
    content = BytesIO()
    Image.fromarray(render(draw_truth(SEED, index), side)).save(content, "PNG")
    return content.getvalue()


def _vote(sky, volunteers) -> None:
    """Have a few people answer, each as the galaxy deserves."""
    rng = random.Random(1)
    for _ in range(volunteers):
        volunteer = create_anonymous_volunteer()
        left = len(sky.subjects)
        while left > 0:
            count = min(left, 50)
            leases = lease_subjects(
                workflow=sky.workflow, volunteer=volunteer, count=count, rng=rng
            )
            for lease in leases:
                _answer(sky, volunteer, lease.subject_id, rng)
            left = left - count if leases else 0


def _answer(sky, volunteer, subject_id, rng) -> None:
    version = sky.workflow.current_version
    tree, steps = version.tree, []
    fractions = answer_fractions(draw_truth(SEED, sky.seen[subject_id]), tree)
    question = tree.question(tree.start)
    while question is not None:
        weights = fractions[tree.question_slices[question.slug]]
        chosen = rng.choices(question.answers, weights)[0]
        steps.append((question.slug, chosen.slug))
        question = tree.question(chosen.next) if chosen.next else None
    record_classification(
        volunteer=volunteer,
        uuid=uuid4(),
        version_id=version.pk,
        subject_id=subject_id,
        annotations=steps,
    )


def serve(sky, user, *subjects) -> None:
    """Have these galaxies be the ones that the user is shown first."""
    for subject in subjects:
        Lease.objects.create(
            workflow=sky.workflow,
            subject=subject,
            volunteer=volunteer_of(user=user),
            arm=Arm.ACTIVE,
            selection_probability=0.05,
            expires_at=timezone.now() + timedelta(hours=1),
        )
