"""The line after an answer tells of the others, and of the machine, and never scores."""

import pytest

from lenticular.classify.echoes import echo_of
from lenticular.selection.models import Lease, QueueEntry
from lenticular.selection.services import lease_subjects
from tests.universe import ARTIFACT, FEATURED, SMOOTH_LONG, SMOOTH_ROUND, answer


@pytest.fixture
def vote(quiet_universe):
    """Have the world's three volunteers answer one galaxy, one after the other."""
    universe = quiet_universe
    volunteers = [universe.volunteer, universe.anonymous, universe.other_anonymous]
    (lease,) = lease_subjects(workflow=universe.workflow, volunteer=volunteers[0], count=1)
    for volunteer in volunteers[1:]:
        Lease.objects.create(
            workflow=universe.workflow,
            subject=lease.subject,
            volunteer=volunteer,
            arm=lease.arm,
            selection_probability=lease.selection_probability,
            expires_at=lease.expires_at,
        )

    def answer_all(*paths):
        pairs = zip(volunteers, paths, strict=False)
        return [
            answer(universe, volunteer, lease.subject, path).classification
            for volunteer, path in pairs
        ][-1]

    return answer_all


def test_the_first_is_told_so(vote):
    assert echo_of(vote(SMOOTH_ROUND)).text == "You are the first to look at this galaxy."


def test_agreement_is_counted_without_the_reader(vote):
    text = echo_of(vote(SMOOTH_ROUND, SMOOTH_ROUND, SMOOTH_ROUND)).text
    assert text == "“Smooth”: 2 of 2 other people agree with you."


def test_the_most_divided_question_is_told(vote):
    text = echo_of(vote(SMOOTH_ROUND, SMOOTH_LONG, SMOOTH_ROUND)).text
    assert text == "“Round”: 1 of 2 other people agree with you."


def test_one_other_person_is_one(vote):
    assert echo_of(vote(FEATURED, FEATURED)).text == (
        "“Featured”: 1 of 1 other person agrees with you."
    )


def test_standing_alone_is_not_shamed(vote):
    assert "nobody else has said so yet" in echo_of(vote(FEATURED, FEATURED, ARTIFACT)).text


@pytest.mark.parametrize(
    ("top", "words"),
    [
        ("shape_smooth", "The machine thinks so too."),
        ("shape_featured", "The machine had expected “Featured”"),
    ],
)
def test_the_machine_has_its_say(vote, top, words):
    classification = vote(SMOOTH_ROUND)
    QueueEntry.objects.update(top_answer=top)
    assert words in echo_of(classification).text


@pytest.mark.parametrize("top", ["", "colour_blue", "shape_gone", "roundness"])
def test_a_machine_that_speaks_of_something_else_is_silent(vote, top):
    classification = vote(FEATURED)
    QueueEntry.objects.update(top_answer=top)
    assert "machine" not in echo_of(classification).text
