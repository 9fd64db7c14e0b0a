"""The releases API: open to all, and read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import generics, serializers
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import AllowAny
from rest_framework.reverse import reverse

from lenticular.releases import documents, presentation, selectors
from lenticular.releases.models import Release, ReleaseFile

if TYPE_CHECKING:
    from django.db.models import QuerySet


class FileSerializer(serializers.ModelSerializer[ReleaseFile]):
    """One file and where to get it."""

    url = serializers.SerializerMethodField()

    class Meta:
        """Fields."""

        model = ReleaseFile
        fields = ("name", "bytes", "sha256", "description", "url")

    @extend_schema_field(serializers.URLField())
    def get_url(self, file: ReleaseFile) -> str:
        """Return the address of the file."""
        release: Release = self.context["release"]
        address = [release.workflow.slug, release.number, file.name]
        return reverse("release-file", args=address, request=self.context.get("request"))


class ReleaseSerializer(serializers.ModelSerializer[Release]):
    """A release with its files."""

    workflow = serializers.CharField(source="workflow.slug")
    workflow_version = serializers.IntegerField(source="version.number")
    model_round = serializers.IntegerField(source="round.number", allow_null=True, default=None)
    page = serializers.SerializerMethodField()
    citation = serializers.SerializerMethodField()
    files = serializers.SerializerMethodField()

    class Meta:
        """Fields."""

        model = Release
        fields: tuple[str, ...] = (
            "workflow",
            "number",
            "title",
            "created_at",
            "workflow_version",
            "model_round",
            "last_classification_id",
            "subjects",
            "votes",
            "citation",
            "page",
            "files",
        )

    @extend_schema_field(serializers.URLField())
    def get_page(self, release: Release) -> str:
        """Return the address of the page for people."""
        address = [release.workflow.slug, release.number]
        return reverse("release", args=address, request=self.context.get("request"))

    def get_citation(self, release: Release) -> str:
        """Return the line for a list of references."""
        return documents.citation(presentation.facts(release))

    @extend_schema_field(FileSerializer(many=True))
    def get_files(self, release: Release) -> Any:
        """Return the files, each with its address."""
        context = {**self.context, "release": release}
        return FileSerializer(release.files.all(), many=True, context=context).data


class ReleaseDetailSerializer(ReleaseSerializer):
    """A release with its provenance too."""

    class Meta(ReleaseSerializer.Meta):
        """Fields."""

        fields = (*ReleaseSerializer.Meta.fields, "provenance")


class LatestFirst(CursorPagination):
    """Pages of releases, the latest first."""

    ordering = "-id"


class ReleasesView(generics.ListAPIView[Release]):
    """Every release, the latest first."""

    permission_classes = (AllowAny,)
    serializer_class = ReleaseSerializer
    pagination_class = LatestFirst

    def get_queryset(self) -> QuerySet[Release]:
        """Return every release."""
        return selectors.releases()


class ReleaseView(generics.RetrieveAPIView[Release]):
    """One release with its provenance."""

    permission_classes = (AllowAny,)
    serializer_class = ReleaseDetailSerializer

    def get_object(self) -> Release:
        """Return the release; a problem document with 404 where there is none."""
        return selectors.get_release(slug=self.kwargs["slug"], number=self.kwargs["number"])
