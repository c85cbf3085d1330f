"""A new secret at the console: two ways, what each says it does, and who has applied the change."""

from __future__ import annotations

import re

import pytest

from tests.support.console import hidden_fields, signed_in
from tokenserver.clock import DAY, HOUR

AUDIENCE = "https://api.example.com"


@pytest.fixture
def api(server):
    made = server.call("POST", "/v1/apis", {"audience": AUDIENCE, "name": "Example", "scopes": []})
    assert made.status_code == 201, made.text
    return made.get_json()["id"]


@pytest.fixture
def one(server, api):
    grants = [{"audience": AUDIENCE, "access": "all_read"}]
    return server.call("POST", "/v1/credentials", {"name": "nightly export", "grants": grants}).get_json()


def shown_secret(page):
    (secret, *_) = re.findall(r"tss_[A-Za-z0-9]{46}", page.text)
    return secret


def report(server, process, *applied):
    body = {
        "instance": f"api-{process}",
        "process": process * 16,
        "batch": len(applied) + 1,
        "audience": AUDIENCE,
        "interval_ms": 5000,
        "applied": [{"seq": seq, "ago_ms": 0} for seq in applied],
        "uses": [],
    }
    answer = server.call("POST", "/v1/usage-reports", body)
    assert answer.status_code == 200, answer.text


def works(server, one, secret):
    return server.ask_for_token(one["client_id"], secret).status_code == 200


@pytest.mark.parametrize("typed", ["", "another", "nightly export 2"])
def test_nothing_is_regenerated_unless_the_name_is_typed(server, one, typed):
    path = f"/credentials/{one['client_id']}"
    visitor = signed_in(server)
    visitor.open(f"{path}/new-secret")
    page = visitor.send(f"{path}/regenerate", {"typed_name": typed, "version": "1"})
    assert page.status_code == 422
    assert "tss_" not in page.text
    assert "This is not it: nothing was done" in page.text
    assert works(server, one, one["client_secret"])


def test_regenerating_shows_the_new_secret_once_and_ends_the_old_one(server, one):
    path = f"/credentials/{one['client_id']}"
    visitor = signed_in(server)
    visitor.open(f"{path}/new-secret")
    form = {"typed_name": "nightly export", "version": "1"}
    page = visitor.send(f"{path}/regenerate", form)
    assert page.status_code == 201
    assert works(server, one, shown_secret(page))
    assert not works(server, one, one["client_secret"])
    assert "None of its resource servers reports" in page.text
    assert "tss_" not in visitor.open(f"/credentials/{one['client_id']}").text.replace("tss_…", "")


