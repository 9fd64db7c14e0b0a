"""The classify API: trees, next subjects, classifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.authentication import TokenAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from lenticular.accounts.web import remember_volunteer, volunteer_for_request
from lenticular.classify.api_parts import (
    ACCOUNT_HEADER,
    BadEntryError,
    BatchSerializer,
    BoundedJSONParser,
    CountSerializer,
    SignedOutError,
    VolunteerCookieAuthentication,
    clock_skew,
    named_uuid,
    read_entry,
)
from lenticular.classify.echoes import echo_of
from lenticular.classify.services import (
    MAX_BATCH,
    Outcome,
    record_classifications,
)
from lenticular.classify.serving import served_subjects
from lenticular.common.errors import InvalidInputError
from lenticular.common.problems import problem_document
from lenticular.selection.services import lease_subjects
from lenticular.workflows.selectors import current_version, get_workflow

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

    from lenticular.accounts.models import Volunteer


class WorkflowSerializer(serializers.Serializer[Any]):
    """A workflow and the tree that it asks now."""

    slug = serializers.CharField()
    name = serializers.CharField()
    is_open = serializers.BooleanField()
    version = serializers.IntegerField()
    tree = serializers.DictField()


class ServedSerializer(serializers.Serializer[Any]):
    """One subject on lease; it tells nothing of votes, arm or prediction."""

    id = serializers.IntegerField()
    external_id = serializers.CharField()
    images = serializers.DictField(child=serializers.CharField())
    renderings = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    metadata = serializers.DictField()
    expires_at = serializers.DateTimeField()


class NextSerializer(serializers.Serializer[Any]):
    """Subjects to classify; `remaining` is false once no more is left for the volunteer.

    `version` is what is asked now: a browser whose tree is another one reads it anew.
    """

    subjects = ServedSerializer(many=True)
    remaining = serializers.BooleanField()
    version = serializers.IntegerField()


class EchoSerializer(serializers.Serializer[Any]):
    """What others said of a subject that was just answered."""

    text = serializers.CharField()
    url = serializers.CharField()


class ResultSerializer(serializers.Serializer[Any]):
    """What became of one entry; a refused one carries a problem document."""

    uuid = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(["recorded", "already-recorded", "refused"])
    echo = EchoSerializer(required=False)
    problem = serializers.DictField(required=False)


class VolunteersView(APIView):
    """Open to programs with a token, to accounts, and to anonymous browsers."""

    authentication_classes = (TokenAuthentication, VolunteerCookieAuthentication)
    parser_classes = (BoundedJSONParser,)
    permission_classes = (AllowAny,)

    def volunteer(self, request: Request) -> Volunteer:
        """Return who is asking; a new browser becomes a volunteer.

        Raises
        ------
        SignedOutError
            Where the page was made for an account that is not signed in any more.
        """
        account = request.headers.get(ACCOUNT_HEADER)
        if account is not None and account != str(request.user.pk):
            raise SignedOutError("the page is of an account that is not signed in any more")
        return volunteer_for_request(cast("HttpRequest", request))

    def respond(self, request: Request, volunteer: Volunteer, body: Any, code: int) -> Response:
        """Respond, and have an anonymous browser keep who it is."""
        response = Response(body, status=code)
        remember_volunteer(cast("HttpRequest", request), response, volunteer)
        return response


class WorkflowView(APIView):
    """One workflow."""

    @extend_schema(responses=WorkflowSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Return the workflow and its current tree, in every language that it has."""
        del request
        workflow = get_workflow(slug=slug)
        version = current_version(workflow)
        document = {
            "slug": workflow.slug,
            "name": workflow.name,
            "is_open": workflow.is_open,
            "version": version.pk,
            "tree": version.tree.to_dict(),
        }
        return Response(document)


class NextView(VolunteersView):
    """The next subjects of one workflow."""

    @extend_schema(request=CountSerializer, responses=NextSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Lease subjects to the volunteer: those in hand first, then new ones."""
        workflow = get_workflow(slug=slug)
        asked = CountSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        count = asked.validated_data["count"]
        volunteer = self.volunteer(request)
        leases = lease_subjects(workflow=workflow, volunteer=volunteer, count=count)
        body = {
            "subjects": served_subjects(leases),
            "remaining": len(leases) == count,
            "version": current_version(workflow).pk,
        }
        return self.respond(request, volunteer, body, status.HTTP_200_OK)


class ClassificationsView(VolunteersView):
    """Classifications, in batches."""

    @extend_schema(request=BatchSerializer, responses={207: ResultSerializer(many=True)})
    def post(self, request: Request) -> Response:
        """Record each entry by itself; a repeated UUID answers as the first did."""
        entries = _entries(request.data)
        volunteer = self.volunteer(request)
        skew = clock_skew(request.data)
        results = [_record(volunteer, raw, skew) for raw in entries]
        return self.respond(request, volunteer, results, status.HTTP_207_MULTI_STATUS)


def _entries(body: object) -> list[object]:
    entries = body.get("classifications") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise InvalidInputError("classifications must be a list, is not there or is not one")
    if len(entries) > MAX_BATCH:
        raise InvalidInputError(
            f"classifications must have at most {MAX_BATCH} entries, has {len(entries)}"
        )
    return entries


def _record(volunteer: Volunteer, raw: object, skew: int | None) -> dict[str, Any]:
    try:
        entry = read_entry(raw, clock_skew=skew)
    except BadEntryError as error:
        return {"uuid": named_uuid(raw), "status": "refused", "problem": problem_document(error)}
    return _result(record_classifications(volunteer=volunteer, batch=[entry])[0])


def _result(outcome: Outcome) -> dict[str, Any]:
    uuid = str(outcome.uuid)
    if outcome.error is not None:
        return {"uuid": uuid, "status": "refused", "problem": problem_document(outcome.error)}
    if outcome.recorded is None or not outcome.recorded.created:
        return {"uuid": uuid, "status": "already-recorded"}
    echo = echo_of(outcome.recorded.classification)
    return {
        "uuid": uuid,
        "status": "recorded",
        "echo": {"text": echo.text, "url": echo.url},
    }
