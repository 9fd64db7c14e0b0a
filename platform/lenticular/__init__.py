"""Lenticular: citizen science for galaxy morphology with a machine in the loop."""

from lenticular.celery import app as celery_app

__all__ = ["celery_app"]
