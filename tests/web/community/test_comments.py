"""Comments: blind until answered, bounded, one's own; reports hide nothing by themselves."""

from datetime import timedelta

import pytest
from django.utils import timezone

from lenticular.accounts.services import volunteer_of
from lenticular.common.errors import ForbiddenError, InvalidInputError, NotFoundError
from lenticular.community import services
from lenticular.community.errors import (
    EmptyTextError,
    NotClassifiedError,
    SuspendedError,
    TooFastError,
    TooLateError,
    TooLongTextError,
)
from lenticular.community.models import Comment, CommentReport, CommentState
from lenticular.community.selectors import may_read_comments


def say(user, subject, text="Two arms"):
    return services.post_comment(author=user, subject_id=subject.pk, text=text)


def report(user, comment, reason="spam", note=""):
    return services.report_comment(comment_id=comment.pk, reporter=user, reason=reason, note=note)


def age(comment, **time):
    Comment.objects.filter(pk=comment.pk).update(created_at=timezone.now() - timedelta(**time))


def test_who_has_classified_may_comment(town):
    comment = say(town.author, town.subject, " <b>Two</b>\r\narms ")
    assert comment.text == "<b>Two</b>\narms"
    assert comment.author == volunteer_of(user=town.author)


def test_who_has_not_classified_may_neither_read_nor_comment(town):
    assert not may_read_comments(
        user=town.author, volunteer=volunteer_of(user=town.author), subject_id=town.other.pk
    )
    with pytest.raises(NotClassifiedError):
        say(town.author, town.other)
    assert not may_read_comments(user=None, volunteer=None, subject_id=town.subject.pk)


def test_experts_and_astronomers_read_and_comment_everywhere(town):
    for user in (town.universe.expert, town.universe.astronomer, town.universe.admin):
        assert say(user, town.other, f"By {user.username}").subject == town.other


@pytest.mark.parametrize(("text", "error"), [(" ", EmptyTextError), ("a" * 2001, TooLongTextError)])
def test_a_comment_must_be_readable_and_short(town, text, error):
    with pytest.raises(error):
        say(town.author, town.subject, text)
    comment = say(town.author, town.subject)
    with pytest.raises(error):
        services.edit_comment(comment_id=comment.pk, author=town.author, text=text)


def test_an_unknown_subject_or_comment_is_not_found(town):
    with pytest.raises(NotFoundError):
        services.post_comment(author=town.author, subject_id=999_999, text="x")
    with pytest.raises(NotFoundError):
        services.edit_comment(comment_id=999_999, author=town.author, text="x")


def test_a_double_click_gives_one_comment(town):
    first = say(town.author, town.subject)
    assert say(town.author, town.subject, " Two arms\n") == first
    assert say(town.readers[0], town.subject) != first
    age(first, seconds=61)
    assert say(town.author, town.subject) != first


def test_five_a_minute_and_a_hundred_a_day(town):
    for number in range(5):
        say(town.author, town.subject, f"{number}")
    with pytest.raises(TooFastError):
        say(town.author, town.subject, "one more")
    say(town.readers[0], town.subject, "somebody else")
    for comment in Comment.objects.filter(author=volunteer_of(user=town.author)):
        age(comment, minutes=2)
    say(town.author, town.subject, "later")
    person = volunteer_of(user=town.author)
    Comment.objects.bulk_create(
        [Comment(subject=town.subject, author=person, text=f"n{n}") for n in range(94)]
    )
    for comment in Comment.objects.filter(author=person):
        age(comment, hours=23)
    with pytest.raises(TooFastError):
        say(town.author, town.subject, "the hundred and first")


def test_removing_makes_no_room(town):
    for number in range(5):
        comment = say(town.author, town.subject, f"{number}")
        services.remove_comment(comment_id=comment.pk, author=town.author)
    with pytest.raises(TooFastError):
        say(town.author, town.subject)


def test_a_comment_is_changed_within_fifteen_minutes(town):
    comment = say(town.author, town.subject)
    same = services.edit_comment(comment_id=comment.pk, author=town.author, text="Two arms")
    assert same.edited_at is None
    age(comment, minutes=14)
    changed = services.edit_comment(comment_id=comment.pk, author=town.author, text="Three")
    assert (changed.text, changed.edited_at is not None) == ("Three", True)
    age(comment, minutes=16)
    with pytest.raises(TooLateError):
        services.edit_comment(comment_id=comment.pk, author=town.author, text="Four")


def test_a_comment_is_changed_and_removed_by_its_author_alone(town):
    comment = say(town.author, town.subject)
    for thief in (town.readers[0], town.universe.expert):
        with pytest.raises(ForbiddenError):
            services.edit_comment(comment_id=comment.pk, author=thief, text="x")
        with pytest.raises(ForbiddenError):
            services.remove_comment(comment_id=comment.pk, author=thief)


def test_removing_takes_the_text_and_settles_the_reports(town):
    comment = say(town.author, town.subject)
    report(town.readers[0], comment)
    for _ in range(2):
        removed = services.remove_comment(comment_id=comment.pk, author=town.author)
    assert (removed.text, removed.state) == ("", CommentState.REMOVED)
    assert not CommentReport.objects.filter(is_open=True).exists()
    with pytest.raises(TooLateError):
        services.edit_comment(comment_id=comment.pk, author=town.author, text="back")


def test_a_person_reports_once_and_three_people_hold(town):
    comment = say(town.author, town.subject)
    for _ in range(3):
        report(town.readers[0], comment)
    report(town.readers[1], comment, reason="rude", note="It hurts")
    comment.refresh_from_db()
    assert (comment.reports.count(), comment.state) == (2, CommentState.VISIBLE)
    report(town.readers[2], comment)
    comment.refresh_from_db()
    assert comment.state == CommentState.HELD


@pytest.mark.parametrize("reason", ["", "because", "x" * 5000])
def test_a_report_needs_one_of_our_reasons(town, reason):
    comment = say(town.author, town.subject)
    with pytest.raises(InvalidInputError):
        report(town.readers[0], comment, reason=reason)


def test_nobody_reports_oneself_or_what_is_not_to_be_read(town):
    comment = say(town.author, town.subject)
    with pytest.raises(InvalidInputError):
        report(town.author, comment)
    with pytest.raises(NotClassifiedError):
        report(town.universe.volunteer_user, comment)
    with pytest.raises(TooLongTextError):
        report(town.readers[0], comment, note="a" * 501)
    assert CommentReport.objects.count() == 0


def test_a_suspended_account_may_not_comment_but_may_remove(town):
    comment = say(town.author, town.subject)
    services.suspend_account(
        volunteer_id=volunteer_of(user=town.author).pk,
        moderator=town.universe.expert,
        reason="Advertising",
    )
    with pytest.raises(SuspendedError, match="Advertising"):
        say(town.author, town.subject, "again")
    with pytest.raises(SuspendedError):
        services.edit_comment(comment_id=comment.pk, author=town.author, text="x")
    services.remove_comment(comment_id=comment.pk, author=town.author)
