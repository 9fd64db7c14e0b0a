"""Surveys, subject sets, subjects and their images."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import Any

from django.core.files.storage import default_storage
from django.db import models

IMAGE_SIZES = {"full": 1024, "page": 512, "thumb": 96}
"""Longest side, in pixels, of each rendering that we keep of an image."""


class Survey(models.Model):
    """A source of galaxies; the external ids of its subjects are unique in it."""

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.slug


class SubjectSet(models.Model):
    """Subjects that belong together, such as one import."""

    survey = models.ForeignKey(Survey, on_delete=models.PROTECT, related_name="subject_sets")
    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    subjects: models.ManyToManyField[Subject, Any] = models.ManyToManyField(
        "Subject", related_name="subject_sets", blank=True
    )

    def __str__(self) -> str:
        return self.slug


class Subject(models.Model):
    """One galaxy. `ra` and `dec` are in degrees (ICRS), null when not known.

    `healpix` is the nested HEALPix index of the position at `HEALPIX_ORDER`, for cone
    search. `metadata` is shown to volunteers, `hidden_metadata` never is.
    """

    HEALPIX_ORDER = 12

    survey = models.ForeignKey(Survey, on_delete=models.PROTECT, related_name="subjects")
    external_id = models.CharField(max_length=120)
    ra = models.FloatField(null=True, blank=True)
    dec = models.FloatField(null=True, blank=True)
    healpix = models.BigIntegerField(null=True, blank=True, db_index=True)
    metadata = models.JSONField(default=dict, blank=True)
    hidden_metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["survey", "external_id"], name="one_subject_per_id"),
        ]

    def __str__(self) -> str:
        return self.external_id


class SubjectImage(models.Model):
    """One rendering of a subject, re-encoded by us and named by the original's hash."""

    subject = models.ForeignKey(Subject, on_delete=models.CASCADE, related_name="images")
    rendering = models.SlugField(max_length=40, default="main")
    position = models.PositiveSmallIntegerField(default=0)
    sha256 = models.CharField(max_length=64, db_index=True)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "rendering"], name="one_image_per_rendering"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject_id}/{self.rendering}"

    def stored_name(self, size: str) -> str:
        """Return the storage name of this image at `size`, a key of `IMAGE_SIZES`."""
        return stored_image_name(self.sha256, size)

    def url(self, size: str = "page") -> str:
        """Return the address of this image at `size`, a key of `IMAGE_SIZES`."""
        return default_storage.url(self.stored_name(size))


def stored_image_name(sha256: str, size: str) -> str:
    """Return the storage name of the image with this hash at `size`."""
    return str(PurePosixPath("images", sha256[:2], sha256[2:4], f"{sha256}-{size}.jpg"))


class ImportRun(models.Model):
    """One run of an import, so that it can be resumed and its rejects read."""

    subject_set = models.ForeignKey(SubjectSet, on_delete=models.PROTECT, related_name="imports")
    source = models.CharField(max_length=400)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    added = models.PositiveBigIntegerField(default=0)
    already_there = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.source} -> {self.subject_set}"


class ImportReject(models.Model):
    """One row that an import could not use, and why."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="rejects")
    row = models.PositiveBigIntegerField()
    external_id = models.CharField(max_length=120, blank=True)
    code = models.SlugField(max_length=40)
    message = models.CharField(max_length=500)

    def __str__(self) -> str:
        return f"row {self.row}: {self.message}"


def content_hash(content: bytes) -> str:
    """Return the SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
