"""Who or what is meant by what was typed? Lines of the audit log hold IDs; people know names, and e-mail addresses.

What names one is that one, and what names several is a choice. What could be an ID is one: of whom nobody here has
heard any more, there are lines still.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.console import words
from app.services.actors import Actors, Called
from app.services.audit import Caller
from tokenserver.domain.credential import name_key
from tokenserver.domain.secret import looks_like_client_id
from tokenserver.errors import InvalidRequest

MOST_CHOICES = 20
_LONGEST = 200
_CREDENTIAL, _OPERATOR = "credential:", "operator:"
Find = Callable[[Caller, str, int], Sequence[Called]]


@dataclass(frozen=True, slots=True)
class Meant:
    """`query` as the log is searched by it. `names`: parameter to the name of what it means. Where `choices`
    (parameter to what is offered instead) has any, nothing can be searched for yet.
    """

    query: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, Sequence[Called]] = field(default_factory=dict)


def meant_by(query: Mapping[str, str], actors: Actors, caller: Caller) -> Meant:
    """`query` with IDs for what was typed as actor and as credential; raises InvalidRequest where nobody is meant."""
    meant = Meant(dict(query))
    if "actor" in query:
        meant = _with(meant, "actor", _actor(query["actor"], actors, caller))
    if "credential" in query:
        meant = _with(meant, "credential", _credential(query["credential"], actors, caller))
    return meant


def _with(meant: Meant, name: str, found: Sequence[Called]) -> Meant:
    if len(found) > 1:
        return replace(meant, choices={**meant.choices, name: found})
    (one,) = found
    return replace(meant, query={**meant.query, name: one.id}, names={**meant.names, name: one.name})


def _actor(text: str, actors: Actors, caller: Caller) -> Sequence[Called]:
    for actor, called in words.ACTORS.items():
        if name_key(text) in {actor, name_key(called)}:
            return [Called(actor, called)]
    if text.startswith((_CREDENTIAL, _OPERATOR)):
        return [Called(text, actors.names(caller, [], [text]).get(text, ""))]
    if looks_like_client_id(text):
        return [Called(_CREDENTIAL + text, actors.names(caller, [text]).get(text, ""))]
    operators = _found(text, caller, actors.operators_called)
    credentials = _found(text, caller, actors.credentials_called)
    found = [*operators, *(replace(one, id=_CREDENTIAL + one.id) for one in credentials)]
    return _some_of(found, text, words.NO_SUCH_ACTOR)


def _credential(text: str, actors: Actors, caller: Caller) -> Sequence[Called]:
    if looks_like_client_id(text):
        return [Called(text, actors.names(caller, [text]).get(text, ""))]
    return _some_of(_found(text, caller, actors.credentials_called), text, words.NO_SUCH_CREDENTIAL)


def _found(text: str, caller: Caller, find: Find) -> Sequence[Called]:
    return find(caller, text, MOST_CHOICES) if len(text) <= _LONGEST and "\0" not in text and name_key(text) else []


def _some_of(found: Sequence[Called], text: str, else_say: str) -> Sequence[Called]:
    """All that were found; of several the one whose whole name it is, where there is one."""
    if not found:
        raise InvalidRequest(else_say)
    whole = [one for one in found if name_key(text) in {name_key(one.name), name_key(one.beside)}]
    return whole if len(whole) == 1 else found[:MOST_CHOICES]
