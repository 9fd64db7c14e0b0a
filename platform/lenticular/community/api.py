"""The favourites API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from lenticular.accounts.api import VolunteersView
from lenticular.community.pages import visitor
from lenticular.community.selectors import favourite_ids
from lenticular.community.services import set_favourite
from lenticular.subjects.selectors import get_subject

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request


class FavouriteSerializer(serializers.Serializer[Any]):
    """Whether a subject is a favourite."""

    favourite = serializers.BooleanField()


class FavouriteView(VolunteersView):
    """One subject among the caller's favourites."""

    @extend_schema(responses=FavouriteSerializer)
    def get(self, request: Request, subject_id: int) -> Response:
        """Return whether the subject is a favourite; nobody becomes a volunteer by asking."""
        subject = get_subject(subject_id=subject_id)
        volunteer = visitor(cast("HttpRequest", request))
        found = favourite_ids(volunteer=volunteer, subject_ids=[subject.pk])
        return Response({"favourite": bool(found)})

    @extend_schema(request=FavouriteSerializer, responses=FavouriteSerializer)
    def post(self, request: Request, subject_id: int) -> Response:
        """Make the subject a favourite, or none any more; idempotent."""
        subject = get_subject(subject_id=subject_id)
        asked = FavouriteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        volunteer = self.volunteer(request)
        body = {
            "favourite": set_favourite(
                volunteer=volunteer,
                subject_id=subject.pk,
                favourite=asked.validated_data["favourite"],
            )
        }
        return self.respond(request, volunteer, body, status.HTTP_200_OK)
