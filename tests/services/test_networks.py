"""Is a long list served to whoever can name it, and to nobody else?"""

from __future__ import annotations

import json

import pytest

from app.services.networks import Networks
from tests.support.workshop import many_ranges
from tokenserver.errors import NotFound


def test_a_list_is_served_under_its_digest_in_normal_form(workshop):
    long = many_ranges(65)
    workshop.credential(allowed_ips=long)
    document = json.loads(Networks(workshop.services.store).document(long.digest()))
    assert document == {"allowed_ips": list(long.normal_form())}


@pytest.mark.parametrize(
    "name", ["", "0" * 64, "0" * 63, "A" * 64, "../x", "%", "0" * 63 + "\n", "'" * 64, "\u0660" * 64]
)
def test_any_other_name_is_not_found(workshop, name):
    workshop.credential(allowed_ips=many_ranges(65))
    with pytest.raises(NotFound):
        Networks(workshop.services.store).document(name)
