"""Writes of the queue and its leases; see `queue`, `leasing`, and `drawing` for the draw rule."""

from lenticular.selection.leasing import (
    NotServedError,
    Served,
    answer_lease,
    find_lease,
    find_served,
    give_back_twice_leased,
    lapse_leases,
    lease_subjects,
)
from lenticular.selection.queue import (
    QueueRow,
    ask_again_if_outdated,
    fill_queue,
    find_queue_differences,
    publish_queue,
    rebuild_queue,
    reopen_queue,
    retire_entry,
    take_back_vote,
)

__all__ = [
    "NotServedError",
    "QueueRow",
    "Served",
    "answer_lease",
    "ask_again_if_outdated",
    "fill_queue",
    "find_lease",
    "find_queue_differences",
    "find_served",
    "give_back_twice_leased",
    "lapse_leases",
    "lease_subjects",
    "publish_queue",
    "rebuild_queue",
    "reopen_queue",
    "retire_entry",
    "take_back_vote",
]
