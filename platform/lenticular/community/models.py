"""Favourites, collections, comments, reports, and what moderators did about them.

Everything belongs to a volunteer. What an anonymous one made stays in its name when it is
merged into an account: reads go over all identities of a person.
"""

from __future__ import annotations

import secrets

from django.db import models
from django.urls import reverse

from lenticular.accounts.models import User, Volunteer
from lenticular.subjects.models import Subject

NAME_LENGTH = 80
DESCRIPTION_LENGTH = 1000
COMMENT_LENGTH = 2000
REASON_LENGTH = 500
TOKEN_BYTES = 16
TOKEN_LENGTH = 22


def new_token() -> str:
    """Return 22 characters that nobody guesses: 128 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


class Favourite(models.Model):
    """A subject that a volunteer wants to find again."""

    volunteer = models.ForeignKey(Volunteer, on_delete=models.CASCADE, related_name="+")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["volunteer", "subject"], name="favourite_once"),
        ]

    def __str__(self) -> str:
        return f"{self.volunteer_id}: {self.subject_id}"


class Collection(models.Model):
    """Subjects that a volunteer has put together; whoever knows the token may look."""

    token = models.CharField(max_length=TOKEN_LENGTH, unique=True, default=new_token)
    owner = models.ForeignKey(Volunteer, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=NAME_LENGTH)
    description = models.CharField(max_length=DESCRIPTION_LENGTH, blank=True)
    is_listed = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["is_listed", "-id"], name="listed_collections")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address that is shared."""
        return reverse("collection", args=[self.token])


class CollectionMember(models.Model):
    """A subject in a collection, at its place."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="members")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["collection", "subject"], name="collected_once"),
        ]

    def __str__(self) -> str:
        return f"{self.collection_id}: {self.subject_id}"


class CommentState(models.TextChoices):
    """Who keeps a comment from being read, if anybody does."""

    VISIBLE = "visible"
    HELD = "held"
    HIDDEN = "hidden"
    REMOVED = "removed"


class Comment(models.Model):
    """What somebody with an account said about a subject; plain text.

    Held: reported often, until a moderator looks. Hidden: by a moderator. Removed: by its
    author, the text with it.
    """

    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="+")
    author = models.ForeignKey(Volunteer, null=True, on_delete=models.SET_NULL, related_name="+")
    text = models.TextField(max_length=COMMENT_LENGTH)
    state = models.CharField(max_length=8, choices=CommentState, default=CommentState.VISIBLE)
    created_at = models.DateTimeField(auto_now_add=True)
    edited_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["subject", "-id"], name="comments_of_subject"),
            models.Index(fields=["author", "-created_at"], name="comments_of_author"),
            models.Index(fields=["state", "-id"], name="comments_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.subject_id}: {self.text[:40]}"

    def get_absolute_url(self) -> str:
        """Return the place of the comment on its galaxy's page."""
        return f"{reverse('galaxy', args=[self.subject_id])}#comment-{self.pk}"


class ReportReason(models.TextChoices):
    """Why a comment is reported."""

    RUDE = "rude"
    SPAM = "spam"
    PRIVATE = "private"
    OTHER = "other"


class CommentReport(models.Model):
    """One person's report of a comment; open until a moderator has looked."""

    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="reports")
    reporter = models.ForeignKey(Volunteer, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=8, choices=ReportReason)
    note = models.CharField(max_length=REASON_LENGTH, blank=True)
    is_open = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["comment", "reporter"], name="reported_once"),
        ]
        indexes = [models.Index(fields=["is_open", "comment"], name="open_reports")]

    def __str__(self) -> str:
        return f"{self.comment_id}: {self.reason}"


class Suspension(models.Model):
    """An account that may not comment, and why."""

    volunteer = models.OneToOneField(Volunteer, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=REASON_LENGTH)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.volunteer_id}: {self.reason}"


class Act(models.TextChoices):
    """What a moderator does."""

    HIDE = "hide"
    RESTORE = "restore"
    DISMISS = "dismiss"
    SUSPEND = "suspend"
    LIFT = "lift"


class ModerationAct(models.Model):
    """One act of a moderator: about which comment or whose account, when and why."""

    act = models.CharField(max_length=8, choices=Act)
    moderator = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    comment = models.ForeignKey(Comment, null=True, on_delete=models.SET_NULL, related_name="acts")
    volunteer = models.ForeignKey(Volunteer, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=REASON_LENGTH)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.act}: {self.reason}"
