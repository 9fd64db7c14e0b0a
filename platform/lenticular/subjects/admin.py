"""Subjects and imports in the admin site: to read, since services alone write them."""

from __future__ import annotations

from django.contrib import admin

from lenticular.common.admin import ReadOnlyAdmin
from lenticular.subjects.models import ImportReject, ImportRun, Subject, SubjectSet, Survey


@admin.register(Survey)
class SurveyAdmin(ReadOnlyAdmin[Survey]):
    """Surveys."""

    list_display = ("slug", "name")


@admin.register(SubjectSet)
class SubjectSetAdmin(ReadOnlyAdmin[SubjectSet]):
    """Subject sets; their members are too many to list."""

    list_display = ("slug", "name", "survey")
    list_select_related = ("survey",)
    exclude = ("subjects",)


@admin.register(Subject)
class SubjectAdmin(ReadOnlyAdmin[Subject]):
    """Subjects."""

    list_display = ("external_id", "survey", "ra", "dec")
    list_select_related = ("survey",)
    list_filter = ("survey",)
    search_fields = ("external_id",)
    show_full_result_count = False


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyAdmin[ImportRun]):
    """Imports and how they went."""

    list_display = ("source", "subject_set", "added", "already_there", "rejected", "finished_at")
    list_select_related = ("subject_set",)


@admin.register(ImportReject)
class ImportRejectAdmin(ReadOnlyAdmin[ImportReject]):
    """Rows that could not be used."""

    list_display = ("run", "row", "external_id", "code", "message")
    list_select_related = ("run__subject_set",)
    list_filter = ("code",)
