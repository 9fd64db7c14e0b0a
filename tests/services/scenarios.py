"""What the tests in this folder do to a real database, each in processes of its own.

``python -m tests.services.scenarios NAME`` sets Django up once and forks the writers,
which meet at a barrier; it prints what happened as JSON.
"""

import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import django
from django.db import close_old_connections, connection, connections, transaction

WRITERS = 8
forks = multiprocessing.get_context("fork")


def at_once(*jobs):
    """Run each job in a process of its own, all let go at one moment; return their answers."""
    connections.close_all()
    barrier, answers = forks.Barrier(len(jobs)), forks.Queue()
    children = [
        forks.Process(target=_child, args=(number, job, barrier, answers))
        for number, job in enumerate(jobs)
    ]
    for child in children:
        child.start()
    found = dict(answers.get(timeout=50) for _ in children)
    for child in children:
        child.join()
    return [found[number] for number in range(len(jobs))]


def _child(number, job, barrier, answers):
    random.seed(number)
    barrier.wait(20)
    try:
        answers.put((number, job()))
    except BaseException as error:  # the parent must hear of it
        answers.put((number, f"{type(error).__name__}: {error}"))
        raise
    finally:
        connections.close_all()


def load():
    """Return the universe that `build` left in the database."""
    from tests import universe as world

    return world.reload_universe()


def build():
    from django.core.management import call_command

    from tests import universe as world

    call_command("migrate", verbosity=0)
    world.build_universe(votes=False, retirement_votes=5, artifact_votes=3)
    return "built"


def differences():
    """Return what `rebuild_consensus --check` would print."""
    from lenticular.consensus.services import find_differences
    from lenticular.selection.services import find_queue_differences
    from lenticular.workflows.models import Workflow

    return [
        str(difference)
        for workflow in Workflow.objects.all()
        for find in (find_differences, find_queue_differences)
        for difference in find(workflow=workflow)
    ]


def tell(action, *arguments, **named):
    """Return what an action recorded, or the kind of the error that refused it."""
    from lenticular.common.errors import LenticularError

    try:
        recorded = action(*arguments, **named)
    except LenticularError as error:
        return error.kind
    return "created" if recorded.created else "repeated"


def classify_all(seed):
    """Classify as a new anonymous volunteer, each vote posted twice, until nothing is left."""
    from lenticular.accounts.services import create_anonymous_volunteer
    from lenticular.selection.services import lease_subjects
    from tests import universe as world

    universe, chance, told = load(), random.Random(seed), Counter()
    volunteer = create_anonymous_volunteer()
    while leases := lease_subjects(
        workflow=universe.workflow, volunteer=volunteer, count=3, rng=chance
    ):
        for lease in leases:
            uuid, path = uuid4(), chance.choice(world.PATHS)
            for _ in range(2):
                told[tell(world.answer, universe, volunteer, lease.subject, path, uuid)] += 1
    return told


def eight_writers():
    told = at_once(*[lambda seed=seed: classify_all(seed) for seed in range(WRITERS)])
    return {"told": told, **log_state()}


def log_state():
    from lenticular.classifications.models import Classification
    from lenticular.consensus.models import Retirement, Tally
    from lenticular.selection.models import QueueEntry

    votes = Counter(Classification.objects.values_list("subject_id", flat=True))
    return {
        "log": sum(votes.values()),
        "most_votes": max(votes.values(), default=0),
        "tallied": sum(Tally.objects.values_list("classifications", flat=True)),
        "retired": Retirement.objects.count(),
        "least_room": min(QueueEntry.objects.values_list("room", flat=True)),
    }


def served(universe, volunteer, count=1):
    from lenticular.selection.services import lease_subjects

    return [
        lease.subject
        for lease in lease_subjects(workflow=universe.workflow, volunteer=volunteer, count=count)
    ]


def same_uuid():
    """One volunteer's outbox flushes in eight tabs at once."""
    from tests import universe as world

    universe, uuid = load(), uuid4()
    [subject] = served(universe, universe.anonymous)

    def post():
        return tell(world.answer, universe, universe.anonymous, subject, world.FEATURED, uuid)

    return {"told": sorted(at_once(*[post] * WRITERS)), **log_state()}


