"""How fast consensus is recomputed from the log, on SQLite."""

from __future__ import annotations

import os
import random
import tempfile
import time
import uuid

TITLE = "Rebuilding consensus from the log"
SUBJECTS, VOTES_EACH, VOLUNTEERS = 1000, 20, 200


def table() -> list[dict[str, str]]:
    """Fill a log, recompute everything from it, and time that."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["LENTICULAR_HOME"] = home
        os.environ["DJANGO_SETTINGS_MODULE"] = "lenticular.settings.dev"
        import django

        django.setup()
        workflow, votes = _fill_log()
        begun = time.perf_counter()
        from lenticular.consensus.rebuild import find_differences

        differences = sum(1 for _ in find_differences(workflow=workflow))
        seconds = time.perf_counter() - begun
    return [
        {
            "votes in the log": f"{votes:,}",
            "seconds": f"{seconds:.2f}",
            "votes per second": f"{votes / seconds:,.0f}",
            "differences found": str(differences),
        }
    ]
