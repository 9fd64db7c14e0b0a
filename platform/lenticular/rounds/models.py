"""Rounds, their stages, the models they make and the galaxies they flag."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _

from lenticular.accounts.models import User
from lenticular.subjects.models import Subject
from lenticular.workflows.models import Workflow, WorkflowVersion

STAGES = ("snapshot", "train", "evaluate", "predict", "acquire", "flag", "publish")


class RoundState(models.TextChoices):
    """Where a round stands; pending and running rounds are active."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE_STATES = (RoundState.PENDING, RoundState.RUNNING)


class Verdict(models.TextChoices):
    """What the gate said of the new model; an outdated one answers a tree of before."""

    NONE = ""
    ACCEPTED = "accepted"
    REFUSED = "refused"
    OVERRIDDEN = "overridden"
    OUTDATED = "outdated"


class Round(models.Model):
    """One retraining round; reproducible from what it records.

    `pool` is how many galaxies it reads, with votes or without; `attempts` how often a worker
    has taken it up since an admin last started or resumed it.
    `claimed_by` and `heartbeat_at` tell which worker has it and when that worker was last
    heard; a running round not heard for LENTICULAR_ROUND_STALL_SECONDS may be taken up by another.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="rounds")
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=RoundState, default=RoundState.PENDING)
    requested_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    seed = models.BigIntegerField()
    config = models.JSONField(default=dict)
    code_version = models.CharField(max_length=80)
    hardware = models.JSONField(default=dict)
    catalogue_checksum = models.CharField(max_length=64, blank=True)
    votes = models.PositiveBigIntegerField(default=0)
    pool = models.PositiveBigIntegerField(default=0)
    evaluation = models.JSONField(default=dict)
    verdict = models.CharField(max_length=10, choices=Verdict, blank=True, default=Verdict.NONE)
    verdict_reason = models.TextField(blank=True)
    error = models.TextField(blank=True)
    cancel_requested = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_by = models.CharField(max_length=120, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="one_round_per_number"),
            models.UniqueConstraint(
                fields=["workflow"],
                condition=Q(state__in=("pending", "running")),
                name="one_active_round_per_workflow",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} round {self.number}"

    @property
    def is_active(self) -> bool:
        """Whether the round is still to do or being done."""
        return self.state in ACTIVE_STATES

    @property
    def artefacts(self) -> str:
        """The folder of the round's files in the artefact store."""
        return f"rounds/{self.workflow.slug}/{self.number:05d}"


class RoundStage(models.Model):
    """One stage of a round and how far it is."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="stages")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=20)
    progress = models.FloatField(default=0.0)
    message = models.CharField(max_length=300, blank=True)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["round", "name"], name="one_stage_per_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.progress:.0%}"


class TrainedModel(models.Model):
    """A model that a round made; at most one per workflow is the current one."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="models")
    round = models.OneToOneField(Round, on_delete=models.PROTECT, related_name="model")
    artefacts = models.CharField(max_length=200)
    checksum = models.CharField(max_length=64)
    origin = models.JSONField(default=dict)
    is_current = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workflow"], condition=Q(is_current=True), name="one_current_model"
            ),
        ]

    def __str__(self) -> str:
        return f"model of {self.round}"


class RollBack(models.Model):
    """An earlier model that an admin has made the current one again, and why.

    `replaced` is the round whose model was the current one until then. Where `round` is None
    nothing took the place of that one: it was damaged, and was set aside.
    """

    round = models.ForeignKey(Round, null=True, on_delete=models.PROTECT, related_name="roll_backs")
    replaced = models.ForeignKey(Round, null=True, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        done = f"back to {self.round}" if self.round else f"{self.replaced} set aside"
        return f"{done}: {self.why}"

    @property
    def why(self) -> str:
        """The reason, or that none was given."""
        return self.reason or _("no reason given")


class RoundRule(models.Model):
    """When the schedule starts rounds of a workflow; every condition must hold.

    `new_votes` are votes since the last round that ended well; `hours_between` passes since
    the last round began, however it ended; `training_galaxies` and `panel_galaxies` have
    votes outside and in the control panel. `config` are the settings of those rounds.
    """

    workflow = models.OneToOneField(Workflow, on_delete=models.CASCADE, related_name="round_rule")
    is_on = models.BooleanField(default=False)
    new_votes = models.PositiveIntegerField(default=500, validators=[MinValueValidator(1)])
    hours_between = models.PositiveIntegerField(default=24, validators=[MaxValueValidator(8784)])
    training_galaxies = models.PositiveIntegerField(default=20, validators=[MinValueValidator(2)])
    panel_galaxies = models.PositiveIntegerField(default=5, validators=[MinValueValidator(2)])
    config = models.JSONField(default=dict, blank=True)
    changed_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"schedule of {self.workflow}: {'on' if self.is_on else 'off'}"


class FlagState(models.TextChoices):
    """Whether an expert has looked at a flagged galaxy."""

    OPEN = "open"
    MISLABEL = "mislabel"
    VOTES_RIGHT = "votes-right"
    UNSURE = "unsure"


class FlagStratum(models.TextChoices):
    """Which part of the judged galaxies a row stands for; all but the first are spot checks."""

    FLAGGED = "flagged"
    NEXT = "next"
    REST = "rest"


class MislabelFlag(models.Model):
    """A galaxy for experts to look at: its votes surprise models that never saw them.

    `p_value` is the tail mass of the votes under the predictive, `q_value` the
    false discovery rate at which it is flagged, `observed` and `expected` vote fractions
    by answer. A spot check, of another `stratum` than the flagged, surprised none: it was
    drawn at random, to count wrong labels.
    """

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="flags")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="+")
    question = models.CharField(max_length=64)
    rank = models.PositiveIntegerField()
    stratum = models.CharField(max_length=8, choices=FlagStratum, default=FlagStratum.FLAGGED)
    p_value = models.FloatField()
    q_value = models.FloatField()
    observed = models.JSONField()
    expected = models.JSONField()
    reason = models.TextField()
    state = models.CharField(max_length=12, choices=FlagState, default=FlagState.OPEN)

    class Meta:
        ordering = ["rank"]
        constraints = [
            models.UniqueConstraint(fields=["round", "subject"], name="flagged_once_per_round"),
        ]

    def __str__(self) -> str:
        return f"{self.subject_id}: {self.reason}"

    @property
    def is_spot_check(self) -> bool:
        """Whether it was drawn at random, not flagged."""
        return self.stratum != FlagStratum.FLAGGED
