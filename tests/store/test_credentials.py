"""Are credentials remembered exactly, changed by one at a time, and seen by their own organization only?"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import ClassVar

import pytest

from app.store.models import LastUseRow
from tests.support import credentials as made_up
from tests.support.workshop import allowed, at_once, failed, many_ranges, succeeded
from tokenserver.domain.credential import EXPIRES_SOON, SecretState, Status
from tokenserver.domain.generation import LARGEST, Generation
from tokenserver.domain.restrictions import Access, Grant
from tokenserver.domain.secret import new_client_id
from tokenserver.domain.selection import Selection
from tokenserver.errors import PreconditionFailed
from tokenserver.tokens.claims import MOST_RANGES_CARRIED

WIDE_EXPORT = "\uff25\uff38\uff30\uff2f\uff32\uff34"


@pytest.fixture
def credential(ours):
    return made_up.credential(organization_id=ours)


def remember(store, *credentials):
    with store.writing() as tx:
        for credential in credentials:
            tx.credentials.add(credential)


def recall(store, organization, client_id=made_up.CLIENT_ID):
    with store.reading() as tx:
        return tx.credentials.get(organization, client_id)


def numbered(count, ours, **changes):
    """Credentials with client IDs that sort as they were made, each with a secret of its own."""
    return [
        made_up.credential(
            organization_id=ours,
            client_id=f"tsc_{number:022}",
            secrets=(made_up.secret(f"number {number}"),),
            **changes,
        )
        for number in range(count)
    ]


class CredentialStoreConformance:
    backend: str

    # --- what is remembered ---

    def test_a_credential_comes_back_as_it_was(self, store, ours):
        grants = (
            Grant("https://a.example", Access.CUSTOM, frozenset({"x", "y"})),
            Grant("urn:b", Access.ALL_READ_WRITE),
        )
        terms = made_up.terms(
            allowed_ips=allowed("192.0.2.1 - 192.0.3.254, 2001:db8::/32"),
            roles=frozenset({"a", "b:c"}),
            grants=grants,
            token_lifetime=60,
            expires_at=made_up.NOW + 1,
        )
        whole = made_up.credential(
            organization_id=ours,
            name="Zeile\n\u2028<b>'\"; DROP TABLE credential; --",
            description="ünïcödé 🔑 \x1b[31m",
            restrictions=terms,
            generation=Generation(LARGEST, LARGEST - 2, LARGEST - 1, made_up.NOW + 5),
            secrets=(
                made_up.secret(
                    "first", state=SecretState.RETIRING, expires_at=made_up.NOW + 5, digest=bytes(range(32))
                ),
                made_up.secret("second"),
            ),
            project="p",
            environment="production",
            disabled_at=1,
            revoked_at=2,
            revoked_reason="stolen",
            version=7,
        )
        remember(store, whole)
        found = recall(store, ours)
        assert replace(found, secrets=()) == replace(whole, secrets=())
        assert set(found.secrets) == set(whole.secrets)

    @pytest.mark.parametrize("count", [1, MOST_RANGES_CARRIED, MOST_RANGES_CARRIED + 1, 1000])
    def test_a_list_of_any_length_comes_back_whole(self, store, ours, count):
        terms = made_up.terms(allowed_ips=many_ranges(count))
        remember(store, made_up.credential(organization_id=ours, restrictions=terms))
        assert recall(store, ours).restrictions == terms

    def test_a_long_list_is_kept_once_under_its_digest_however_many_share_it(self, store, ours):
        long, short = many_ranges(65), many_ranges(64)
        shared = made_up.terms(allowed_ips=long)
        remember(store, *numbered(3, ours, restrictions=shared))
        remember(store, made_up.credential(organization_id=ours, restrictions=made_up.terms(allowed_ips=short)))
        with store.reading() as tx:
            assert tx.networks.get(long.digest()) == long
            assert tx.networks.get(short.digest()) is None
            assert tx.networks.get("0" * 64) is None

    def test_a_long_list_stays_for_the_tokens_that_name_it(self, store, ours, credential):
        long = many_ranges(65)
        wide = replace(credential, restrictions=made_up.terms(allowed_ips=long))
        remember(store, wide)
        with store.writing() as tx:
            tx.credentials.save(replace(wide, restrictions=made_up.terms(), version=2), was=wide)
        with store.reading() as tx:
            assert tx.networks.get(long.digest()) == long

    def test_secrets_that_ended_are_history_and_no_longer_part_of_the_credential(self, store, ours, credential):
        remember(store, credential)
        after = credential.regenerated(made_up.secret("second", created_at=made_up.NOW + 1), made_up.NOW + 1)
        with store.writing() as tx:
            tx.credentials.save(after, was=credential)
        assert [secret.id for secret in recall(store, ours).secrets] == ["secret_second"]
        with store.reading() as tx:
            history = tx.secrets.histories([after])[after.client_id]
        assert [(secret.id, secret.state) for secret, _ in history] == [
            ("secret_second", SecretState.CURRENT),
            ("secret_first", SecretState.ENDED),
        ]

    # --- one at a time ---

    def test_the_second_of_two_racing_saves_loses(self, store, ours, credential):
        remember(store, credential)
        first = credential.regenerated(made_up.secret("a"), made_up.NOW)
        second = credential.regenerated(made_up.secret("b"), made_up.NOW)
        with store.writing() as tx:
            tx.credentials.save(first, was=credential)
        with pytest.raises(PreconditionFailed), store.writing() as tx:
            tx.credentials.save(second, was=credential)
        assert [secret.id for secret in recall(store, ours).secrets] == ["secret_a"]

    def test_of_many_that_are_saved_together_one_that_is_late_stops_all(self, store, ours, credential):
        others = [replace(credential, client_id=new_client_id(), name=f"other {n}", secrets=()) for n in range(5)]
        remember(store, credential)
        with store.writing() as tx:
            for other in others:
                tx.credentials.add(other)
        with store.writing() as tx:
            tx.credentials.save(credential.renamed("faster", ""), was=credential)
        together = [(other, other.renamed(f"{other.name} together", "")) for other in [*others, credential]]
        with pytest.raises(PreconditionFailed), store.writing() as tx:
            tx.credentials.save_all(together)
        with store.writing() as tx:
            tx.credentials.save_all(together[:-1])
        with store.reading() as tx:
            names = [tx.credentials.get(ours, other.client_id).name for other in [*others, credential]]
        assert names == [*(f"other {n} together" for n in range(5)), "faster"]

    def test_of_many_threads_that_save_at_once_exactly_one_wins(self, store, ours, credential):
        remember(store, credential)

        def save(name):
            def task():
                with store.writing() as tx:
                    tx.credentials.save(credential.regenerated(made_up.secret(name), made_up.NOW), was=credential)
                return f"secret_{name}"

            return task

        outcomes = at_once(*(save(f"number {number}") for number in range(8)))
        (winner,) = succeeded(outcomes)
        assert all(isinstance(fault, PreconditionFailed) for fault in failed(outcomes))
        assert [secret.id for secret in recall(store, ours).secrets] == [winner]

    def test_a_save_that_loses_leaves_nothing_behind(self, store, ours, credential):
        remember(store, credential)
        with store.writing() as tx:
            tx.credentials.save(credential.renamed("winner", ""), was=credential)
        long = many_ranges(65)
        loser = credential.regenerated(made_up.secret("late"), made_up.NOW)
        loser = replace(loser, restrictions=made_up.terms(allowed_ips=long))
        with pytest.raises(PreconditionFailed), store.writing() as tx:
            tx.feed.tell_floors(ours, "ref", loser.generation.floors_to_tell(credential.generation, 0), 0)
            tx.credentials.save(loser, was=credential)
        with store.reading() as tx:
            assert tx.feed.last_seq() == 0
            assert tx.networks.get(long.digest()) is None
            assert len(tx.secrets.histories([credential])[credential.client_id]) == 1

    # --- its own organization only ---

    def test_another_organization_finds_nothing_of_ours(self, store, ours, theirs):
        terms = made_up.terms(roles=frozenset({"auditor"}))
        remember(store, made_up.credential(organization_id=ours, restrictions=terms))
        with store.reading() as tx:
            assert tx.credentials.get(theirs, made_up.CLIENT_ID) is None
            assert tx.credentials.page(theirs, Selection(), None, 10, made_up.NOW) == []
            assert tx.credentials.holding_role(theirs, "auditor") == []
            assert tx.credentials.granted_at(theirs, made_up.REPORTS) == []
            assert tx.credentials.get(ours, made_up.CLIENT_ID) is not None
            assert len(tx.credentials.page(ours, Selection(), None, 10, made_up.NOW)) == 1
            assert len(tx.credentials.holding_role(ours, "auditor")) == 1
            assert len(tx.credentials.granted_at(ours, made_up.REPORTS)) == 1

    def test_another_organization_cannot_save_what_it_guessed(self, store, ours, theirs, credential):
        remember(store, credential)
        stolen = replace(credential, organization_id=theirs, name="mine now", version=2)
        with pytest.raises(PreconditionFailed), store.writing() as tx:
            tx.credentials.save(stolen, was=replace(credential, organization_id=theirs))
        assert recall(store, ours) == credential

    # --- finding ---

    def test_a_revoked_credential_is_found_and_a_deleted_one_is_gone(self, store, ours):
        revoked, deleted = numbered(2, ours)
        remember(store, replace(revoked, revoked_at=1), replace(deleted, deleted_at=1))
        assert recall(store, ours, revoked.client_id) is not None
        assert recall(store, ours, deleted.client_id) is None
        with store.reading() as tx:
            found = tx.credentials.page(ours, Selection(), None, 10, made_up.NOW)
            assert [c.client_id for c, _ in found] == [revoked.client_id]

    def test_paging_gives_each_credential_once_newest_first(self, store, ours):
        """Also where many were made within one second."""
        made = [replace(c, created_at=made_up.NOW + number // 4) for number, c in enumerate(numbered(11, ours))]
        remember(store, *made)
        seen, after = [], None
        while True:
            with store.reading() as tx:
                page = tx.credentials.page(ours, Selection(), after, 3, made_up.NOW)
            if not page:
                break
            seen += [credential for credential, _ in page]
            after = page[-1][1]
        places = [(credential.created_at, credential.client_id) for credential in seen]
        assert len(seen) == 11
        assert places == sorted(places, reverse=True)

    def test_a_list_by_status_shows_what_the_rule_says(self, store, ours):
        """The rule is `Credential.status`; SQL says it a second time, and must agree at every moment."""
        soon = made_up.NOW + EXPIRES_SOON
        ends = (None, made_up.NOW - 1, made_up.NOW, made_up.NOW + 1, soon, soon + 1)
        ways = list(product(ends, (None, made_up.NOW - 5), (None, made_up.NOW - 9)))
        made = [
            replace(c, disabled_at=disabled, revoked_at=revoked, restrictions=replace(c.restrictions, expires_at=end))
            for c, (end, disabled, revoked) in zip(numbered(len(ways), ours), ways, strict=True)
        ]
        remember(store, *made)
        with store.reading() as tx:
            for now in (made_up.NOW - 2, made_up.NOW, made_up.NOW + 0.5, made_up.NOW + 1, made_up.NOW + 2):
                for status in Status:
                    found = tx.credentials.page(ours, Selection(frozenset({status})), None, 100, now)
                    assert {c.client_id for c, _ in found} == {c.client_id for c in made if c.status(now) is status}

    def test_filters_are_all_kept_at_once(self, store, ours):
        plain = numbered(6, ours)
        made = [
            replace(
                plain[0], name="Daily \uff25\uff38\uff30\uff2f\uff32\uff34", project="billing", environment="production"
            ),
            replace(plain[1], name="daily import", project="billing", owner_id="op_1"),
            replace(plain[2], name="50% off", environment="production", created_by="operator:op_1"),
            replace(plain[3], name="snake_case"),
            replace(plain[4], restrictions=replace(plain[4].restrictions, roles=frozenset({"auditor"}))),
            replace(plain[5], restrictions=replace(plain[5].restrictions, expires_at=made_up.NOW + 5)),
        ]
        remember(store, *made)
        wanted = {
            Selection(text="DAILY export"): {0},
            Selection(text="daily"): {0, 1},
            Selection(text="%"): {2},
            Selection(text="e_c"): {3},
            Selection(text=made[3].client_id): {3},
            Selection(project="billing"): {0, 1},
            Selection(project="billing", environment="production"): {0},
            Selection(owner_id="op_1"): {1},
            Selection(created_by="operator:op_1"): {2},
            Selection(role="auditor"): {4},
            Selection(expires_before=made_up.NOW + 6): {5},
            Selection(text="nothing of the kind"): set(),
        }
        with store.reading() as tx:
            for selection, places in wanted.items():
                found = tx.credentials.page(ours, selection, None, 10, made_up.NOW)
                assert {c.client_id for c, _ in found} == {made[place].client_id for place in places}, selection

    def test_unused_since_means_neither_made_nor_used_since(self, store, ours):
        old, young = (replace(c, created_at=created) for c, created in zip(numbered(2, ours), (10, 100), strict=True))
        used = replace(numbered(1, ours)[0], client_id=new_client_id(), name="used", created_at=10)
        used = replace(used, secrets=(made_up.secret("used"),))
        remember(store, replace(old, secrets=()), replace(young, secrets=()), used)
        with store.writing() as tx:
            tx.session.add(LastUseRow(secret_id=used.secrets[0].id, at=60, address=""))
        with store.reading() as tx:
            for since, found in ((50, {old.client_id}), (61, {old.client_id, used.client_id}), (5, set())):
                page = tx.credentials.page(ours, Selection(unused_since=since), None, 10, made_up.NOW)
                assert {c.client_id for c, _ in page} == found

    def test_a_name_is_kept_from_others_until_its_credential_has_ended(self, store, ours, credential):
        remember(store, credential)
        with store.writing() as tx:
            assert tx.credentials.named(ours, "  NIGHTLY   export ".strip()).client_id == credential.client_id
            assert tx.credentials.named("org_elsewhere", credential.name) is None
            tx.credentials.free_name(credential)
            assert tx.credentials.named(ours, credential.name) is None

    NAMES: ClassVar = {
        "an underscore is no wildcard": ("cloud_admin", "cloudXadmin"),
        "a percent sign is no wildcard": ("a%z", "abcz"),
        "case counts": ("Admin", "admin"),
        "a part of a name is not the name": ("admin", "cloud:admin"),
        "a name in another name's quotation marks is not the name": ("b", 'a", "b'),
        "a backslash is only a backslash": ("a\\b", "ab"),
    }

    @pytest.mark.parametrize(("name", "other"), NAMES.values(), ids=NAMES.keys())
    def test_holders_of_a_role_or_grant_are_those_who_hold_exactly_it(self, store, ours, name, other):
        holder, neighbour = numbered(2, ours)
        hold = made_up.terms(roles=frozenset({name, "x"}), grants=(Grant(name),))
        held = made_up.terms(roles=frozenset({other, "x"}), grants=(Grant(other),))
        remember(store, replace(holder, restrictions=hold), replace(neighbour, restrictions=held))
        with store.reading() as tx:
            assert [c.client_id for c in tx.credentials.holding_role(ours, name)] == [holder.client_id]
            assert [c.client_id for c in tx.credentials.granted_at(ours, name)] == [holder.client_id]

    def test_a_client_id_is_never_given_twice(self, store, credential):
        remember(store, replace(credential, deleted_at=1))
        with pytest.raises(Exception, match=r"(?i)unique"):
            remember(store, credential)


class TestSQLite(CredentialStoreConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(CredentialStoreConformance):
    backend = "postgres"
