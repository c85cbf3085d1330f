"""The audit log in a browser."""

from __future__ import annotations

from tests.support.chromium import refuse_barriers


def test_everybody_can_read_the_log_and_take_it_along(first, world):
    made = world.credential(name="<script>alert(1)</script>")
    world.patch(made["client_id"], allowed_ips="192.0.2.0/24")
    page = first.go("/audit")
    assert "changed the credential" in page.inner_text("main")
    refuse_barriers(page)
    with page.expect_download() as download:
        page.click("text=JSON lines")
    assert made["client_id"] in download.value.path().read_text()