def stolen_uuid():
    """Eight volunteers send the same UUID."""
    from lenticular.accounts.services import create_anonymous_volunteer
    from tests import universe as world

    universe, uuid = load(), uuid4()
    volunteers = [create_anonymous_volunteer() for _ in range(WRITERS)]
    subjects = [served(universe, volunteer)[0] for volunteer in volunteers]

    def poster(volunteer, subject):
        return lambda: tell(world.answer, universe, volunteer, subject, world.FEATURED, uuid)

    jobs = [poster(*pair) for pair in zip(volunteers, subjects, strict=True)]
    return {"told": sorted(at_once(*jobs)), **log_state()}


def double_vote():
    """One volunteer answers one subject eight times at once, each time anew."""
    from tests import universe as world

    universe = load()
    [subject] = served(universe, universe.anonymous)

    def post():
        return tell(world.answer, universe, universe.anonymous, subject, world.FEATURED)

    return {"told": sorted(at_once(*[post] * WRITERS)), **log_state()}


def late_and_last():
    """An answer whose lease has lapsed meets the one that retires the subject, both half done."""
    from django.utils import timezone

    from lenticular.accounts.services import create_anonymous_volunteer
    from lenticular.selection.models import Lease
    from lenticular.selection.services import lapse_leases
    from tests import universe as world

    universe = load()
    late, last, *others = [create_anonymous_volunteer() for _ in range(6)]
    subject = served(universe, late, 12)[0]
    for other in others:
        served(universe, other, 12)
        world.answer(universe, other, subject, world.FEATURED)
    Lease.objects.filter(volunteer=late).update(expires_at=timezone.now())
    lapse_leases(now=timezone.now() + timedelta(seconds=1), limit=50)
    served(universe, last, 12)
    late_there, last_there = forks.Event(), forks.Event()

    def post(volunteer, step, mine, theirs):
        _pause_before(step, mine, theirs)
        return tell(world.answer, universe, volunteer, subject, world.FEATURED)

    told = at_once(
        lambda: post(late, "count_classification", late_there, last_there),
        lambda: post(last, "retire_if_due", last_there, late_there),
    )
    return {"told": told, **log_state()}


def new_version_during_a_vote():
    """Another tree is published between a vote's last statement and its commit."""
    from lenticular.accounts.services import create_anonymous_volunteer
    from lenticular.classify import services
    from lenticular.consensus.models import Tally
    from tests import universe as world

    universe = load()
    [subject] = served(universe, universe.anonymous)
    voted, published = forks.Event(), forks.Event()
    ask_again = services.ask_again_if_outdated

    def ask_again_and_wait(**named):
        ask_again(**named)
        voted.set()
        published.wait(10)

    def post():
        services.ask_again_if_outdated = ask_again_and_wait
        return tell(world.answer, universe, universe.anonymous, subject, world.FEATURED)

    def publish():
        voted.wait(10)
        _publish_other_tree(universe)
        published.set()
        return "published"

    told = at_once(post, publish)
    universe = load()
    for _ in range(5):
        volunteer = create_anonymous_volunteer()
        for each in served(universe, volunteer, 12):
            world.answer(universe, volunteer, each, world.FEATURED)
    new = Tally.objects.filter(version=universe.version)
    return {"told": told, "new": [tally.classifications for tally in new], **log_state()}


def _publish_other_tree(universe):
    from lenticular.selection.services import reopen_queue
    from lenticular.workflows.services import publish_version
    from tests.universe import small_tree

    document = {**small_tree().to_dict(), "name": "Other shapes"}
    with transaction.atomic():
        publish_version(workflow=universe.workflow, tree=type(universe.tree).from_dict(document))
        reopen_queue(workflow=universe.workflow)


def _pause_before(step, mine, theirs):
    """Have this process say that it has come to a step of a vote, and await the other's word."""
    from lenticular.classify import services

    go_on = getattr(services, step)

    def paused(**named):
        mine.set()
        theirs.wait(10)
        return go_on(**named)

    setattr(services, step, paused)


def scarce_subject():
    """Eight volunteers ask at once while there is room for five, on one subject."""
    from lenticular.accounts.services import create_anonymous_volunteer
    from lenticular.selection.models import Lease, QueueEntry
    from lenticular.selection.services import retire_entry

    universe = load()
    for subject in universe.subjects[1:]:
        retire_entry(workflow=universe.workflow, subject_id=subject.pk)
    volunteers = [create_anonymous_volunteer() for _ in range(WRITERS)]
    jobs = [lambda one=one: len(served(universe, one, 2)) for one in volunteers]
    granted = at_once(*jobs)
    room = QueueEntry.objects.get(subject=universe.subjects[0]).room
    QueueEntry.objects.update(is_retired=False)
    return {"granted": sum(granted), "leases": Lease.objects.count(), "room": room}


