"""One small world for the tests, built only through services.

Twelve drawn galaxies of one survey, a tree of two questions, an account of every role,
two anonymous volunteers, and a few classifications.
"""

import random
from dataclasses import dataclass, field
from io import BytesIO
from uuid import UUID, uuid4

from PIL import Image, ImageDraw

from lenticular.accounts.models import Role, User, Volunteer
from lenticular.accounts.services import create_anonymous_volunteer, create_user, volunteer_of
from lenticular.classifications.models import Classification, Kind
from lenticular.classifications.services import append_classification
from lenticular.classify.services import Recorded, record_classification
from lenticular.selection.services import fill_queue, lease_subjects
from lenticular.subjects.models import Subject, SubjectSet, Survey
from lenticular.subjects.services import (
    add_subject,
    get_or_create_subject_set,
    get_or_create_survey,
)
from lenticular.workflows.models import Workflow
from lenticular.workflows.services import create_workflow
from mlcore.tree import DecisionTree

PASSWORD = "a-galaxy-of-words"
SIZE = 12

SMOOTH_ROUND = [("shape", "smooth"), ("roundness", "round")]
SMOOTH_LONG = [("shape", "smooth"), ("roundness", "elongated")]
FEATURED = [("shape", "featured")]
ARTIFACT = [("shape", "artifact")]
PATHS = (SMOOTH_ROUND, SMOOTH_LONG, FEATURED, ARTIFACT)


def small_tree(slug="shapes"):
    """Return a tree of two questions, of which one answer in three ends at an artifact."""
    texts = {
        "shape": ("Is the galaxy smooth?", "這個星系平滑嗎？"),
        "roundness": ("How round is it?", "它有多圓？"),
    }
    answers = {
        "shape": [
            {"slug": "smooth", "next": "roundness", "icon": "smooth"},
            {"slug": "featured", "icon": "featured"},
            {"slug": "artifact", "icon": "artifact", "artifact": True},
        ],
        "roundness": [{"slug": "round"}, {"slug": "elongated"}],
    }
    questions = [
        {
            "slug": question,
            "text": {"en": english, "zh-hant": chinese},
            "answers": [
                {"text": {"en": answer["slug"].capitalize()}, **answer}
                for answer in answers[question]
            ],
        }
        for question, (english, chinese) in texts.items()
    ]
    return DecisionTree.from_dict(
        {"slug": slug, "name": "Shapes", "start": "shape", "questions": questions}
    )


def galaxy_png(number, side=64):
    """Draw one galaxy: an ellipse whose shape and hue follow from its number."""
    image = Image.new("RGB", (side, side), "black")
    height = side // 8 + (number * 5) % (side // 3)
    middle = side // 2
    box = (side // 6, middle - height, side - side // 6, middle + height)
    ImageDraw.Draw(image).ellipse(box, fill=(255, 160 + number % 90, 90 + number * 7 % 150))
    content = BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


@dataclass
class Universe:
    """What tests reach for; every object is as the services made it."""

    survey: Survey
    subject_set: SubjectSet
    subjects: list[Subject]
    workflow: Workflow
    volunteer_user: User
    expert: User
    astronomer: User
    admin: User
    volunteer: Volunteer
    anonymous: Volunteer
    other_anonymous: Volunteer
    recorded: list[Recorded] = field(default_factory=list)

    @property
    def version(self):
        return self.workflow.current_version

    @property
    def tree(self):
        return self.version.tree


def build_universe(*, votes=True, **rules) -> Universe:
    """Build the world; `rules` replace the workflow's, and `votes=False` leaves the log empty."""
    survey = get_or_create_survey(slug="drawn", name="Drawn galaxies")
    subject_set = get_or_create_subject_set(survey=survey, slug="first", name="First light")
    subjects = [_subject(survey, subject_set, number) for number in range(SIZE)]
    rules = {
        "control_panel": 0.25,
        "control_share": 0.2,
        "retirement_votes": 3,
        "artifact_votes": 2,
        **rules,
    }
    workflow = create_workflow(
        slug="shapes", name="Shapes", tree=small_tree(), subject_sets=[subject_set], **rules
    )
    fill_queue(workflow=workflow)
    users = {role: create_user(username=f"a-{role}", password=PASSWORD, role=role) for role in Role}
    universe = Universe(
        survey=survey,
        subject_set=subject_set,
        subjects=subjects,
        workflow=workflow,
        volunteer_user=users[Role.VOLUNTEER],
        expert=users[Role.EXPERT],
        astronomer=users[Role.ASTRONOMER],
        admin=users[Role.ADMIN],
        volunteer=volunteer_of(user=users[Role.VOLUNTEER]),
        anonymous=create_anonymous_volunteer(),
        other_anonymous=create_anonymous_volunteer(),
    )
    if votes:
        universe.recorded = [
            recorded
            for volunteer, count in ((universe.volunteer, 4), (universe.anonymous, 3))
            for recorded in classify(universe, volunteer, count)
        ]
    return universe


def _subject(survey, subject_set, number) -> Subject:
    subject, _ = add_subject(
        survey=survey,
        external_id=f"galaxy-{number:03}",
        image=galaxy_png(number),
        ra=10.0 + number,
        dec=-20.0 + number,
        metadata={"band": "gri"},
        hidden_metadata={"truth": "smooth" if number % 2 else "featured"},
        subject_sets=[subject_set],
    )
    return subject


def classify(universe, volunteer, count=1, paths=(SMOOTH_ROUND, FEATURED, SMOOTH_LONG), seed=7):
    """Have a volunteer be served `count` subjects and answer them, paths taken in turn."""
    leases = lease_subjects(
        workflow=universe.workflow, volunteer=volunteer, count=count, rng=random.Random(seed)
    )
    return [
        answer(universe, volunteer, lease.subject, paths[place % len(paths)])
        for place, lease in enumerate(leases)
    ]


def answer(universe, volunteer, subject, path=SMOOTH_ROUND, uuid: UUID | None = None) -> Recorded:
    """Record one classification of a subject that was served before."""
    return record_classification(
        volunteer=volunteer,
        uuid=uuid or uuid4(),
        version_id=universe.version.pk,
        subject_id=subject.pk,
        annotations=path,
    )


def give_gold(universe, subject, path=SMOOTH_ROUND) -> Classification:
    """Have the expert classify a subject as a gold standard."""
    classification, _ = append_classification(
        uuid=uuid4(),
        version=universe.version,
        subject=subject,
        volunteer=volunteer_of(user=universe.expert),
        path=universe.tree.validate(path),
        kind=Kind.EXPERT,
        gold_standard=True,
    )
    return classification


def reload_universe() -> Universe:
    """Return the world that `build_universe` left in this database, for another process."""
    users = {user.role: user for user in User.objects.all()}
    anonymous = Volunteer.objects.filter(user=None).order_by("pk")
    return Universe(
        survey=Survey.objects.get(),
        subject_set=SubjectSet.objects.get(),
        subjects=list(Subject.objects.order_by("pk")),
        workflow=Workflow.objects.select_related("current_version").get(),
        volunteer_user=users[Role.VOLUNTEER],
        expert=users[Role.EXPERT],
        astronomer=users[Role.ASTRONOMER],
        admin=users[Role.ADMIN],
        volunteer=volunteer_of(user=users[Role.VOLUNTEER]),
        anonymous=anonymous[0],
        other_anonymous=anonymous[1],
    )
