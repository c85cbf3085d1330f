"""How many audit lines a second are verified, and how long does a search take that finds next to nothing?

Lines as tokens leave them, in the database of an installation of its own, with a checkpoint for every tenth of them. A
round verifies the log in the database with every signature, verifies its export as a file, and, as the control, hashes
the same lines and nothing else; the three take turns, and count in processor time, so that neighbours on the machine
matter as little as possible.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import insert

from app.services import Services
from app.services.audit import Caller
from app.store.models import AuditChainRow, AuditEventRow
from scripts.bench_parts.figures import Bar, Control, Figure
from scripts.bench_parts.installing import install, opened
from scripts.bench_parts.plan import Plan
from tokenserver.clock import utc_now
from tokenserver.domain.audit import Entry, Event, Head, Line, chained
from tokenserver.domain.audit_search import Wanted
from tokenserver.domain.secret import new_client_id
from tokenserver.tokens.audit_record import Record

_LINES = 200_000
_CHECKPOINTS = 10
_WANTED = 50_000


def measure(plan: Plan) -> list[Figure]:
    lines = 3000 if plan.smoke else _LINES
    installed = install(plan.folder("audit"), 1)
    with opened(installed.home, installed.database_url) as services:
        caller = services.installation.prepare()
        _fill(services, caller.organization_id, lines)
        exported = installed.home / "audit.jsonl"
        exported.write_text("".join(f"{line}\n" for line in services.audit_trail.export()), encoding="ascii")
        keys = services.keys.ring().believed
        texts = [text.encode("ascii") for text in exported.read_text(encoding="ascii").splitlines()]
        works: dict[str, Callable[[], object]] = {
            "hashing": lambda: [hashlib.sha256(text).hexdigest() for text in texts],
            "the log in the database": lambda: _whole(services.audit_trail.verify()),
            "an export": lambda: _whole(_of_file(exported, Record(keys.get))),
        }
        rates = _in_turn(plan.rounds, works, len(texts))
        searching = _milliseconds(services, caller, plan.rounds)
    control = statistics.median(rates["hashing"])
    return [*(_figure(what, rates, control) for what in works if what != "hashing"), searching]


def _figure(what: str, rates: dict[str, list[float]], control: float) -> Figure:
    paired = statistics.median(rate / bare for rate, bare in zip(rates[what], rates["hashing"], strict=True))
    detail = {"rates": [round(rate) for rate in rates[what]]}
    return Figure(
        "audit",
        f"verifying {what}",
        statistics.median(rates[what]),
        "lines/s",
        Bar(at_least=_WANTED),
        Control("hashing the same lines", control, paired),
        f"best round {max(rates[what]):,.0f}",
        detail,
    )


def _milliseconds(services: Services, caller: Caller, rounds: int) -> Figure:
    """The dearest page there is: it reads as many lines as one may, and finds nothing."""
    rare, spent = Wanted(credential=new_client_id()), []
    for _ in range(max(5, rounds)):
        begun = time.process_time()
        services.audit_trail.search(caller, rare, None, 50)
        spent.append(1000 * (time.process_time() - begun))
    also = f"slowest {max(spent):.1f} ms"
    return Figure("audit", "a page of a search that finds nothing", statistics.median(spent), "ms", None, None, also)


def _fill(services: Services, organization_id: str, count: int) -> None:
    head = Head("issued-00000000000000be")
    for _ in range(_CHECKPOINTS):
        lines = list(_lines(head, organization_id, count // _CHECKPOINTS))
        head = lines[-1].head
        with services.store.writing() as tx:
            rows = [
                {
                    "chain": line.head.chain,
                    "seq": line.head.seq,
                    "organization_id": organization_id,
                    "at": at,
                    "line": line.text,
                    "hash": line.head.hash,
                }
                for at, line in zip(_seconds(lines), lines, strict=True)
            ]
            tx.session.execute(insert(AuditEventRow), rows)
            tx.session.merge(AuditChainRow(chain=head.chain, seq=head.seq, hash=head.hash))
        services.audit_upkeep.checkpoint()


_BEGUN = int(utc_now())


def _seconds(lines: list[Line]) -> Iterator[int]:
    return (_BEGUN + line.head.seq // 1000 for line in lines)


def _lines(head: Head, organization_id: str, count: int) -> Iterator[Line]:
    for _ in range(count):
        client_id = "tsc_" + f"{head.seq % 100:022d}"
        detail = {"jti": "x" * 22, "audience": "https://api.example.com", "scopes": ["reports:read"], "generation": 1}
        at = float(_BEGUN + (head.seq + 1) // 1000)
        actor = f"credential:{client_id}"
        entry = Entry(Event.TOKEN_ISSUED, at, actor, organization_id, client_id, "192.0.2.1", "x" * 16, detail=detail)
        line = chained(entry, head)
        head = line.head
        yield line


def _in_turn(rounds: int, works: dict[str, Callable[[], object]], lines: int) -> dict[str, list[float]]:
    """Lines a second of each work, in each round."""
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            begun = time.process_time()
            work()
            rates[name].append(lines / (time.process_time() - begun))
    return rates


def _of_file(path: Path, record: Record) -> object:
    with path.open(encoding="ascii") as lines:
        return record.verify(lines)


def _whole(flaw: object) -> None:
    if flaw is not None:
        raise ValueError(f"the log that was just written is not whole: {flaw}")