def test_a_second_click_makes_no_second_secret(server, one):
    path = f"/credentials/{one['client_id']}"
    visitor = signed_in(server)
    page = visitor.open(f"{path}/new-secret")
    form = {**hidden_fields(page.text), "typed_name": "nightly export", "version": "1"}
    secret = shown_secret(visitor.send(f"{path}/regenerate", form))
    again = visitor.client.post(f"/console{path}/regenerate", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    assert again.status_code == 409
    assert "tss_" not in again.text
    assert works(server, one, secret)


def test_who_has_applied_the_end_is_told_as_reports_come_in(server, api, one):
    for process in "ab":
        report(server, process)
    path = f"/credentials/{one['client_id']}"
    visitor = signed_in(server)
    visitor.open(f"{path}/new-secret")
    page = visitor.send(f"{path}/regenerate", {"typed_name": "nightly export", "version": "1"})
    seq = int(re.findall(r"seq=(\d+)", page.text)[0])
    assert "0 of 2</strong> instances have applied" in page.text
    assert f'hx-get="/console{path}/applied?seq={seq}&amp;apis={api}&amp;rounds=1"' in page.text
    report(server, "a", seq)
    piece = visitor.open(f"{path}/applied", seq=str(seq), apis=api, rounds="1")
    assert "1 of 2</strong> instances have applied" in piece.text
    assert "api-b" in piece.text
    report(server, "b", seq)
    headers = {"HX-Request": "true", "Sec-Fetch-Site": "same-origin"}
    piece = visitor.client.get(f"/console{path}/applied?seq={seq}&apis={api}&rounds=2", headers=headers)
    assert "2 of 2</strong> instances have applied" in piece.text
    assert "hx-get" not in piece.text
    assert "<html" not in piece.text


def test_a_page_that_is_left_open_asks_no_more_after_some_minutes(server, api, one):
    report(server, "a")
    path = f"/credentials/{one['client_id']}"
    visitor = signed_in(server)
    server.call("POST", f"/v1{path}/disable")
    assert "hx-get" in visitor.open(f"{path}/applied", seq="1", apis=api, rounds="149").text
    page = visitor.open(f"{path}/applied", seq="1", apis=api, rounds="150")
    assert "hx-get" not in page.text
    assert "Look again" in page.text


@pytest.mark.parametrize("seq", ["", "x", "9" * 16, "٣", "-1", "999999"])
def test_a_change_that_is_none_is_nowhere(server, api, one, seq):
    page = signed_in(server).open(f"/credentials/{one['client_id']}/applied", seq=seq, apis=api)
    assert page.status_code == 404


def test_of_an_api_that_is_gone_nothing_is_said(server, one):
    server.call("POST", f"/v1/credentials/{one['client_id']}/disable")
    page = signed_in(server).open(f"/credentials/{one['client_id']}/applied", seq="1", apis="api_gone,<script>")
    assert page.status_code == 200
    assert "<script>" not in page.text


@pytest.mark.parametrize("rounds", ["", "x", "-1", "9" * 9, "²"])
def test_a_count_of_rounds_that_is_none_is_taken_for_the_last(server, api, one, rounds):
    report(server, "a")
    server.call("POST", f"/v1/credentials/{one['client_id']}/disable")
    path = f"/credentials/{one['client_id']}/applied"
    page = signed_in(server).open(path, seq="1", apis=api, rounds=rounds)
    assert page.status_code == 200
    assert "hx-get" not in page.text


@pytest.mark.parametrize(("grace", "unit", "seconds"), [("1", "hours", HOUR), ("30", "days", 30 * DAY)])
def test_rotating_lets_both_secrets_work_for_the_time_that_was_chosen(server, one, grace, unit, seconds):
    path = f"/credentials/{one['client_id']}"
    visitor = signed_in(server)
    visitor.open(f"{path}/new-secret")
    page = visitor.send(f"{path}/rotate", {"grace": grace, "unit": unit, "version": "1"})
    assert page.status_code == 201
    secret = shown_secret(page)
    assert works(server, one, secret)
    assert works(server, one, one["client_secret"])
    server.clock.advance(seconds + 1)
    assert works(server, one, secret)
    assert not works(server, one, one["client_secret"])


@pytest.mark.parametrize(
    ("grace", "unit"),
    [("", "hours"), ("0", "hours"), ("31", "days"), ("721", "hours"), ("-1", "days"), ("1", "years"), ("1.5", "days")],
)
def test_a_grace_period_that_is_none_is_refused_at_its_field(server, one, grace, unit):
    path = f"/credentials/{one['client_id']}"
    visitor = signed_in(server)
    visitor.open(f"{path}/new-secret")
    page = visitor.send(f"{path}/rotate", {"grace": grace, "unit": unit, "version": "1"})
    assert page.status_code == 422
    assert 'id="help-grace">' in page.text
    assert "tss_" not in page.text


def test_a_rotation_in_progress_a_disabled_one_and_one_that_has_ended_say_what_to_do_instead(server, one):
    path = f"/credentials/{one['client_id']}"
    visitor = signed_in(server)
    server.call("POST", f"/v1{path}/rotate", {})
    page = visitor.open(f"{path}/new-secret")
    assert "A rotation is in progress already" in page.text
    assert f'{path}/rotate"' not in page.text
    assert visitor.send(f"{path}/rotate", {"grace": "1", "unit": "days", "version": "2"}).status_code == 409
    server.call("POST", f"/v1{path}/rotation/cancel")
    server.call("POST", f"/v1{path}/disable")
    assert "The credential is disabled." in visitor.open(f"{path}/new-secret").text
    server.call("POST", f"/v1{path}/revoke", {"reason": ""})
    page = visitor.open(f"{path}/new-secret")
    assert "that is final" in page.text
    assert '<form method="post" action="/console/credentials' not in page.text


def test_what_was_changed_meanwhile_is_looked_at_before_anything_is_regenerated(server, one):
    path = f"/credentials/{one['client_id']}"
    visitor = signed_in(server)
    visitor.open(f"{path}/new-secret")
    server.call("POST", f"/v1/credentials/{one['client_id']}/rotate", {})
    page = visitor.send(f"{path}/regenerate", {"typed_name": "nightly export", "version": "1"})
    assert page.status_code == 412
    assert "both that work now" in page.text
    assert works(server, one, one["client_secret"])


def test_a_secret_asks_again_who_it_is_for(server, one):
    path = f"/credentials/{one['client_id']}"
    visitor = signed_in(server)
    for _ in range(2):
        server.clock.advance(10 * 60)
        visitor.open("/")
    assert visitor.open(f"{path}/new-secret").request.path == "/console/prove"
    page = visitor.send(f"{path}/regenerate", {"typed_name": "nightly export", "version": "1"})
    assert page.status_code == 403
    assert "tss_" not in page.text


def test_an_auditor_makes_no_secret_and_a_member_only_their_own(server, one):
    path = f"/credentials/{one['client_id']}"
    auditor = signed_in(server, "audit@example.com", "auditor")
    assert auditor.open(f"{path}/new-secret").status_code == 403
    auditor.open("/")
    assert auditor.send(f"{path}/regenerate", {"typed_name": "nightly export"}).status_code == 403
    member = signed_in(server, "ada@example.com", "member")
    assert member.open(f"{path}/new-secret").status_code == 404
    member.open("/")
    assert member.send(f"{path}/regenerate", {"typed_name": "nightly export"}).status_code == 404
    assert works(server, one, one["client_secret"])


def test_a_member_who_regenerates_their_own_learns_nothing_of_instances(server, api):
    report(server, "a")
    member = signed_in(server, "ada@example.com", "member")
    people = server.call("GET", "/v1/operators").get_json()["items"]
    (ada,) = [person["id"] for person in people if person["email"] == "ada@example.com"]
    grants = [{"audience": AUDIENCE, "access": "all_read"}]
    own = server.call("POST", "/v1/credentials", {"name": "ada's", "grants": grants, "owner": ada}).get_json()
    member.open(f"/credentials/{own['client_id']}/new-secret")
    page = member.send(f"/credentials/{own['client_id']}/regenerate", {"typed_name": "ada's", "version": "1"})
    assert works(server, own, shown_secret(page))
    assert "Resource servers apply the change when they next read the feed" in page.text
    page = member.open(f"/credentials/{own['client_id']}/applied", seq="1", apis=api)
    assert "of 1</strong>" not in page.text
