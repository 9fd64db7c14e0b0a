"""The releases pages and API, as anonymous, forbidden and allowed, and the downloads."""

import hashlib

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from lenticular.accounts.models import Role
from lenticular.releases import views
from lenticular.releases.models import Release
from lenticular.releases.services import make_release
from tests.universe import classify

pytestmark = pytest.mark.django_db


@pytest.fixture
def make(client_of, universe):
    """Return a function that posts the form as a role."""

    def send(role, **changes):
        form = {"workflow": universe.workflow.pk, "title": "Shapes of galaxies", **changes}
        return client_of(role).post(reverse("release-make"), form)

    return send


def address(release, name=None):
    place = [release.workflow.slug, release.number]
    return reverse("release-file", args=[*place, name]) if name else reverse("release", args=place)


class TestModels:
    """Whoever may see evaluations finds those of the current models beside the releases."""

    @pytest.fixture
    def evaluation(self, universe, predict):
        predict(universe, universe.subjects)
        round_ = predict(universe, universe.subjects)
        return reverse("round-evaluation", args=[universe.workflow.slug, round_.number])

    @pytest.mark.parametrize("role", [Role.ASTRONOMER, Role.ADMIN])
    def test_astronomers_are_led_to_the_evaluation(self, client_of, evaluation, role):
        shown = client_of(role).get(reverse("releases")).content.decode()
        assert f'href="{evaluation}"' in shown
        assert shown.count("/evaluation/") == 1

    @pytest.mark.parametrize("role", [None, Role.VOLUNTEER, Role.EXPERT])
    def test_others_are_not(self, client_of, evaluation, role):
        assert "/evaluation/" not in client_of(role).get(reverse("releases")).content.decode()

    def test_without_a_model_nothing_is_said(self, client_of, universe):
        shown = client_of(Role.ASTRONOMER).get(reverse("releases")).content.decode()
        assert "How good the models are" not in shown


class TestMake:
    def test_anonymous_people_are_sent_to_sign_in(self, make):
        answer = make(None)
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("sign-in"))
        assert not Release.objects.exists()

    @pytest.mark.parametrize("role", [Role.VOLUNTEER, Role.EXPERT])
    def test_others_are_refused(self, make, role):
        assert make(role).status_code == 403
        assert not Release.objects.exists()

    def test_astronomers_make_one(self, make, universe, client):
        answer = make(Role.ASTRONOMER)
        release = Release.objects.get()
        assert answer["Location"] == address(release)
        assert (release.made_by, release.votes) == (universe.astronomer, 7)
        assert "Release 1 is made." in client.get(answer["Location"]).content.decode()

    @pytest.mark.parametrize("changes", [{"title": ""}, {"title": "x" * 201}, {"workflow": 999}])
    def test_bad_input_is_told(self, make, changes):
        answer = make(Role.ASTRONOMER, **changes)
        assert answer.status_code == 400
        assert "errorlist" in answer.content.decode()

    def test_without_votes_it_is_refused(self, client, quiet_universe):
        client.force_login(quiet_universe.astronomer)
        form = {"workflow": quiet_universe.workflow.pk, "title": "Nothing"}
        answer = client.post(reverse("release-make"), form)
        assert answer.status_code == 400
        assert "must have votes to be released, has none" in answer.content.decode()

    def test_a_large_one_is_left_to_the_command(self, make, monkeypatch):
        monkeypatch.setattr(views, "AT_MOST", 11)
        answer = make(Role.ASTRONOMER)
        assert answer.status_code == 400
        assert "manage.py make_release shapes" in answer.content.decode()

    def test_needs_a_post(self, client_of):
        assert client_of(Role.ASTRONOMER).get(reverse("release-make")).status_code == 405


class TestPages:
    def test_everyone_may_read(self, client, release):
        shown = client.get(reverse("releases")).content.decode()
        assert address(release) in shown
        assert "Make the release" not in shown

    def test_astronomers_see_the_form(self, client_of):
        shown = client_of(Role.ASTRONOMER).get(reverse("releases")).content.decode()
        assert "Nothing has been released yet." in shown
        assert "Make the release" in shown

    def test_a_release_shows_files_checksums_and_citation(self, client, release):
        shown = client.get(address(release)).content.decode()
        for file in release.files.all():
            assert file.sha256 in shown
            assert address(release, file.name) in shown
        assert "The volunteers of Shapes" in shown
        assert "7 classifications of 12 galaxies by 2 volunteers" in shown
        assert "This is the first release" in shown
        assert "style=" not in shown

    def test_leads_astronomers_to_the_evaluation_of_its_model(self, client_of, universe, predict):
        predict(universe, universe.subjects)
        made = make_release(workflow=universe.workflow, user=universe.astronomer, title="Shapes")
        link = reverse("round-evaluation", args=[universe.workflow.slug, made.round.number])
        for role in (None, Role.VOLUNTEER, Role.EXPERT):
            assert link not in client_of(role).get(address(made)).content.decode()
        assert link in client_of(Role.ASTRONOMER).get(address(made)).content.decode()

    def test_a_later_one_shows_what_changed(self, client, universe, release):
        classify(universe, universe.other_anonymous, 2)
        second = make_release(workflow=universe.workflow, user=None, title="Shapes")
        assert "2 votes more." in client.get(address(second)).content.decode()

    def test_an_unknown_release_is_not_found(self, client, release):
        answer = client.get(reverse("release", args=["shapes", 9]))
        assert answer.status_code == 404
        assert "has no release 9" in answer.content.decode()


