"""Nudges to open pages. The database is the truth: a nudge that is lost loses nothing."""

from __future__ import annotations

import logging

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)


def group_name(round_id: int) -> str:
    """Return the channel group of the pages that show this round."""
    return f"round-{round_id}"


def nudge(round_id: int) -> None:
    """Have open pages look at the database now, where a channel layer can be reached."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(group_name(round_id), {"type": "round.changed"})
    except Exception as error:  # noqa: BLE001  (whatever the broker's client raises, pages poll)
        logger.warning("no nudge for round %s: %s", round_id, error)
