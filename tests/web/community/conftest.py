"""People who have classified the same galaxy, and so may talk about it."""

from dataclasses import dataclass

import pytest

from lenticular.accounts.models import User
from lenticular.accounts.services import create_user, volunteer_of
from lenticular.selection.models import Lease
from lenticular.subjects.models import Subject
from tests.universe import PASSWORD, SMOOTH_ROUND, Universe, answer


def classify(universe, volunteer, subject, path=SMOOTH_ROUND):
    """Have a volunteer be served one subject and answer it."""
    entry = Lease.objects.filter(workflow=universe.workflow).first()
    Lease.objects.create(
        workflow=universe.workflow,
        subject=subject,
        volunteer=volunteer,
        arm=entry.arm,
        selection_probability=entry.selection_probability,
        expires_at=entry.expires_at,
    )
    return answer(universe, volunteer, subject, path).classification


@dataclass
class Town:
    """Four accounts that have classified `subject`; nobody has classified `other`."""

    universe: Universe
    subject: Subject
    other: Subject
    author: User
    readers: list[User]


@pytest.fixture
def town(universe):
    heard = {recorded.classification.subject_id for recorded in universe.recorded}
    subject, other = [each for each in universe.subjects if each.pk not in heard][:2]
    people = [
        create_user(username=name, password=PASSWORD) for name in ("vera", "grace", "annie", "ole")
    ]
    for user in people:
        classify(universe, volunteer_of(user=user), subject)
    return Town(universe, subject, other, people[0], people[1:])
