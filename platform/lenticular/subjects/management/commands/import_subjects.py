"""``manage.py import_subjects SOURCE --survey SLUG``: import a folder or table of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from lenticular.common.errors import LenticularError
from lenticular.subjects.imports import import_manifest
from lenticular.subjects.manifests import open_manifest
from lenticular.subjects.services import get_or_create_subject_set, get_or_create_survey

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from lenticular.subjects.models import ImportRun, SubjectSet


class Command(BaseCommand):
    help = (
        "Import a folder of images or a CSV, Parquet, FITS or VOTable manifest. Running it "
        "again resumes, and adds nothing twice. Rows that cannot be used are listed with "
        "their reasons; the others are kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", type=Path, help="a folder or a table")
        parser.add_argument("--survey", required=True, help="the survey's slug")
        parser.add_argument("--survey-name", help="for people; by default the slug")
        parser.add_argument("--subject-set", help="the set's slug; by default the survey's")
        parser.add_argument("--images", type=Path, help="by default the table's folder")
        parser.add_argument("--quiet", action="store_true", help="no progress bar")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            run = self._import(options)
        except LenticularError as error:
            raise CommandError(error.message) from error
        self._report(run)

    def _import(self, options: dict[str, Any]) -> ImportRun:
        source, folder = options["source"], options["images"]
        length = open_manifest(source, folder=folder).length
        with tqdm(total=length, unit=" rows", disable=options["quiet"]) as bar:
            return import_manifest(
                source=source, subject_set=_subject_set(options), folder=folder, on_rows=bar.update
            )

    def _report(self, run: ImportRun) -> None:
        for reject in run.rejects.order_by("row").iterator(chunk_size=1000):
            named = f" ({reject.external_id})" if reject.external_id else ""
            self.stdout.write(f"row {reject.row}{named}: {reject.code}: {reject.message}")
        self.stdout.write(
            f"{run.added} added, {run.already_there} already there, {run.rejected} rejected"
        )


def _subject_set(options: dict[str, Any]) -> SubjectSet:
    slug = options["survey"]
    survey = get_or_create_survey(slug=slug, name=options["survey_name"] or slug)
    set_slug = options["subject_set"] or slug
    return get_or_create_subject_set(survey=survey, slug=set_slug, name=set_slug)
