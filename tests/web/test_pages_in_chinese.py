"""What people read in Chinese: whole pages, forms that refuse, mails, the switch."""

import re
import shutil
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from allauth.account.models import EmailAddress
from django.urls import reverse
from django.utils import translation

from lenticular.accounts.services import create_user
from lenticular.community.services import post_comment
from lenticular.releases.services import make_release
from lenticular.review.models import SpotChecks
from lenticular.rounds import workspace
from lenticular.rounds.models import MislabelFlag, Round, RoundState, TrainedModel, Verdict
from tests.browser import gallery

CHINESE = ("zh-hant", "zh-hans")
NAMES = {
    "redshift",
    "magnitude",
    "Lenticular",
    "Shapes",
    "Drawn galaxies",
    "First light",
    "a-admin",
    "a-volunteer",
}
"""Names, and what a survey tells of its galaxies."""

SAME = (
    r"https?://\S+|GPL-3.0-or-later|\d[\w.+-]*"
    r"|\b(?:[\w-]+\.(?:csv|parquet|json|md|cff|txt)|SHA256SUMS"
    r"|SHA-256|API|Backspace|ICRS|SIMBAD|NED|Legacy Surveys|English|EN|JSON|NLL|cookie)\b"
)
SILENT = {"script", "style", "code", "kbd", "bdi", "template"}
VOID = {"meta", "link", "input", "img", "br", "hr", "use", "rect", "line", "circle", "path"}
HEARD = {"alt", "aria-label", "placeholder", "title", "content"}


class Words(HTMLParser):
    """Collects what is shown or read aloud, but for what is marked as another language."""

    def __init__(self):
        super().__init__()
        self.open, self.found = [], []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if not any(self.open) and given.get("name") not in ("viewport", "theme-color"):
            self.found += [given[name] for name in HEARD & set(given) if given[name]]
        if tag not in VOID:
            marked = tag != "html" and not given.get("lang", "zh").startswith("zh")
            self.open.append(tag in SILENT or marked)

    def handle_endtag(self, tag):
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, text):
        if not any(self.open):
            self.found.append(text)


def english(html):
    """Return the words of Latin letters that a page shows in spite of its language."""
    reader = Words()
    reader.feed(html)
    names = "|".join(re.escape(each) for each in sorted(NAMES, key=len, reverse=True))
    texts = [re.sub(f"{SAME}|{names}|J\\d[\\d.+-]*", "", text) for text in reader.found]
    return [text.strip() for text in texts if re.search(r"[A-Za-z]{3}", text)]


@pytest.fixture
def sky(db):
    """A few drawn galaxies with votes, a comment, a refused round with flags, and a release."""
    sky = gallery.build(indices=(0, 2, 23, 34), volunteers=2, side=64)
    version = sky.workflow.current_version
    question = version.tree.start
    round_ = Round.objects.create(
        workflow=sky.workflow, version=version, number=1, seed=1, code_version="0.1",
        state=RoundState.SUCCEEDED, verdict=Verdict.REFUSED, votes=8,
        verdict_reason="Not shown to be as good as the model before.",
        evaluation={
            "questions": {
                question: dict.fromkeys(
                    ("n", "accuracy", "accuracy_confident", "rmse", "rmse_floor",
                     "nll_per_vote", "coverage"), 0.5,
                )
            },
            "previous": None,
            "comparison": {"low": -0.1, "high": 0.3, "margin": 0.02, "difference": 0.1,
                           "n": 4, "not_worse": False},
        },
    )  # fmt: skip
    TrainedModel.objects.create(
        workflow=sky.workflow, round=round_, artefacts="x", checksum="m", is_current=False
    )
    folder = workspace.stage_folder(round_, "flag")
    folder.begin({})
    folder.finish({}, {"judged": 4, "flagged": 1})
    slugs = [answer.slug for answer in version.tree.question(question).answers]
    MislabelFlag.objects.create(
        round=round_, subject=sky.subjects[0], question=question, rank=1, p_value=0.001,
        q_value=0.01, observed=dict(zip(slugs, (0.75, 0.25, 0.0), strict=True)),
        expected=dict(zip(slugs, (0.1, 0.85, 0.05), strict=True)), reason="in English",
    )  # fmt: skip
    post_comment(author=sky.admin, subject_id=sky.subjects[0].pk, text="看")
    make_release(workflow=sky.workflow, user=sky.astronomer, title="First light")
    yield sky
    for name in ("rounds", "releases"):
        shutil.rmtree(workspace.local_path(name), ignore_errors=True)


PUBLIC = (
    "/", "/about/", "/classify/drawn/", "/classify/drawn/guide/", "/classify/drawn/tutorial/",
    "/history/", "/favourites/", "/collections/", "/releases/", "/releases/drawn/1/",
    "/accounts/sign-in/", "/accounts/sign-up/", "/accounts/reset/", "/accounts/reset/sent/",
    "/accounts/inactive/", "/nothing/here/",
)  # fmt: skip
OF_PEOPLE = (
    "/accounts/", "/accounts/mail/", "/accounts/password/", "/accounts/delete/",
    "/accounts/sign-out/", "/rounds/", "/rounds/drawn/1/", "/review/", "/review/gold/drawn/",
    "/moderation/", "/moderation/record/", "/releases/",
)  # fmt: skip


