"""The rounds API, for admins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from lenticular.rounds import selectors, services
from lenticular.workflows.models import Workflow

if TYPE_CHECKING:
    from rest_framework.request import Request

    from lenticular.accounts.models import User


class RunsRounds(BasePermission):
    """Lets admins through."""

    message = "Rounds need the role admin."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the user may run rounds."""
        del view
        return bool(getattr(request.user, "may_run_rounds", False))


def _user(request: Request) -> User:
    """Return the user, whom `RunsRounds` has let in."""
    return cast("User", request.user)


class StartSerializer(serializers.Serializer[Any]):
    """What a new round may be told; `config` goes over what the workflow's rule keeps."""

    config = serializers.DictField(required=False, default=dict)
    from_defaults = serializers.BooleanField(default=False)
    seed = serializers.IntegerField(required=False, allow_null=True, default=None)


class OverrideSerializer(serializers.Serializer[Any]):
    """Why the gate is overridden."""

    reason = serializers.CharField(allow_blank=True, default="")


class StageSerializer(serializers.Serializer[Any]):
    """One stage of a round."""

    name = serializers.CharField()
    state = serializers.ChoiceField(["waiting", "started", "finished", "failed"])
    progress = serializers.FloatField()
    message = serializers.CharField()
    error = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class RoundSerializer(serializers.Serializer[Any]):
    """A round, as `rounds.selectors.round_snapshot` gives it."""

    id = serializers.IntegerField()
    workflow = serializers.CharField()
    number = serializers.IntegerField()
    state = serializers.CharField()
    is_active = serializers.BooleanField()
    is_stalled = serializers.BooleanField()
    cancel_requested = serializers.BooleanField()
    verdict = serializers.CharField()
    verdict_reason = serializers.CharField()
    error = serializers.CharField()
    votes = serializers.IntegerField()
    seed = serializers.IntegerField()
    config = serializers.DictField()
    code_version = serializers.CharField()
    hardware = serializers.DictField()
    catalogue_checksum = serializers.CharField()
    evaluation = serializers.DictField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    stages = StageSerializer(many=True)
    page = serializers.CharField()


class RoundsView(APIView):
    """The rounds of one workflow."""

    permission_classes = (IsAuthenticated, RunsRounds)

    @extend_schema(responses=RoundSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List the workflow's rounds, the latest first."""
        del request
        rounds = selectors.rounds_of(workflow=get_object_or_404(Workflow, slug=slug))
        shown = rounds.prefetch_related("stages")[:100]
        return Response({"rounds": [selectors.round_snapshot(round_) for round_ in shown]})

    @extend_schema(request=StartSerializer, responses={201: RoundSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Start a round: 409 while one is active, 400 with too few votes."""
        workflow = get_object_or_404(Workflow, slug=slug)
        asked = StartSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        round_ = services.start_round(
            workflow=workflow, user=_user(request), **asked.validated_data
        )
        return Response(selectors.round_snapshot(round_), status=status.HTTP_201_CREATED)


class RoundView(APIView):
    """One round."""

    permission_classes = (IsAuthenticated, RunsRounds)

    @extend_schema(responses=RoundSerializer)
    def get(self, request: Request, round_id: int) -> Response:
        """Return the round as it is now."""
        del request
        return Response(selectors.round_snapshot(selectors.get_round(round_id=round_id)))


class CancelView(APIView):
    """Cancels a round."""

    permission_classes = (IsAuthenticated, RunsRounds)

    @extend_schema(request=None, responses=RoundSerializer)
    def post(self, request: Request, round_id: int) -> Response:
        """Cancel the round, or ask its worker to stop: 409 where it is not active."""
        round_ = selectors.get_round(round_id=round_id)
        changed = services.cancel_round(round=round_, user=_user(request))
        return Response(selectors.round_snapshot(changed))


class ResumeView(APIView):
    """Resumes a round."""

    permission_classes = (IsAuthenticated, RunsRounds)

    @extend_schema(request=None, responses=RoundSerializer)
    def post(self, request: Request, round_id: int) -> Response:
        """Resume a failed or cancelled round where it was: 409 for any other."""
        round_ = selectors.get_round(round_id=round_id)
        changed = services.resume_round(round=round_, user=_user(request))
        return Response(selectors.round_snapshot(changed))


class OverrideView(APIView):
    """Overrides the gate."""

    permission_classes = (IsAuthenticated, RunsRounds)

    @extend_schema(request=OverrideSerializer, responses=RoundSerializer)
    def post(self, request: Request, round_id: int) -> Response:
        """Publish a refused round for a reason: 409 for any other."""
        round_ = selectors.get_round(round_id=round_id)
        asked = OverrideSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        changed = services.override_gate(round=round_, user=_user(request), **asked.validated_data)
        return Response(selectors.round_snapshot(changed))
