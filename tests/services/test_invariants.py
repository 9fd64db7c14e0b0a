"""The invariants on a real PostgreSQL; afterwards, always, the check finds nothing."""

from collections import Counter

from tests.services.conftest import run_driver


def test_eight_writers_at_once_record_every_vote_once(stack):
    happened = stack.drive("eight_writers")

    # A writer who comes late on a slow machine may find nothing left, and so tells nothing.
    told = sum((Counter(each) for each in happened["told"]), Counter())
    assert set(told) == {"created", "repeated"}
    assert happened["log"] == happened["tallied"] == told["created"] == told["repeated"]
    assert happened["most_votes"] <= 5
    assert happened["least_room"] >= 0
    assert happened["retired"] == 12


def test_the_same_post_eight_times_at_once_is_recorded_once(stack):
    happened = stack.drive("same_uuid")

    assert happened["told"] == ["created"] + ["repeated"] * 7
    assert happened["log"] == happened["tallied"] == 1


def test_a_uuid_belongs_to_whoever_sent_it_first(stack):
    happened = stack.drive("stolen_uuid")

    assert happened["told"] == ["created"] + ["uuid-reused"] * 7
    assert happened["log"] == happened["tallied"] == 1


def test_one_volunteer_votes_once_for_a_subject(stack):
    happened = stack.drive("double_vote")

    assert happened["told"] == ["already-classified"] * 7 + ["created"]
    assert happened["log"] == happened["tallied"] == 1


def test_a_late_answer_and_the_last_one_do_not_wait_for_each_other(stack):
    happened = stack.drive("late_and_last")

    assert happened["told"] == ["created", "created"]
    assert happened["log"] == happened["tallied"] == 6
    assert happened["retired"] == 1


def test_a_vote_under_way_while_a_tree_is_published_leaves_its_subject_no_vote_short(stack):
    happened = stack.drive("new_version_during_a_vote")

    assert happened["told"] == ["created", "published"]
    assert happened["new"] == [5] * 12
    assert happened["retired"] == 12


def test_a_subject_is_never_promised_to_more_people_than_needed(stack):
    assert stack.drive("scarce_subject") == {"granted": 5, "leases": 5, "room": 0}


def test_a_dry_queue_asks_for_more_once_at_a_time_and_never_too_much(stack):
    assert stack.drive("dry_queue") == {
        "refused": [],
        "as_many_as_retire": True,
        "wanted": True,
    }


def test_spot_checks_are_drawn_once_however_many_press(stack, services, tmp_path):
    database = f"sqlite:///{tmp_path / 'embedded.sqlite3'}"
    run_driver(database, services.redis_url, "build")

    embedded = run_driver(database, services.redis_url, "spot_checks_at_once")["answer"]
    for happened in (stack.drive("spot_checks_at_once"), embedded):
        assert happened["told"] == ["already-drawn"] * 7 + ["drawn"]
        assert happened["drawings"] == 1
        assert happened["ranks"] == list(range(1, 13))
        assert happened["strata"] == ["flagged"] * 2 + ["next"] * 2 + ["rest"] * 8


def test_a_killed_writer_loses_nothing_and_leaves_nothing_half_done(stack):
    happened = stack.drive("killed_writer")

    assert happened["batch"] == 10
    assert 3 <= happened["between"] < 10
    assert happened["lost_inside"] == 0
    assert happened["again"] == {
        "repeated": happened["between"],
        "created": 10 - happened["between"],
    }
    assert happened["log"] == happened["tallied"] == 10


def test_the_check_finds_nothing_at_any_time_under_any_load(stack):
    happened = stack.drive("everything_at_once")

    assert happened["told"][-1] == {"differences": []}
    assert all(set(told) <= {"created", "repeated"} for told in happened["told"][:4])
    assert happened["told"][4]["lapsed"] > 0
    assert happened["told"][5] == {"published": 5}


def test_people_are_served_while_a_queue_is_put_in_place(stack):
    happened = stack.drive("served_while_publishing")

    assert happened == {"cold": 6, "in_time": True, "hot": 6, "served": 4}


def test_volunteers_merged_twice_at_once_while_they_post_count_once_each(stack):
    happened = stack.drive("merge_both_voted")

    merged, again, both_voted, only_anonymous = happened["told"]
    assert merged == again == "merged"
    assert set(both_voted) <= {"created", "already-classified"}
    assert set(only_anonymous) == {"created"}
    assert happened["tallied"] == 12


def test_the_embedded_database_keeps_the_same_promises(services, tmp_path):
    database = f"sqlite:///{tmp_path / 'embedded.sqlite3'}"
    run_driver(database, services.redis_url, "build")

    happened = run_driver(database, services.redis_url, "everything_at_once")

    assert happened["differences"] == []
    assert happened["answer"]["told"][-1] == {"differences": []}
    assert all(set(told) <= {"created", "repeated"} for told in happened["answer"]["told"][:4])


def test_a_nudge_reaches_another_process_through_redis(stack):
    assert stack.drive("nudge_across_processes") == {"told": [{"type": "nudge"}, "sent"]}
