"""The site in a process of its own, on SQLite in a folder of its own: it can be killed.

``python -m tests.browser.site build 30`` builds its world, in the process's environment.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from io import BytesIO
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
PAGE = "/classify/drawn/"
TUTORIAL_SEEN = "try { localStorage.setItem('lenticular.tutorial.drawn', 'seen') } catch {}"


class Site:
    """Where the site listens, and what is in its log."""

    def __init__(self, home, galaxies, side=424, settings="lenticular.settings.dev"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home = Path(home)
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": settings,
            "LENTICULAR_HOME": str(home),
            "LENTICULAR_LOG_LEVEL": "ERROR",
            "LENTICULAR_THROTTLE_ANONYMOUS": "100000/min",
            "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}",
        }
        self._python("-m", "tests.browser.site", "build", str(galaxies), str(side))

    def _python(self, *arguments):
        subprocess.run([sys.executable, *arguments], cwd=ROOT, env=self.environment, check=True)

    def start(self):
        """Start the server, and wait until it answers."""
        command = ["uvicorn", "lenticular.asgi:application", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command, "--log-level", "error"],
            cwd=ROOT,
            env=self.environment,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/about/", timeout=5).close()
            except OSError:
                assert time.monotonic() < deadline, "the site did not start"
                time.sleep(0.1)
            else:
                return

    def kill(self):
        """End the server as a lost machine would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def log(self):
        """Return the UUID and the subject of every classification."""
        with closing(sqlite3.connect(self.home / "lenticular.sqlite3", timeout=30)) as database:
            return database.execute(
                "SELECT uuid, subject_id FROM classifications_classification ORDER BY id"
            ).fetchall()


def build(galaxies, side):
    """Make the tables and a workflow about so many drawn galaxies."""
    import django

    django.setup()
    from django.core.management import call_command

    from lenticular.selection.services import fill_queue
    from lenticular.subjects.services import (
        add_subject,
        get_or_create_subject_set,
        get_or_create_survey,
    )
    from lenticular.workflows.services import create_workflow
    from mlcore.tree import DecisionTree

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    survey = get_or_create_survey(slug="drawn", name="Drawn galaxies")
    subject_set = get_or_create_subject_set(survey=survey, slug="gallery", name="Gallery")
    for number in range(galaxies):
        add_subject(
            survey=survey,
            external_id=f"galaxy-{number}",
            image=_picture(number, side),
            subject_sets=[subject_set],
        )
    tree = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz-decals-5.json")
    workflow = create_workflow(
        slug="drawn", name="Drawn galaxies", tree=tree, subject_sets=[subject_set]
    )
    fill_queue(workflow=workflow)


def _picture(number, side):
    from mlcore.simulate.galaxies import draw_truth
    from mlcore.simulate.render import render

    content = BytesIO()
    drawn = Image.fromarray(render(draw_truth(5, number), 212))
    drawn.resize((side, side)).save(content, "PNG", compress_level=1)
    return content.getvalue()


if __name__ == "__main__":
    build(*json.loads(f"[{','.join(sys.argv[2:])}]"))
