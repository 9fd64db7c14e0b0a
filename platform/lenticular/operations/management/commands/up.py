"""``manage.py up``: the embedded stack, one web server and one worker, no broker."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from lenticular.operations.processes import (
    ProcessError,
    Stack,
    start_web,
    start_worker,
    stop_on_termination,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Serve the site with one worker on this machine, until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="Port to listen on")
        parser.add_argument("--no-worker", action="store_true", help="Serve pages only")

    def handle(self, *, host: str, port: int, no_worker: bool, **_options: Any) -> None:
        stop_on_termination()
        require_free_port(host, port)
        call_command("migrate", verbosity=0, interactive=False)
        make_folders()
        try:
            with Stack(logs=settings.HOME / "logs") as stack:
                if not no_worker:
                    start_worker(stack, home=settings.HOME)
                address = start_web(stack, host=host, port=port)
                self.stdout.write(f"Lenticular is at {address} (Ctrl-C stops it)")
                self.stdout.write(f"Logs are in {settings.HOME / 'logs'}")
                stack.wait()
        except KeyboardInterrupt:
            self.stdout.write("\nStopped.")
        except ProcessError as error:
            raise CommandError(error.message) from error


def require_free_port(host: str, port: int) -> None:
    """Raise CommandError where something else listens at this address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"port must be free at {host}, {port} is not ({error.strerror}); "
                "choose another with --port"
            ) from error


def make_folders() -> None:
    """Make the folders that the broker and the stores need."""
    folders = [settings.HOME, settings.MEDIA_ROOT, settings.ARTEFACTS_ROOT]
    options = getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {})
    folders += [path for name, path in options.items() if name.endswith(("_in", "_folder"))]
    for folder in folders:
        Path(folder).mkdir(parents=True, exist_ok=True)