class TestDownload:
    def test_every_file_is_what_was_released(self, client, release):
        for file in release.files.all():
            answer = client.get(address(release, file.name))
            content = answer.getvalue()
            assert hashlib.sha256(content).hexdigest() == file.sha256
            assert answer["ETag"] == f'"{file.sha256}"'
            assert answer["Content-Length"] == str(file.bytes)
            wanted = f'attachment; filename="shapes-release-1-{file.name}"'
            assert answer["Content-Disposition"] == wanted
            assert "immutable" in answer["Cache-Control"]

    def test_who_has_it_need_not_fetch_it_again(self, client, release):
        file = release.files.get(name="catalogue.csv")
        headers = {"If-None-Match": f'"{file.sha256}"'}
        answer = client.get(address(release, file.name), headers=headers)
        assert answer.status_code == 304
        assert not answer.content

    def test_an_unknown_file_is_not_found(self, client, release):
        answer = client.get(address(release, "secrets.txt"))
        assert answer.status_code == 404
        assert answer["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("name", ["..%2f0001%2fREADME.md", "%2e%2e"])
    def test_nothing_else_is_served(self, client, release, name):
        assert client.get(f"/releases/shapes/1/{name}").status_code == 404

    def test_a_damaged_file_is_not_served(self, client, release, folder):
        (folder / "README.md").write_text("other words")
        answer = client.get(address(release, "README.md"))
        assert answer.status_code == 500
        assert answer.json()["type"] == "urn:lenticular:problem:damaged-file"
        assert "ETag" not in answer

    def test_a_lost_file_is_told(self, client, release, folder):
        (folder / "README.md").unlink()
        answer = client.get(address(release, "README.md"))
        assert answer.status_code == 500
        assert "is gone" in answer.json()["detail"]


class TestApi:
    def test_lists_releases(self, client, universe, release):
        second = make_release(workflow=universe.workflow, user=None, title="Again")
        found = client.get(reverse("api-releases")).json()["results"]
        assert [each["number"] for each in found] == [second.number, release.number]
        assert len(found[0]["files"]) == 8

    def test_shows_one_with_provenance(self, client, release):
        found = client.get(reverse("api-release", args=["shapes", 1])).json()
        assert (found["workflow"], found["votes"], found["model_round"]) == ("shapes", 7, None)
        assert found["provenance"]["classifications"]["votes"] == 7
        assert b"cff-version" in client.get(found["files"][0]["url"]).getvalue()
        assert "The volunteers of Shapes" in found["citation"]

    def test_an_unknown_one_is_a_problem(self, client, release):
        answer = client.get(reverse("api-release", args=["shapes", 2]))
        assert answer.status_code == 404
        assert answer["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("role", [None, Role.ADMIN])
    def test_nothing_can_be_changed(self, client_of, release, role):
        client = client_of(role)
        for name, place in (("api-releases", []), ("api-release", ["shapes", 1])):
            answer = client.post(reverse(name, args=place), {"title": "x"})
            assert answer.status_code in {401, 403, 405}

    def test_does_not_query_for_each_release(
        self, client, universe, release, django_assert_max_num_queries
    ):
        for _ in range(3):
            make_release(workflow=universe.workflow, user=None, title="Again")
        with django_assert_max_num_queries(4):
            client.get(reverse("api-releases"))


class TestCommand:
    def test_makes_a_release(self, universe, capsys):
        call_command("make_release", "shapes", "From the command")
        release = Release.objects.get()
        assert (release.title, release.made_by) == ("From the command", None)
        shown = capsys.readouterr().out
        assert release.files.get(name="catalogue.csv").sha256 in shown

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["nowhere", "x"], "does not exist"),
            (["shapes", " "], "title must have"),
            (["shapes", "x", "--workflow-version", "7"], "must have version 7, has not"),
        ],
    )
    def test_says_what_is_wrong(self, universe, arguments, message):
        with pytest.raises(CommandError, match=message):
            call_command("make_release", *arguments)
