"""A round's evaluation as a page and as files, as anonymous, forbidden and allowed."""

import csv
import io
import json

import numpy as np
import pytest
from django.urls import reverse

from lenticular.accounts.models import Role, User
from lenticular.rounds import evaluation, services, workspace
from lenticular.rounds.errors import DamagedEvaluationError, NoEvaluationError
from lenticular.workflows.models import WorkflowVersion

from .judging import judge

pytestmark = pytest.mark.django_db


@pytest.fixture
def astronomer(db):
    return User.objects.create_user("amy", password="amy's password", role=Role.ASTRONOMER)


def panel(votes=8, sure=9.0):
    """Return ids, votes and concentrations of the first ten galaxies; one is misjudged."""
    ids = [f"s:{number}" for number in range(10)]
    counts, found = np.zeros((10, 2)), np.ones((10, 2))
    for number in range(10):
        counts[number, number % 2] = votes
        found[number, (number + (number == 3)) % 2] = sure
    return ids, counts, found


@pytest.fixture
def judged(pending):
    """A round judged on ten galaxies, against a model that knew nothing."""
    judge(pending, *panel(), previous=np.ones((10, 2)))
    return pending


@pytest.fixture
def page(client, astronomer):
    """Return a function that opens an address as an astronomer."""
    client.force_login(astronomer)
    return client.get


def address(round_, name="round-evaluation", *more):
    return reverse(name, args=[round_.workflow.slug, round_.number, *more])


def every_address(round_):
    yield address(round_)
    yield address(round_, "round-evaluation-file")
    yield address(round_, "round-evaluation-question", "shape")


@pytest.mark.parametrize("asked", [True, False])
def test_says_how_far_look_alikes_are_trusted(page, pending, asked):
    ids, counts, found = panel()
    judge(pending, ids, counts, found, lookalikes=found if asked else None)
    shown = page(address(pending)).content.decode()
    assert ("<dt>Trusted</dt>" in shown) == asked
    fitted = evaluation.report_of(pending)["questions"]["shape"]["calibration"]
    said = f"the network {fitted['network']:.2f}, look-alikes {fitted['lookalikes']:.2f}"
    assert (said in shown) == asked


class TestWho:
    def test_anonymous_people_are_sent_to_sign_in(self, client, judged):
        for each in every_address(judged):
            answer = client.get(each)
            assert answer.status_code == 302
            assert answer["Location"].startswith(reverse("sign-in"))

    @pytest.mark.parametrize("role", [Role.VOLUNTEER, Role.EXPERT])
    def test_others_are_refused(self, client, judged, role):
        client.force_login(User.objects.create_user("otto", password="x", role=role))
        for each in every_address(judged):
            assert client.get(each).status_code == 403

    def test_astronomers_and_admins_see_it(self, client, judged, astronomer, admin):
        for user in (astronomer, admin):
            client.force_login(user)
            for each in every_address(judged):
                assert client.get(each).status_code == 200

    def test_nothing_is_changed_there(self, client, judged, admin):
        client.force_login(admin)
        for each in every_address(judged):
            assert client.post(each).status_code == 405


