"""Reads of favourites, collections and comments, and of a person's counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet

from lenticular.accounts.models import Role, User, Volunteer
from lenticular.accounts.selectors import canonical, identities
from lenticular.classifications.models import Classification, Kind
from lenticular.common.errors import NotFoundError
from lenticular.community.models import (
    Collection,
    CollectionMember,
    Comment,
    CommentReport,
    CommentState,
    Favourite,
    ModerationAct,
    Suspension,
)

if TYPE_CHECKING:
    from collections.abc import Collection as Sized

COVERS = 4
"""How many pictures of a collection its card shows."""


@dataclass(frozen=True)
class Counts:
    """How many galaxies a person has classified, each once, and how many in practice."""

    galaxies: int = 0
    practice: int = 0


def classification_counts(*, volunteer: Volunteer) -> Counts:
    """Count what the person has classified, over all identities, in one indexed query."""
    root = volunteer.merged_into_id or volunteer.pk
    people = Volunteer.objects.filter(Q(pk=root) | Q(merged_into=root)).values("pk")
    found = Classification.objects.filter(volunteer__in=people).aggregate(
        galaxies=Count("subject", filter=Q(kind=Kind.VOTE), distinct=True),
        practice=Count("subject", filter=Q(kind=Kind.PRACTICE), distinct=True),
    )
    return Counts(galaxies=found["galaxies"], practice=found["practice"])


def favourites_of(*, volunteer: Volunteer) -> QuerySet[Favourite]:
    """Return the person's favourites, each subject once, the latest added first."""
    mine = Favourite.objects.filter(volunteer__in=identities(volunteer))
    later = mine.filter(subject=OuterRef("subject"), pk__gt=OuterRef("pk"))
    once = mine.filter(~Exists(later)).select_related("subject")
    return once.prefetch_related("subject__images").order_by("-pk")


def favourite_ids(*, volunteer: Volunteer | None, subject_ids: Sized[int]) -> set[int]:
    """Return which of the subjects are the person's favourites."""
    if volunteer is None:
        return set()
    mine = Favourite.objects.filter(volunteer__in=identities(volunteer), subject__in=subject_ids)
    return set(mine.values_list("subject", flat=True))


def collections_of(*, volunteer: Volunteer | None) -> QuerySet[Collection]:
    """Return the person's collections, the latest changed first, each with its `size`."""
    if volunteer is None:
        return Collection.objects.none()
    mine = Collection.objects.filter(owner__in=identities(volunteer))
    return _shown(mine).order_by("-changed_at", "-id")


def listed_collections() -> QuerySet[Collection]:
    """Return the collections that are listed publicly and not empty, the latest first."""
    filled = CollectionMember.objects.filter(collection=OuterRef("pk"))
    return _shown(Collection.objects.filter(Exists(filled), is_listed=True)).order_by("-id")


def get_collection(*, token: str) -> Collection:
    """Return the collection that the token opens; raises NotFoundError where there is none."""
    found = Collection.objects.select_related("owner__user", "owner__merged_into__user")
    collection = found.filter(token=token).first()
    if collection is None:
        raise NotFoundError("no collection has this address")
    return collection


def members_of(*, collection: Collection) -> QuerySet[CollectionMember]:
    """Return what is in the collection, in its order, with images."""
    return collection.members.select_related("subject").prefetch_related("subject__images")


def _shown(found: QuerySet[Collection]) -> QuerySet[Collection]:
    """Add what a card shows: owner, `size`, and the first pictures as `covers`."""
    first = CollectionMember.objects.select_related("subject").prefetch_related("subject__images")
    people = found.select_related("owner__user", "owner__merged_into__user")
    return people.annotate(size=Count("members")).prefetch_related(
        Prefetch("members", first.order_by("position", "id")[:COVERS], to_attr="covers")
    )


def has_classified_anywhere(*, volunteer: Volunteer, subject_id: int) -> bool:
    """Tell whether the person has classified the subject, in any workflow."""
    found = Classification.objects.filter(volunteer__in=identities(volunteer), subject=subject_id)
    return found.exists()


def may_read_comments(*, user: object, volunteer: Volunteer | None, subject_id: int) -> bool:
    """Tell whether comments may reach this reader: who has classified, or may see all votes."""
    if isinstance(user, User) and user.has_role(Role.EXPERT, Role.ASTRONOMER):
        return True
    return volunteer is not None and has_classified_anywhere(
        volunteer=volunteer, subject_id=subject_id
    )


def may_moderate(user: object) -> bool:
    """Tell whether the user moderates comments: experts and admins do."""
    return isinstance(user, User) and user.has_role(Role.EXPERT)


def comments_of(*, subject_id: int) -> QuerySet[Comment]:
    """Return the subject's comments, the latest first."""
    return _with_author(Comment.objects.filter(subject=subject_id)).order_by("-id")


def get_comment(*, comment_id: int) -> Comment:
    """Return one comment with author and subject; raises NotFoundError where there is none."""
    comment = _with_author(Comment.objects.filter(pk=comment_id)).first()
    if comment is None:
        raise NotFoundError(f"comment {comment_id} does not exist")
    return comment


def suspension_of(*, volunteer: Volunteer) -> Suspension | None:
    """Return why the person may not comment, if that is so."""
    return Suspension.objects.filter(volunteer=canonical(volunteer)).first()


def comments_to_moderate(*, show: str) -> QuerySet[Comment]:
    """Return comments with their reports and acts.

    Parameters
    ----------
    show
        ``reported``: with open reports, the most reported first. ``hidden``: by a moderator.
        ``all``: every one that is not removed. The latest first otherwise.
    """
    counted = (
        _with_author(Comment.objects.exclude(state=CommentState.REMOVED))
        .annotate(open_reports=Count("reports", filter=Q(reports__is_open=True)))
        .prefetch_related(
            Prefetch("reports", _people(CommentReport.objects.order_by("-is_open", "id"))),
            Prefetch("acts", ModerationAct.objects.select_related("moderator").order_by("-id")),
        )
    )
    if show == "reported":
        reported = counted.filter(Q(open_reports__gt=0) | Q(state=CommentState.HELD))
        return reported.order_by("-open_reports", "-id")
    if show == "hidden":
        counted = counted.filter(state=CommentState.HIDDEN)
    return counted.order_by("-id")


def suspensions() -> QuerySet[Suspension]:
    """Return who may not comment, the latest first."""
    return Suspension.objects.select_related("volunteer__user").order_by("-id")


def latest_acts(*, limit: int) -> QuerySet[ModerationAct]:
    """Return what moderators did last."""
    found = ModerationAct.objects.select_related("moderator", "comment", "volunteer__user")
    return found.order_by("-id")[:limit]


def suspended_ids(*, volunteer_ids: Sized[int]) -> set[int]:
    """Return which of these volunteers may not comment."""
    found = Suspension.objects.filter(volunteer__in=volunteer_ids)
    return set(found.values_list("volunteer", flat=True))


def _with_author(comments: QuerySet[Comment]) -> QuerySet[Comment]:
    return comments.select_related("subject", "author__user", "author__merged_into__user")


def _people(reports: QuerySet[CommentReport]) -> QuerySet[CommentReport]:
    return reports.select_related("reporter__user", "reporter__merged_into__user")