def dry_queue():
    """Eight volunteers ask at once, again and again, where no vote is wanted at first."""
    from lenticular.accounts.services import create_anonymous_volunteer
    from lenticular.selection.models import Lease, QueueEntry

    universe = load()
    outside = QueueEntry.objects.filter(in_panel=False)
    outside.update(wanted=0, room=0)
    volunteers = [create_anonymous_volunteer() for _ in range(WRITERS)]
    limit = universe.workflow.retirement_votes
    active = set(outside.values_list("subject_id", flat=True))

    def ask_until_nothing_new(one):
        held = -1
        while held < len(subjects := served(universe, one, 50)):
            held = len(subjects)
        return held

    told = at_once(*[lambda one=one: ask_until_nothing_new(one) for one in volunteers])
    # Who stopped while others held all that had room may be missed.
    for _ in range(limit):
        ask_until_nothing_new(create_anonymous_volunteer())
    held = Counter(Lease.objects.filter(subject__in=active).values_list("subject_id", flat=True))
    return {
        "refused": [each for each in told if not isinstance(each, int)],
        "as_many_as_retire": set(held) == active and set(held.values()) == {limit},
        "wanted": sorted(set(outside.values_list("wanted", "room"))) == [(limit, 0)],
    }


def spot_checks_at_once():
    """Eight experts draw the spot checks of one round at once."""
    from lenticular.common.errors import LenticularError
    from lenticular.review.drawing import draw_spot_checks
    from lenticular.review.models import SpotChecks
    from tests.web.review.conftest import publish, write_judged

    universe = load()
    round_ = publish(universe, universe.subjects[:2])[0].round
    write_judged(round_, universe.subjects, flagged=2)

    def draw():
        try:
            draw_spot_checks(round=round_, expert=universe.expert)
        except LenticularError as error:
            return error.kind
        return "drawn"

    told = sorted(at_once(*[draw] * WRITERS))
    return {
        "told": told,
        "drawings": SpotChecks.objects.count(),
        "ranks": list(round_.flags.values_list("rank", flat=True)),
        "strata": sorted(round_.flags.values_list("stratum", flat=True)),
    }


def killed_writer():
    """A writer dies by kill -9: once between two votes, once inside a transaction."""
    from lenticular.classifications.models import Classification
    from lenticular.classify.services import NewClassification, record_classifications
    from tests import universe as world

    universe = load()
    batch = [
        NewClassification(uuid4(), universe.version.pk, subject.pk, world.SMOOTH_LONG)
        for subject in served(universe, universe.anonymous, 10)
    ]
    _kill_when(lambda: Classification.objects.count() >= 3, lambda: _write_slowly(batch))
    between = Classification.objects.count()
    _kill_when(lambda: _waiting() == 1, lambda: _write_and_hang(batch))
    inside = Classification.objects.count()
    outcomes = record_classifications(volunteer=universe.anonymous, batch=batch)
    return {
        "batch": len(batch),
        "between": between,
        "lost_inside": inside - between,
        "again": Counter(
            str(one.error) if one.error else ("created" if one.recorded.created else "repeated")
            for one in outcomes
        ),
        **log_state(),
    }


def _write_slowly(batch):
    from lenticular.classify.services import record_classifications

    universe = load()
    for done, entry in enumerate(batch, start=1):
        record_classifications(volunteer=universe.anonymous, batch=[entry])
        # After the third it is killed, however late whoever kills it looks.
        time.sleep(0.02 if done < 3 else 0.5)


def _write_and_hang(batch):
    from tests import universe as world

    universe = load()
    by_id = {subject.pk: subject for subject in universe.subjects}
    with transaction.atomic():
        last = batch[-1]
        world.answer(
            universe, universe.anonymous, by_id[last.subject_id], world.SMOOTH_LONG, last.uuid
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(30)")


def _waiting():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")
        return cursor.fetchone()[0]


def _kill_when(is_time, job):
    connections.close_all()
    child = forks.Process(target=job)
    child.start()
    deadline = time.monotonic() + 20
    while not is_time() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    with connection.cursor() as cursor:  # PostgreSQL notices the loss only once it writes
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE 'SELECT pg_sleep%' AND pid <> pg_backend_pid()"
        )
    while _waiting():
        time.sleep(0.01)


