"""The API for running a workflow's rounds: rule, dry run, warnings, models, disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from lenticular.rounds import comparing, estimates, health, pruning, rolling, rules, scheduling
from lenticular.rounds import selectors as reads
from lenticular.rounds.api import OverrideSerializer, RoundSerializer, RunsRounds
from lenticular.rounds.models import Round, RoundRule
from lenticular.workflows.models import Workflow

if TYPE_CHECKING:
    from rest_framework.request import Request

    from lenticular.accounts.models import User

ANYTHING = OpenApiTypes.OBJECT


class RuleSerializer(serializers.ModelSerializer[RoundRule]):
    """When the schedule starts rounds."""

    class Meta:
        """The rule's fields that people set."""

        model = RoundRule
        fields = scheduling.SETTABLE


class DryRunSerializer(serializers.Serializer[Any]):
    """The settings to try; `config` goes over what the workflow's rule keeps."""

    config = serializers.DictField(required=False, default=dict)
    from_defaults = serializers.BooleanField(default=False)


class PruneSerializer(serializers.Serializer[Any]):
    """How many of the latest rounds keep their files; without `delete` nothing goes."""

    keep = serializers.IntegerField(min_value=0)
    delete = serializers.BooleanField(default=False)


class CompareSerializer(serializers.Serializer[Any]):
    """Numbers of the two rounds."""

    new = serializers.IntegerField()
    old = serializers.IntegerField()


class _OperatorView(APIView):
    permission_classes = (IsAuthenticated, RunsRounds)


def _workflow(slug: str) -> Workflow:
    return get_object_or_404(Workflow.objects.select_related("current_version"), slug=slug)


def _user(request: Request) -> User:
    """Return the user, whom `RunsRounds` has let in."""
    return cast("User", request.user)


def _checked(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return cast("dict[str, Any]", serializer.validated_data)


class RuleView(_OperatorView):
    """The schedule of a workflow, and why no round starts."""

    @extend_schema(responses=ANYTHING)
    def get(self, request: Request, slug: str) -> Response:
        """Return the rule, and every reason why a round would not start now."""
        del request
        return Response(_rule(_workflow(slug)))

    @extend_schema(request=RuleSerializer, responses=ANYTHING)
    def patch(self, request: Request, slug: str) -> Response:
        """Change the rule; what is left out stays."""
        workflow = _workflow(slug)
        changes = _checked(RuleSerializer(data=request.data, partial=True))
        scheduling.set_round_rule(workflow=workflow, user=_user(request), changes=changes)
        return Response(_rule(workflow))


def _rule(workflow: Workflow) -> dict[str, Any]:
    reasons = [reason.to_dict() for reason in rules.why_not(workflow=workflow)]
    return {"rule": RuleSerializer(rules.rule_of(workflow=workflow)).data, "reasons": reasons}


class DryRunView(_OperatorView):
    """Says what a round would be."""

    @extend_schema(request=DryRunSerializer, responses=ANYTHING)
    def post(self, request: Request, slug: str) -> Response:
        """Return what a round would read, change and cost; nothing is written."""
        workflow = _workflow(slug)
        found = estimates.dry_run(
            workflow=workflow, **_checked(DryRunSerializer(data=request.data))
        )
        return Response(found.to_dict())


class ChecksView(_OperatorView):
    """Warnings."""

    @extend_schema(responses=ANYTHING)
    def get(self, request: Request, slug: str) -> Response:
        """Return saturation, careless volunteers, arms and drift."""
        del request
        found = health.checks(workflow=_workflow(slug))
        return Response({"checks": [check.to_dict() for check in found]})


class CompareView(_OperatorView):
    """Two models."""

    @extend_schema(parameters=[CompareSerializer], responses=ANYTHING)
    def get(self, request: Request, slug: str) -> Response:
        """Compare the models of two rounds on the control panel: 400 where that cannot be."""
        asked = _checked(CompareSerializer(data=request.query_params))
        rounds = Round.objects.select_related("version").filter(workflow__slug=slug)
        new, old = (get_object_or_404(rounds, number=asked[name]) for name in ("new", "old"))
        return Response(comparing.compare_models(new=new, old=old).to_dict())


class RollBackView(_OperatorView):
    """Rolls back."""

    @extend_schema(request=OverrideSerializer, responses=RoundSerializer)
    def post(self, request: Request, round_id: int) -> Response:
        """Make the round's model current again: 409 where that cannot be."""
        round_ = reads.get_round(round_id=round_id)
        asked = _checked(OverrideSerializer(data=request.data))
        rolling.roll_back(round=round_, user=_user(request), **asked)
        return Response(reads.round_snapshot(round_))


class SetAsideView(_OperatorView):
    """Sets a damaged model aside."""

    @extend_schema(request=OverrideSerializer, responses={204: None})
    def post(self, request: Request, slug: str) -> Response:
        """Leave the workflow without its damaged model, for a reason: 409 for a whole one."""
        asked = _checked(OverrideSerializer(data=request.data))
        rolling.set_model_aside(workflow=_workflow(slug), user=_user(request), **asked)
        return Response(status=status.HTTP_204_NO_CONTENT)


class DiskView(_OperatorView):
    """The files of the rounds."""

    @extend_schema(request=PruneSerializer, responses=ANYTHING)
    def post(self, request: Request, slug: str) -> Response:
        """Say what each round's files take and which would go; with `delete`, remove those."""
        workflow, asked = _workflow(slug), _checked(PruneSerializer(data=request.data))
        if asked["delete"]:
            found = pruning.prune_rounds(workflow=workflow, user=_user(request), keep=asked["keep"])
        else:
            found = pruning.disk_use(workflow=workflow, keep=asked["keep"])
        rounds = [
            {"number": each.round.number, "bytes": each.bytes, "kept_because": each.kept_because}
            for each in found.rounds
        ]
        return Response(
            {
                "rounds": rounds,
                "shared_bytes": found.shared_bytes,
                "prunable_bytes": found.prunable_bytes,
                "deleted": asked["delete"],
            }
        )
