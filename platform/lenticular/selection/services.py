"""Writes of the queue and its leases; see `queue`, `staging`, `leasing`, and `drawing`."""

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
    ask_again_if_outdated,
    ask_for_more,
    fill_queue,
    find_queue_differences,
    rebuild_queue,
    reopen_queue,
    retire_entry,
    take_back_vote,
)
from lenticular.selection.staging import QueueRow, install_queue, publish_queue, staged_queue

__all__ = [
    "NotServedError",
    "QueueRow",
    "Served",
    "answer_lease",
    "ask_again_if_outdated",
    "ask_for_more",
    "fill_queue",
    "find_lease",
    "find_queue_differences",
    "find_served",
    "give_back_twice_leased",
    "install_queue",
    "lapse_leases",
    "lease_subjects",
    "publish_queue",
    "rebuild_queue",
    "reopen_queue",
    "retire_entry",
    "staged_queue",
    "take_back_vote",
]
