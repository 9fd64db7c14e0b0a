"""How fast consensus is checked against the log, on SQLite."""

from __future__ import annotations

import os
import random
import tempfile
import time
import uuid
from pathlib import Path

TITLE = "Checking tallies and retirements against the log (SQLite)"
SUBJECTS, VOTES_EACH = 1000, 20
TREE = Path(__file__).parents[2] / "fixtures" / "trees" / "gz-decals-5.json"


def table() -> list[dict[str, str]]:
    """Fill a log, derive everything from it, and time the check of what was derived."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["LENTICULAR_HOME"] = home
        os.environ["DJANGO_SETTINGS_MODULE"] = "lenticular.settings.dev"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        return [_measured(_filled_workflow())]


def _measured(workflow) -> dict[str, str]:
    from lenticular.consensus.services import rebuild_consensus

    begun = time.perf_counter()
    repaired = rebuild_consensus(workflow=workflow, check=False)
    middle = time.perf_counter()
    found = rebuild_consensus(workflow=workflow, check=True)
    seconds = time.perf_counter() - middle
    votes = SUBJECTS * VOTES_EACH
    return {
        "votes in the log": f"{votes:,}",
        "rebuilt from nothing, votes/s": f"{votes / (middle - begun):,.0f}",
        "subjects repaired": f"{len({one.subject_id for one in repaired}):,}",
        "checked, votes/s": f"{votes / seconds:,.0f}",
        "differences left": str(len(found)),
    }


def _filled_workflow():
    """Append random walks of the tree to the log, without deriving anything from them."""
    from lenticular.accounts.models import Volunteer
    from lenticular.classifications.models import Classification
    from lenticular.subjects.models import Subject, Survey
    from lenticular.workflows.services import create_workflow
    from mlcore.tree import DecisionTree

    rng = random.Random(1)
    tree = DecisionTree.from_file(TREE)
    workflow = create_workflow(slug="bench", name="Bench", tree=tree, retirement_votes=15)
    survey = Survey.objects.create(slug="bench", name="Bench")
    subjects = Subject.objects.bulk_create(
        Subject(survey=survey, external_id=str(number)) for number in range(SUBJECTS)
    )
    people = Volunteer.objects.bulk_create(Volunteer() for _ in range(VOTES_EACH))
    for subject in subjects:
        Classification.objects.bulk_create(
            Classification(
                uuid=uuid.UUID(int=rng.getrandbits(128)),
                workflow=workflow,
                version=workflow.current_version,
                subject=subject,
                volunteer=person,
                annotations=_walk(tree, rng),
            )
            for person in people
        )
    return workflow


def _walk(tree, rng: random.Random) -> list[list[str]]:
    path, slug = [], tree.start
    while slug is not None:
        answer = rng.choice(tree.question(slug).answers)
        path.append([slug, answer.slug])
        slug = answer.next
    return path
