"""The classify API: trees, next subjects, classifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from lenticular.accounts.api import VolunteersView
from lenticular.accounts.models import User
from lenticular.accounts.web import SignedOutError, signed_name
from lenticular.classify.api_parts import (
    BadEntryError,
    BatchSerializer,
    CountSerializer,
    clock_skew,
    named_uuid,
    named_volunteer,
    read_entry,
)
from lenticular.classify.authors import author_of
from lenticular.classify.echoes import echo_of
from lenticular.classify.practice import feedback_of
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
    from rest_framework.request import Request

    from lenticular.accounts.models import Volunteer
    from lenticular.classify.services import Recorded


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
    `volunteer` is to come back with each answer to these; null for accounts.
    """

    subjects = ServedSerializer(many=True)
    remaining = serializers.BooleanField()
    version = serializers.IntegerField()
    volunteer = serializers.CharField(allow_null=True)


class EchoSerializer(serializers.Serializer[Any]):
    """What others said of a subject that was just answered."""

    text = serializers.CharField()
    url = serializers.CharField()


class FeedbackStepSerializer(serializers.Serializer[Any]):
    """One question of a practice galaxy, in words."""

    question = serializers.CharField()
    yours = serializers.CharField()
    expert = serializers.CharField()
    agrees = serializers.BooleanField()
    help = serializers.CharField(allow_blank=True)


class FeedbackSerializer(serializers.Serializer[Any]):
    """How the answers to a practice galaxy compare with the experts'."""

    agrees = serializers.BooleanField()
    title = serializers.CharField()
    text = serializers.CharField()
    url = serializers.CharField()
    thumb = serializers.CharField(allow_blank=True)
    steps = FeedbackStepSerializer(many=True)


class ResultSerializer(serializers.Serializer[Any]):
    """What became of one entry; a refused or signed-out one carries a problem document."""

    uuid = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(["recorded", "already-recorded", "refused", "signed-out"])
    echo = EchoSerializer(required=False)
    feedback = FeedbackSerializer(required=False)
    problem = serializers.DictField(required=False)


@dataclass(frozen=True)
class Asker:
    """Who sends a batch, and by how many seconds their clock is ahead."""

    volunteer: Volunteer
    is_signed_in: bool
    clock_skew: int | None


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
            "volunteer": signed_name(volunteer),
        }
        return self.respond(request, volunteer, body, status.HTTP_200_OK)


class ClassificationsView(VolunteersView):
    """Classifications, in batches."""

    @extend_schema(request=BatchSerializer, responses={207: ResultSerializer(many=True)})
    def post(self, request: Request) -> Response:
        """Record each entry by itself; a repeated UUID answers as the first did."""
        entries = _entries(request.data)
        volunteer = self.volunteer(request)
        asker = Asker(volunteer, isinstance(request.user, User), clock_skew(request.data))
        results = [_record(asker, raw) for raw in entries]
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


def _record(asker: Asker, raw: object) -> dict[str, Any]:
    uuid = named_uuid(raw)
    try:
        entry = read_entry(raw, clock_skew=asker.clock_skew)
        author = author_of(
            uuid=entry.uuid,
            name=named_volunteer(raw),
            asking=asker.volunteer,
            is_signed_in=asker.is_signed_in,
        )
    except BadEntryError as error:
        return {"uuid": uuid, "status": "refused", "problem": problem_document(error)}
    except SignedOutError as error:
        return {"uuid": uuid, "status": "signed-out", "problem": problem_document(error)}
    return _result(record_classifications(volunteer=author, batch=[entry])[0])


def _result(outcome: Outcome) -> dict[str, Any]:
    uuid = str(outcome.uuid)
    if outcome.error is not None:
        return {"uuid": uuid, "status": "refused", "problem": problem_document(outcome.error)}
    if outcome.recorded is None or not outcome.recorded.created:
        return {"uuid": uuid, "status": "already-recorded"}
    return {"uuid": uuid, "status": "recorded", **_told(outcome.recorded)}


def _told(recorded: Recorded) -> dict[str, Any]:
    """Return what the volunteer may now read: an echo of the others, or practice's feedback."""
    if feedback := feedback_of(recorded.classification):
        return {"feedback": feedback.to_dict()}
    echo = echo_of(recorded.classification, recorded.tally)
    return {"echo": {"text": echo.text, "url": echo.url}}