class TestPage:
    def test_shows_figures_charts_and_the_gate(self, page, judged):
        shown = page(address(judged)).content.decode()
        assert "What shape is it?" in shown
        assert "90.0%" in shown
        for name in ("Reliability of", "Coverage of the intervals of", "Learning curve of"):
            assert f'aria-label="{name} What shape is it?' in shown
        assert "Said by the gate." in shown
        assert "90% interval" in shown
        assert "the model before: 0.275" in shown

    def test_shows_the_confusion_of_votes(self, page, judged):
        shown = page(address(judged)).content.decode()
        assert '<td class="number right">40 <span class="dim small">100%</span></td>' in shown
        assert '<td class="number">8 <span class="dim small">20%</span></td>' in shown

    def test_shows_the_worst_prediction_first(self, page, judged):
        cards = page(address(judged)).context["gallery"]
        assert cards[0].subject.external_id == "3"
        assert len(cards) == 10
        assert [pair.observed for pair in cards[0].pairs] == [0, 100]
        assert cards[0].pairs[0].predicted == pytest.approx(90)
        assert cards[0].image

    def test_leaves_out_galaxies_that_are_gone(self, page, pending):
        ids, counts, found = panel()
        judge(pending, ["s:gone", *ids[1:]], counts, found)
        cards = page(address(pending)).context["gallery"]
        assert len(cards) == 9

    def test_has_no_inline_style_or_script(self, page, judged):
        shown = page(address(judged)).content.decode()
        assert "style=" not in shown
        assert "onclick" not in shown

    def test_grows_no_queries_with_galaxies(self, page, judged, django_assert_max_num_queries):
        with django_assert_max_num_queries(12):
            page(address(judged))

    def test_says_that_a_round_is_not_judged_yet(self, page, pending):
        answer = page(address(pending))
        assert answer.status_code == 404
        assert "has not been judged yet" in answer.content.decode()

    def test_an_unknown_round_is_not_found(self, page, workflow):
        assert page(reverse("round-evaluation", args=["tiny", 9])).status_code == 404

    def test_says_that_the_file_is_damaged(self, page, judged):
        path = workspace.stage_folder(judged, "evaluate").path / "evaluation.json"
        path.write_text("{")
        answer = page(address(judged))
        assert answer.status_code == 500
        assert "evaluation&#x27;s file is damaged" in answer.content.decode()

    def test_the_round_leads_there(self, client, judged, admin):
        client.force_login(admin)
        shown = client.get(address(judged, "round")).content.decode()
        assert address(judged) in shown


class TestFiles:
    def test_the_document_names_its_round_and_holds_its_curve(self, page, judged):
        answer = page(address(judged, "round-evaluation-file"))
        assert (
            answer["Content-Disposition"] == 'attachment; filename="tiny-round-1-evaluation.json"'
        )
        found = json.loads(answer.content)
        assert (found["workflow"], found["round"], found["format"]) == ("tiny", 1, 1)
        assert found["questions"]["shape"]["confusion"] == [[40, 0], [8, 32]]
        assert found["comparison"]["n"] == 10
        assert [each["round"] for each in found["learning_curve"]["shape"]] == [1]

    def test_a_question_is_a_table(self, page, judged):
        answer = page(address(judged, "round-evaluation-question", "shape"))
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
        accuracy = next(row for row in rows if row["name"] == "accuracy")
        assert (accuracy["value"], accuracy["galaxies"]) == ("0.9", "10")

    def test_another_question_is_not_found(self, page, judged):
        answer = page(address(judged, "round-evaluation-question", "colour"))
        assert answer.status_code == 404
        assert "question must be one of" in answer.json()["detail"]

    def test_a_round_that_is_not_judged_has_none(self, page, pending):
        answer = page(address(pending, "round-evaluation-file"))
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:lenticular:problem:no-evaluation"


class TestReport:
    def test_missing_and_damaged_files_are_told_apart(self, judged):
        path = workspace.stage_folder(judged, "evaluate").path / "evaluation.json"
        path.write_text("[]")
        with pytest.raises(DamagedEvaluationError, match="must hold a JSON object"):
            evaluation.report_of(judged)
        path.unlink()
        with pytest.raises(NoEvaluationError):
            evaluation.report_of(judged)


class TestLearningCurve:
    def test_has_a_point_for_every_round_so_far(self, workflow, admin):
        rounds = []
        for votes in (4, 8, 12):
            rounds.append(
                services.start_round(
                    workflow=workflow,
                    user=admin,
                    config={"min_training_subjects": 2, "min_held_out_subjects": 2},
                )
            )
            judge(rounds[-1], *panel(votes))
        found = evaluation.learning_curve(rounds[1])["shape"]
        assert [(each.round, each.votes) for each in found] == [(1, 40), (2, 80)]
        assert all(each.low <= each.rmse <= each.high for each in found)
        assert [each.floor for each in found] == [0, 0]

    def test_a_round_from_before_intervals_has_a_point_without(self, judged):
        figures = judged.evaluation["questions"]["shape"]
        del figures["rmse_low"], figures["rmse_high"]
        judged.save()
        assert evaluation.learning_curve(judged)["shape"][0].low is None

    def test_rounds_of_another_version_do_not_count(self, judged, workflow):
        tree = workflow.current_version.tree_json
        judged.version = WorkflowVersion.objects.create(
            workflow=workflow, number=2, tree_json={**tree, "name": "New"}, checksum="c" * 64
        )
        assert evaluation.learning_curve(judged) == {}
