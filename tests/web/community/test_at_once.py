"""Clicks that arrive at the same moment count once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from lenticular.community import services
from lenticular.community.models import Collection, Comment, CommentState, Favourite
from tests.web.community.test_comments import report, say

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(acts):
    """Do all of it at the same time, each in a thread with a connection of its own."""

    def do(act):
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(do, acts))


def test_a_double_click_in_two_processes_makes_one(town):
    person = {"volunteer": town.universe.anonymous}
    at_once([lambda: say(town.author, town.subject)] * 4)
    at_once([lambda: services.create_collection(**person, name="Rings")] * 4)
    like = {**person, "subject_id": town.subject.pk, "favourite": True}
    at_once([lambda: services.set_favourite(**like)] * 4)
    assert [kept.objects.count() for kept in (Comment, Collection, Favourite)] == [1, 1, 1]


def test_three_reports_at_once_hold(town):
    comment = say(town.author, town.subject)
    at_once([lambda user=user: report(user, comment) for user in town.readers])
    comment.refresh_from_db()
    assert comment.state == CommentState.HELD
