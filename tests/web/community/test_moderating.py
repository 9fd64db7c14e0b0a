"""Moderators hide, restore, dismiss and suspend; every act is kept with its reason."""

import pytest

from lenticular.accounts.services import volunteer_of
from lenticular.common.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
)
from lenticular.community import services
from lenticular.community.errors import EmptyTextError, TooLongTextError
from lenticular.community.models import Act, CommentState, ModerationAct, Suspension
from lenticular.community.selectors import comments_to_moderate
from tests.web.community.test_comments import report, say


def act(town, comment, name, reason="Because", moderator=None):
    return services.moderate_comment(
        comment_id=comment.pk,
        moderator=moderator or town.universe.expert,
        act=name,
        reason=reason,
    )


@pytest.fixture
def held(town):
    comment = say(town.author, town.subject)
    for reader in town.readers:
        report(reader, comment)
    comment.refresh_from_db()
    assert comment.state == CommentState.HELD
    return comment


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("hide", CommentState.HIDDEN),
        ("restore", CommentState.VISIBLE),
        ("dismiss", CommentState.VISIBLE),
    ],
)
def test_an_act_settles_the_reports_and_is_recorded(town, held, name, state):
    assert act(town, held, name, reason=" A  reason ").state == state
    assert not held.reports.filter(is_open=True).exists()
    (kept,) = ModerationAct.objects.all()
    assert (kept.act, kept.moderator, kept.comment, kept.reason) == (
        name,
        town.universe.expert,
        held,
        "A reason",
    )
    assert kept.created_at is not None
    assert list(comments_to_moderate(show="reported")) == []


def test_a_restored_comment_is_held_by_new_reports_alone(town, held):
    act(town, held, "restore")
    for reader in town.readers:
        report(reader, held)
    held.refresh_from_db()
    assert held.state == CommentState.VISIBLE
    assert not held.reports.filter(is_open=True).exists()


def test_admins_moderate_and_nobody_else(town, held):
    act(town, held, "hide", moderator=town.universe.admin)
    for user in (town.author, town.universe.astronomer):
        with pytest.raises(ForbiddenError):
            act(town, held, "restore", moderator=user)
        with pytest.raises(ForbiddenError):
            services.suspend_account(
                volunteer_id=volunteer_of(user=town.author).pk, moderator=user, reason="x"
            )
    held.refresh_from_db()
    assert held.state == CommentState.HIDDEN


@pytest.mark.parametrize(
    ("reason", "error"),
    [("", EmptyTextError), (" \u200b", EmptyTextError), ("a" * 501, TooLongTextError)],
)
def test_every_act_needs_a_reason(town, held, reason, error):
    with pytest.raises(error):
        act(town, held, "hide", reason=reason)
    assert ModerationAct.objects.count() == 0


def test_acts_that_make_no_sense_are_refused(town, held):
    with pytest.raises(InvalidInputError):
        act(town, held, "suspend")
    act(town, held, "hide")
    for name in ("hide", "dismiss"):
        with pytest.raises(ConflictError):
            act(town, held, name)
    services.remove_comment(comment_id=held.pk, author=town.author)
    for name in ("hide", "restore", "dismiss"):
        with pytest.raises(ConflictError):
            act(town, held, name)
    assert ModerationAct.objects.count() == 1


def test_an_unknown_comment_or_account_is_not_found(town):
    moderator = town.universe.expert
    with pytest.raises(NotFoundError):
        services.moderate_comment(comment_id=999, moderator=moderator, act="hide", reason="x")
    for volunteer_id in (999_999, town.universe.anonymous.pk):
        with pytest.raises(NotFoundError):
            services.suspend_account(volunteer_id=volunteer_id, moderator=moderator, reason="x")


def test_the_most_reported_comes_first_and_hidden_ones_are_apart(town):
    once, twice, never = (say(town.author, town.subject, text) for text in "abc")
    report(town.readers[0], once)
    for reader in town.readers[:2]:
        report(reader, twice)
    assert list(comments_to_moderate(show="reported")) == [twice, once]
    act(town, never, "hide")
    assert list(comments_to_moderate(show="hidden")) == [never]
    assert list(comments_to_moderate(show="all")) == [never, twice, once]


def test_a_suspension_is_lifted_and_both_are_recorded(town):
    person = {"volunteer_id": volunteer_of(user=town.author).pk, "moderator": town.universe.expert}
    services.suspend_account(**person, reason="first")
    assert services.suspend_account(**person, reason="second").reason == "second"
    assert Suspension.objects.count() == 1
    for _ in range(2):
        services.lift_suspension(**person, reason="sorry")
    assert say(town.author, town.subject).text == "Two arms"
    acts = [each.act for each in ModerationAct.objects.order_by("id")]
    assert acts == [Act.SUSPEND, Act.SUSPEND, Act.LIFT]


def test_moderators_are_not_suspended(town):
    with pytest.raises(ForbiddenError):
        services.suspend_account(
            volunteer_id=volunteer_of(user=town.universe.admin).pk,
            moderator=town.universe.expert,
            reason="x",
        )
