"""Look-alikes and the heat map beside a flag."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.urls import reverse
from PIL import Image

from lenticular.accounts.models import Role
from lenticular.common.errors import NotFoundError
from lenticular.review.evidence import evidence_of, picture_path
from lenticular.rounds.selectors import prediction_id
from lenticular.rounds.workspace import stage_folder

pytestmark = pytest.mark.django_db


@pytest.fixture
def explained(universe, flag):
    """Keep two look-alikes, one that is gone, and a picture of the first flag."""
    folder = stage_folder(flag.round, "flag").path
    alike = [prediction_id(each) for each in universe.subjects[5:7]]
    alike.insert(1, f"{universe.subjects[0].survey.slug}:gone")
    rows = {
        "id_str": [prediction_id(flag.subject)],
        "alike": pa.array([alike], pa.list_(pa.string())),
        "picture": ["0000.png"],
    }
    pq.write_table(pa.table(rows), folder / "evidence.parquet")
    (folder / "looked-at").mkdir()
    Image.new("RGB", (24, 24)).save(folder / "looked-at" / "0000.png")
    return flag


def picture(flag):
    return reverse("review-flag-picture", args=[flag.pk])


def test_shows_who_looks_alike_and_what_the_network_looked_at(client_of, universe, explained):
    shown = client_of(Role.EXPERT).get(reverse("review-flag", args=[explained.pk]))
    content = shown.content.decode()
    found = shown.context["evidence"].alike
    assert [each.subject for each in found] == universe.subjects[5:7]
    assert all(each.image in content for each in found)
    assert picture(explained) in content
    assert "in grey; amber marks the light that made the network say" in content


def test_a_round_without_evidence_shows_none(client_of, flags):
    found = evidence_of(flags[1])
    assert (found.alike, found.has_picture) == ([], False)
    shown = client_of(Role.EXPERT).get(reverse("review-flag", args=[flags[1].pk]))
    assert "What speaks for" not in shown.content.decode()
    assert client_of(Role.EXPERT).get(picture(flags[1])).status_code == 404


def test_another_flag_of_the_round_has_none_of_it(explained, flags):
    assert evidence_of(flags[1]).alike == []
    with pytest.raises(NotFoundError, match="has no picture"):
        picture_path(flags[1])


def test_a_damaged_file_is_as_none(explained):
    folder = stage_folder(explained.round, "flag").path
    (folder / "evidence.parquet").write_bytes(b"PAR1 no more")
    assert evidence_of(explained).alike == []


def test_a_picture_that_was_cleared_away_is_not_found(client_of, explained):
    picture_path(explained).unlink()
    assert client_of(Role.EXPERT).get(picture(explained)).status_code == 404


class TestThePicture:
    def test_experts_get_it(self, client_of, explained):
        answer = client_of(Role.EXPERT).get(picture(explained))
        assert answer["Content-Type"] == "image/png"
        assert b"".join(answer.streaming_content).startswith(b"\x89PNG")
        assert "private" in answer["Cache-Control"]

    def test_anonymous_people_are_sent_to_sign_in(self, client, explained):
        answer = client.get(picture(explained))
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("sign-in"))

    @pytest.mark.parametrize("role", [Role.VOLUNTEER, Role.ASTRONOMER])
    def test_others_are_refused(self, client_of, explained, role):
        assert client_of(role).get(picture(explained)).status_code == 403

    def test_of_no_flag_there_is_none(self, client_of, explained):
        assert (
            client_of(Role.EXPERT).get(reverse("review-flag-picture", args=[0])).status_code == 404
        )
