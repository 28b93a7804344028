"""`redis_wrong`: a key of a store holds what nobody expects there: another type, so that commands on it are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from holdfast.faults import base
from holdfast.faults.ways.recovered import ready_again
from holdfast.faults.ways.store import Store
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Stores

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

# Both move the key as one step, so that no client ever sees neither or both.
_PUT: Final = """
if redis.call('GET', KEYS[3]) then return 0 end
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], KEYS[2]) end
redis.call('SET', KEYS[3], '1')
return redis.call('SET', KEYS[1], ARGV[1])
"""
_BACK: Final = """
if not redis.call('GET', KEYS[3]) then return 0 end
redis.call('DEL', KEYS[1], KEYS[3])
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[1]) end
return 1
"""
_LOOK: Final = "return redis.call('TYPE', KEYS[1]).ok"


class Options(base.Options):
    """Which key."""

    key: str = Field("usage:harness", min_length=1, description="the key, which is kept aside meanwhile")


class RedisWrong(base.Fault):
    """Seen to bite when the key is of the wrong type and holds our words."""

    title: ClassVar = "answering wrongly"
    family: ClassVar = "dependency"
    Options: ClassVar[type[base.Options]] = Options
    words: ClassVar = Words(
        apply="rename {key} of {target} and put a plain text in its place",
        bites="{key} is a text, and ours",
        undo="rename it back over the text",
        gone="{key} is no longer our text, and a replica of that name is ready",
    )

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Aside with the key, in with the text."""
        _run(driver, strike, self._key(strike), _PUT, _text(strike))

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """The text is there."""
        key = self._key(strike)
        kind = str(_run(driver, strike, key, _LOOK))
        mine = kind == "string" and _store(driver, strike).ask("GET", key) == _text(strike)
        return Sight(mine, f"{key} is of type {kind}" + ", and ours" * mine)

    def undo(self, driver: Driver, strike: Strike) -> None:
        """The very key that was there, or none."""
        _run(driver, strike, self._key(strike), _BACK)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """The text is not there."""
        if not _store(driver, strike).answers():
            return Sight(False, "it does not answer")
        bites = self.bites(driver, strike)
        return Sight(False, bites.detail) if bites.seen else ready_again(driver, strike.target)

    def _key(self, strike: Strike) -> str:
        return str(self.read(strike.options).key)


def _store(driver: Driver, strike: Strike) -> Store:
    return Store(*driver.hand(Stores).store(strike.target))


def _run(driver: Driver, strike: Strike, key: str, script: str, *words: str) -> object:
    keys = (key, f"holdfast:aside:{strike.id}", f"holdfast:wrong:{strike.id}")
    return _store(driver, strike).ask("EVAL", script, len(keys), *keys, *words)


def _text(strike: Strike) -> str:
    return f"put here by fault {strike.id}"


FAULT = RedisWrong()
