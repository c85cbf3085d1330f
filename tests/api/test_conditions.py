"""ETags and If-Match: nobody overwrites what they have not read (W06)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.api.conditions import Condition, expected_version
from tokenserver.errors import InvalidRequest, PreconditionFailed


@pytest.fixture
def made(api):
    return api.credential()


@pytest.fixture
def path(made):
    return f"/v1/credentials/{made['client_id']}"


def test_every_single_answer_has_the_etag_of_its_version(api, path):
    assert api.call("GET", path).headers["ETag"] == '"1"'
    actions = ["/rotate", "/rotation/cancel", "/disable", "/enable", "/regenerate"]
    for version, action in enumerate(actions, start=2):
        answer = api.call("POST", path + action)
        assert answer.headers["ETag"] == f'"{version}"'
        assert answer.json.get("credential", answer.json)["version"] == version
    assert api.call("PATCH", path, {"name": "y"}, if_match='"6"').headers["ETag"] == '"7"'


def test_a_change_without_if_match_is_refused(api, path):
    assert api.problem(428, "PATCH", path, {"name": "y"})["code"] == "precondition_required"


def test_a_change_of_what_has_changed_is_refused(api, path):
    api.ok("PATCH", path, {"name": "first"}, if_match='"1"')
    problem = api.problem(412, "PATCH", path, {"name": "second"}, if_match='"1"')
    assert problem["code"] == "precondition_failed"
    assert api.ok("GET", path)["name"] == "first"


def test_a_star_is_any_version(api, path):
    for name in ("first", "second"):
        assert api.ok("PATCH", path, {"name": name}, if_match="*")["name"] == name


NEVER_GIVEN = ['W/"1"', '"0"', '"01"', '"2"', '"-1"', '"1.0"', '""', '"' + "9" * 5000 + '"', '"x"']
MALFORMED = ["1", "", '"1', '1"', '"1", "2"', "'1'", '"1" x', '"\t"', "**", '"\u00e9"x']


@pytest.mark.parametrize("tag", NEVER_GIVEN)
def test_a_tag_that_is_not_the_present_one_does_not_match(refusing, tag):
    path = f"/v1/credentials/{refusing.server.installed.client_id}"
    refusing.problem(412, "PATCH", path, {"name": "y"}, if_match=tag)
    refusing.problem(412, "DELETE", path, if_match=tag)
    refusing.problem(412, "POST", f"{path}/disable", if_match=tag)
    assert refusing.ok("GET", path)["version"] == 1


@pytest.mark.parametrize("tag", MALFORMED)
def test_what_is_no_tag_is_malformed(refusing, tag):
    path = f"/v1/credentials/{refusing.server.installed.client_id}"
    refusing.problem(400, "PATCH", path, {"name": "y"}, if_match=tag)
    refusing.problem(400, "DELETE", path, if_match=tag)
    assert refusing.ok("GET", path)["version"] == 1


@pytest.mark.parametrize("action", ["regenerate", "rotate", "disable", "enable", "revoke"])
def test_an_action_on_what_has_changed_is_refused_when_it_says_what_it_read(api, path, action):
    api.ok("PATCH", path, {"name": "y"}, if_match='"1"')
    assert api.problem(412, "POST", f"{path}/{action}", {}, if_match='"1"')
    assert api.ok("GET", path)["version"] == 2
    assert api.call("POST", f"{path}/{action}", {}, if_match='"2"').status_code == 200


def test_deleting_what_has_changed_is_refused_when_it_says_what_it_read(api, path):
    api.ok("PATCH", path, {"name": "y"}, if_match='"1"')
    api.problem(412, "DELETE", path, if_match='"1"')
    assert api.call("DELETE", path, if_match='"2"').status_code == 204


def test_apis_and_roles_keep_to_the_same_conditions(stocked):
    api, role = stocked.only_api(), stocked.ok("GET", "/v1/roles")["items"][0]
    for one, body in ((f"/v1/apis/{api['id']}", {"name": "y"}), (f"/v1/roles/{role['id']}", {"description": "y"})):
        assert stocked.call("GET", one).headers["ETag"] == '"1"'
        stocked.problem(428, "PATCH", one, body)
        stocked.problem(412, "PATCH", one, body, if_match='W/"1"')
        assert stocked.call("PATCH", one, body, if_match='"1"').headers["ETag"] == '"2"'
        stocked.problem(412, "PATCH", one, body, if_match='"1"')
        stocked.problem(412, "DELETE", one, if_match='"1"')
        stocked.ok("DELETE", one, if_match='"2"')


def test_of_many_changes_of_one_version_exactly_one_is_made(api, path):
    token = api.server.admin_token

    def change(number: int) -> int:
        body = {"description": f"number {number}"}
        return api.server.call("PATCH", path, body, token=token, if_match='"1"').status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(change, range(8)))
    assert statuses == [200] + [412] * 7
    assert api.ok("GET", path)["version"] == 2


def test_of_many_actions_without_a_condition_each_is_done(api, path):
    token = api.server.admin_token

    def regenerate(_: int) -> tuple[int, int]:
        answer = api.server.call("POST", f"{path}/regenerate", token=token)
        return answer.status_code, answer.json["generation"]

    with ThreadPoolExecutor(8) as threads:
        answers = sorted(threads.map(regenerate, range(8)))
    assert answers == [(200, generation) for generation in range(2, 10)]


def test_where_there_is_no_condition_if_match_is_not_looked_at():
    assert expected_version("nonsense", Condition.IGNORED) is None
    with pytest.raises(InvalidRequest):
        expected_version("nonsense", Condition.OPTIONAL)
    with pytest.raises(PreconditionFailed):
        expected_version('W/"1"', Condition.OPTIONAL)