@pytest.mark.parametrize("language", CHINESE)
class TestPages:
    def test_a_page_for_everybody_has_no_english_words(self, client, sky, language):
        for address in PUBLIC:
            page = client.get(address, headers={"Accept-Language": language}).content.decode()
            assert (address, english(page)) == (address, [])

    def test_a_page_for_some_has_no_english_words(self, client, sky, language):
        client.force_login(sky.admin)
        flag = MislabelFlag.objects.get()
        galaxies = [f"/galaxies/{sky.subjects[0].pk}/", f"/review/{flag.pk}/"]
        for address in [*OF_PEOPLE, *galaxies]:
            answer = client.get(address, headers={"Accept-Language": language})
            assert (address, answer.status_code) == (address, 200)
            assert (address, english(answer.content.decode())) == (address, [])

    def test_spot_checks_are_told_in_the_language(self, client, sky, language):
        client.force_login(sky.expert)
        address = "/review/"
        headers = {"Accept-Language": language}
        flag = MislabelFlag.objects.get()
        TrainedModel.objects.update(is_current=True)
        made = SpotChecks.objects.create(
            round=flag.round, next_galaxies=1, rest_galaxies=0,
            earlier_wrong=1, earlier_right=2, undecided=0,
        )  # fmt: skip
        MislabelFlag.objects.filter(pk=flag.pk).update(stratum="next", expected=flag.observed)
        for change in ({}, {"state": "votes-right"}, {"state": "open"}):
            MislabelFlag.objects.update(**change)
            for query in ("", "?state=unsure&kind=spot-checks"):
                page = client.get(address + query, headers=headers).content.decode()
                assert (change, query, english(page)) == (change, query, [])
        page = client.get(f"{address}{flag.pk}/", headers=headers).content.decode()
        assert english(page) == []
        made.delete()
        (workspace.stage_folder(flag.round, "flag").path / "mislabels.parquet").touch()
        assert english(client.get(address, headers=headers).content.decode()) == []

    def test_a_refusal_of_a_page_is_in_its_language(self, client, sky, language):
        client.force_login(sky.volunteer)
        for address in ("/rounds/", "/review/", "/moderation/"):
            answer = client.get(address, headers={"Accept-Language": language})
            assert answer.status_code == 403
            assert english(answer.content.decode()) == []

    def test_the_reason_of_a_flag_is_in_the_language(self, client, sky, language):
        client.force_login(sky.expert)
        flag = MislabelFlag.objects.get()
        page = client.get(f"/review/{flag.pk}/", headers={"Accept-Language": language})
        answer = flag.round.version.tree.question(flag.question).answers[0].text(language)
        assert answer in page.context["reason"]
        assert "75%" in page.context["reason"]
        assert flag.reason not in page.content.decode()


@pytest.mark.parametrize("language", CHINESE)
class TestForms:
    @pytest.mark.parametrize(
        "sent",
        [
            {},
            {"username": "a-expert", "password1": "short", "password2": "other"},
            {"username": "a b", "email": "no", "password1": "password12", "password2": "x"},
            {"username": "管理員", "password1": "管理員的密碼很長很長", "password2": "x"},
        ],
    )
    def test_signing_up_is_refused_in_the_language(self, client, sky, language, sent):
        header = {"Accept-Language": language}
        answer = client.post("/accounts/sign-up/", sent, headers=header)
        errors = [each for found in answer.context["form"].errors.values() for each in found]
        assert errors
        assert [each for each in errors if not re.search(r"[\u4e00-\u9fff]", each)] == []

    def test_signing_in_is_refused_in_the_language(self, client, sky, language):
        sent = {"username": "a-expert", "password": "wrong"}
        answer = client.post("/accounts/sign-in/", sent, headers={"Accept-Language": language})
        assert english(answer.content.decode()) == []
        assert answer.context["form"].non_field_errors()

    def test_mails_are_in_the_language_of_the_request(self, client, db, mailoutbox, language):
        user = create_user(username="vera", password="a-galaxy-of-words", email="v@example.org")
        EmailAddress.objects.update_or_create(user=user, defaults={"email": user.email})
        for address in ("v@example.org", "nobody@example.org"):
            sent = {"email": address}
            client.post("/accounts/reset/", sent, headers={"Accept-Language": language})
        assert len(mailoutbox) == 2
        for mail in mailoutbox:
            assert mail.body.startswith("你好，")
            assert not re.search(r"[a-z]{3} [a-z]{2}", mail.body)
            assert re.search(r"[\u4e00-\u9fff]", mail.subject)


class TestTheSwitch:
    def test_keeps_the_page_and_its_query(self, client, sky):
        address = f"{reverse('history')}?{urlencode({'workflow': 'drawn', 'favourites': 'yes'})}"
        page = client.get(address).content.decode()
        following = re.search(r'name="next" value="([^"]*)"', page)[1].replace("&amp;", "&")
        assert following == address
        sent = {"language": "zh-hans", "next": following}
        answer = client.post(reverse("set_language"), sent)
        assert answer["Location"] == address
        assert '<html lang="zh-Hans">' in client.get(address).content.decode()

    def test_leads_to_no_other_site(self, client, db):
        sent = {"language": "zh-hant", "next": "https://example.org/"}
        assert client.post(reverse("set_language"), sent)["Location"] == "/"

    @pytest.mark.parametrize(
        ("asked", "given"),
        [("en", "en"), ("zh-hant", "zh-Hant"), ("zh-TW", "zh-Hant"), ("zh-HK", "zh-Hant"),
         ("zh-CN", "zh-Hans"), ("zh-SG", "zh-Hans"), ("fr", "en")],
    )  # fmt: skip
    def test_the_language_of_the_browser_is_the_first_choice(self, client, db, asked, given):
        page = client.get("/about/", headers={"Accept-Language": asked}).content.decode()
        assert f'<html lang="{given}">' in page
        assert re.search(r'lang="zh-Hant"[^>]*>繁體中文</button>', page)

    def test_a_broken_page_speaks_the_language_too(self, rf):
        from django.views.defaults import server_error

        with translation.override("zh-hant"):
            page = server_error(rf.get("/")).content.decode()
        assert '<html lang="zh-Hant">' in page
        assert english(page) == []