def everything_at_once():
    """Writers, lapses, a round's publication, a merge and the check, all together."""
    writers = [lambda seed=seed: classify_all(seed) for seed in range(4)]
    told = at_once(*writers, _lapse_often, _publish_often, _merge_while_posting, _check_often)
    return {"told": told, **log_state()}


def _lapse_often():
    from django.utils import timezone

    from lenticular.selection.services import lapse_leases

    universe, lapsed = load(), 0
    served(universe, universe.other_anonymous, 3)
    for _ in range(20):
        lapsed += lapse_leases(now=timezone.now() + timedelta(days=1), limit=5)
        time.sleep(0.03)
    return {"lapsed": lapsed}


def _publish_often():
    from lenticular.selection.services import QueueRow, publish_queue

    universe, chance = load(), random.Random(1)
    for generation in range(1, 6):
        rows = [
            QueueRow(subject.pk, chance.random(), chance.randrange(4), "shape_smooth")
            for subject in chance.sample(universe.subjects, len(universe.subjects))
        ]
        publish_queue(workflow=universe.workflow, generation=generation, rows=rows)
        time.sleep(0.1)
    return {"published": 5}


def _merge_while_posting():
    from lenticular.classify.services import merge_volunteers
    from tests import universe as world

    universe, told = load(), Counter()
    for volunteer in (universe.volunteer, universe.anonymous):
        for subject in served(universe, volunteer, 4):
            told[tell(world.answer, universe, volunteer, subject, world.FEATURED)] += 1
    merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)
    return told


def _check_often():
    found = []
    for _ in range(15):
        close_old_connections()
        found += differences()
        time.sleep(0.03)
    return {"differences": found}


def served_while_publishing():
    """Half of the queue is asked about no more; a publication stops after that half."""
    from lenticular.selection import staging
    from lenticular.selection.models import QueueEntry

    universe, install = load(), staging._install
    closed, half, served_all = universe.subjects[:6], forks.Event(), forks.Event()
    QueueEntry.objects.filter(subject__in=closed).update(wanted=0, room=0)

    def publish():
        def install_in_halves(staged, generation, *, is_hot):
            if is_hot:
                half.set()
                told["in_time"] = served_all.wait(10)
            told["hot" if is_hot else "cold"] = install(staged, generation, is_hot=is_hot)
            return 0

        told, staging._install = {}, install_in_halves
        rows = [staging.QueueRow(subject.pk, 1.0, 2) for subject in universe.subjects]
        staging.publish_queue(workflow=universe.workflow, generation=1, rows=rows)
        return told

    def serve():
        half.wait(10)
        leases = served(universe, universe.anonymous, 4)
        served_all.set()
        return len(leases)

    published, found = at_once(publish, serve)
    return {**published, "served": found}


def merge_both_voted():
    """Two tabs merge the same volunteer at once while it posts."""
    from lenticular.classify.services import merge_volunteers
    from tests import universe as world

    universe = load()
    subjects = served(universe, universe.volunteer, 12)
    served(universe, universe.anonymous, 12)
    for subject in subjects[:6]:
        world.answer(universe, universe.volunteer, subject, world.FEATURED)

    def merge():
        merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)
        return "merged"

    def post(some):
        return [
            tell(world.answer, universe, universe.anonymous, subject, world.SMOOTH_LONG)
            for subject in some
        ]

    told = at_once(merge, merge, lambda: post(subjects[:6]), lambda: post(subjects[6:]))
    return {"told": told, **log_state()}


def nudge_across_processes():
    """A nudge sent by one process reaches a socket served by another."""
    from asgiref.sync import async_to_sync
    from channels.layers import get_channel_layer

    ready = forks.Event()

    async def listen():
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add("rounds", channel)
        ready.set()
        return await layer.receive(channel)

    def send():
        ready.wait(10)
        async_to_sync(get_channel_layer().group_send)("rounds", {"type": "nudge"})
        return "sent"

    return {"told": at_once(async_to_sync(listen), send)}


def main():
    django.setup()
    name, *arguments = sys.argv[1:]
    answer = globals()[name](*arguments)
    print(json.dumps({"answer": answer, "differences": differences()}))


if __name__ == "__main__":
    main()
