"""Toxiproxy's HTTP API over the proxies: a request to an answer. Leases and what was observed are our own additions."""

from __future__ import annotations

import json
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from holdfast.proxy import metrics, toxics
from holdfast.proxy.answers.toxic import AnswerToxic, Picks
from holdfast.proxy.lane import DOWNSTREAM, UPSTREAM, Active
from holdfast.proxy.proxies import NoListenerError, Proxy, address, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.proxy.lane import World
    from holdfast.proxy.toxics.base import Toxic


class Answer(NamedTuple):
    """Status and body; None for no body, text as it is, all else as JSON."""

    status: int
    body: Any = None


class ApiError(Exception):
    """What Toxiproxy says when it cannot."""

    def __init__(self, status: int, message: str, more: Mapping[str, Any] = MappingProxyType({})) -> None:
        super().__init__(message)
        self.status, self.more = status, more


class _Body(BaseModel):
    """Clients send back what they were shown, so keys beyond these are no mistake."""

    model_config = ConfigDict(strict=True, frozen=True)


Shape = TypeVar("Shape", bound=_Body)


class _Proxy(_Body):
    name: str = ""
    listen: str = ""
    upstream: str = ""
    enabled: bool = True
    lease: float | None = Field(None, gt=0)
    by: str = ""


class _Change(_Body):
    listen: str | None = None
    upstream: str | None = None
    enabled: bool | None = None
    lease: float | None = Field(None, gt=0)
    by: str = ""


class _Toxic(_Body):
    name: str = ""
    type: str = ""
    stream: str = DOWNSTREAM
    toxicity: float = 1.0
    attributes: dict[str, Any] = Field(default_factory=dict)
    lease: float | None = Field(None, gt=0)


class _ToxicChange(_Body):
    toxicity: float | None = None
    attributes: dict[str, Any] | None = None
    lease: float | None = Field(None, gt=0)


class Api:
    """All proxies of one process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.proxies: dict[str, Proxy] = {}

    async def answer(self, method: str, path: str, body: bytes, agent: str = "") -> Answer:
        """One request. Never raises for what a client may send."""
        if agent.startswith("Mozilla/"):  # a page in a browser must not reach what listens on its machine
            return Answer(403, "User agent not allowed\n")
        try:
            return await self._route(method, [part for part in path.partition("?")[0].split("/") if part], body)
        except ApiError as error:
            return Answer(error.status, {"error": str(error), "status": error.status, **error.more})
        except NoListenerError as error:
            return Answer(500, {"error": str(error), "status": 500})

    async def _route(self, method: str, parts: list[str], body: bytes) -> Answer:  # noqa: PLR0911 - one for each path
        match method, parts:
            case "GET", ["version"]:
                return Answer(200, {"version": version("holdfast")})
            case "GET", ["metrics"]:
                return Answer(200, metrics.text(self.proxies.values()))
            case "POST", ["reset"]:
                return await self._reset()
            case "POST", ["populate"]:
                return await self._populate(_read_all(body))
            case "GET", ["proxies"]:
                return Answer(200, {name: self._shown(one) for name, one in self.proxies.items()})
            case "POST", ["proxies"]:
                return Answer(201, self._shown(await self._create(_read(_Proxy, body))))
            case _, ["proxies", name, *rest]:
                return await self._of_proxy(method, self._find(name), rest, body)
        return _lost(parts)

    async def _of_proxy(  # noqa: PLR0911 - one for each path
        self, method: str, proxy: Proxy, rest: list[str], body: bytes
    ) -> Answer:
        match method, rest:
            case "GET", []:
                return Answer(200, self._shown(proxy))
            case (("POST" | "PATCH"), []):
                return Answer(200, self._shown(await self._update(proxy, _read(_Change, body))))
            case "DELETE", []:
                await self.proxies.pop(proxy.name).end()
                return Answer(204)
            case "GET", ["observed"]:
                return Answer(200, _observed(proxy))
            case "GET", ["toxics"]:
                return Answer(200, [shown(one, proxy) for one in proxy.ordered()])
            case "POST", ["toxics"]:
                return Answer(200, shown(_add(proxy, _read(_Toxic, body)), proxy))
            case _, ["toxics", name]:
                return _of_toxic(method, proxy, name, body)
        return _lost(["proxies", proxy.name, *rest])

    def _find(self, name: str) -> Proxy:
        if name not in self.proxies:
            raise ApiError(404, "proxy not found")
        return self.proxies[name]

    def _shown(self, proxy: Proxy) -> dict[str, Any]:
        down = [left for by in proxy.downs if (left := proxy.left(("down", by)))]
        return {
            "name": proxy.name,
            "listen": proxy.listen,
            "upstream": proxy.upstream,
            "enabled": proxy.enabled,
            "toxics": [shown(one, proxy) for one in proxy.ordered()],
            **({"by": sorted(proxy.downs)} if any(proxy.downs) else {}),
            **(max(down, key=lambda left: left["lease"]) if down else {}),
        }

    async def _create(self, wanted: _Proxy, place: str = "") -> Proxy:
        _check(wanted, place)
        if wanted.name in self.proxies:
            raise ApiError(409, "proxy already exists")
        proxy = Proxy(wanted.name, wanted.listen, wanted.upstream, self._world)
        if wanted.enabled:
            await proxy.start()
        else:
            await proxy.down(wanted.by, wanted.lease)
        self.proxies[proxy.name] = proxy
        return proxy

    async def _update(self, proxy: Proxy, wanted: _Change) -> Proxy:
        listen, upstream = wanted.listen or proxy.listen, wanted.upstream or proxy.upstream
        enabled = proxy.enabled if wanted.enabled is None else wanted.enabled
        if (address(listen), upstream) != (address(proxy.listen), proxy.upstream):
            await proxy.stop()
            proxy.listen, proxy.upstream = listen, upstream
            if enabled and not proxy.downs:
                await proxy.start()
        if wanted.enabled is False:
            await proxy.down(wanted.by, wanted.lease)
        elif wanted.enabled:
            await proxy.up(wanted.by)
        elif wanted.enabled is None and wanted.by in proxy.downs:
            proxy.lease_of_down(wanted.by, wanted.lease)
        return proxy

    async def _populate(self, wanted: list[_Proxy]) -> Answer:
        done = []
        for one in wanted:
            known = self.proxies.get(one.name)
            if known and (address(known.listen), known.upstream) == (address(one.listen), one.upstream):
                done.append(known)
                continue
            if known:
                await self.proxies.pop(one.name).end()
            done.append(await self._create(one))
        return Answer(201, {"proxies": [self._shown(one) for one in done]})

    async def _reset(self) -> Answer:
        for proxy in self.proxies.values():
            for name in list(proxy.toxics):
                proxy.remove(name)
            await proxy.up("")
        return Answer(204)


def _of_toxic(method: str, proxy: Proxy, name: str, body: bytes) -> Answer:
    active = proxy.toxics.get(name)
    if active is None:
        raise ApiError(404, "toxic not found")
    match method:
        case "GET":
            return Answer(200, shown(active, proxy))
        case "POST" | "PATCH":
            _change(proxy, active, _read(_ToxicChange, body))
            return Answer(200, shown(active, proxy))
        case "DELETE":
            proxy.remove(name)
            return Answer(204)
    return Answer(405)


def _add(proxy: Proxy, wanted: _Toxic) -> Active:
    if wanted.stream not in (UPSTREAM, DOWNSTREAM):
        raise ApiError(400, "stream was invalid, can be either upstream or downstream")
    kind = toxics.find(wanted.type)
    if kind is None:
        raise ApiError(400, "invalid toxic type")
    name = wanted.name or f"{wanted.type}_{wanted.stream}"
    if name in proxy.toxics:
        raise ApiError(409, "toxic already exists")
    toxic = _attributes(kind, wanted.attributes)
    if wanted.type == "certificate" and not proxy.certificates:
        raise ApiError(400, f"{proxy.name} speaks no TLS")
    if wanted.type == "name" and not proxy.world.domain:
        raise ApiError(400, f"nobody is told the name of {proxy.name}")
    active = Active(name=name, type=wanted.type, stream=wanted.stream, toxicity=wanted.toxicity, toxic=toxic)
    if isinstance(toxic, AnswerToxic):
        active.picks = Picks(toxic.pick.seed)
    proxy.add(active, wanted.lease)
    return active


def _change(proxy: Proxy, active: Active, wanted: _ToxicChange) -> None:
    proxy.lease_of(active, wanted.lease)
    if wanted.attributes is None and wanted.toxicity is None:
        return
    active.toxic = _attributes(type(active.toxic), {**active.toxic.model_dump(), **(wanted.attributes or {})})
    active.toxicity = active.toxicity if wanted.toxicity is None else wanted.toxicity
    proxy.change(active)


def _attributes(kind: type[Toxic], given: dict[str, Any]) -> Toxic:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise ApiError(400, f"bad request body: {_told(error)}") from error


def _observed(proxy: Proxy) -> dict[str, Any]:
    """What really passed and happened, whatever the settings say."""
    return {
        "accepted": proxy.accepted,
        "refused": proxy.refused,
        "open": len(proxy.connections),
        **{name: {"received": one.received, "sent": one.sent} for name, one in proxy.tallies.items()},
        "toxics": {one.name: {"cuts": one.cuts, **(one.picks.told() if one.picks else {})} for one in proxy.ordered()},
    }


def _check(wanted: _Proxy, place: str) -> None:
    for key in ("name", "upstream"):
        if not getattr(wanted, key):
            raise ApiError(400, f"missing required field: {key}{place}")
    address(wanted.upstream)


_ALL: Final = TypeAdapter(list[_Proxy])


def _read_all(body: bytes) -> list[_Proxy]:
    try:
        wanted = _ALL.validate_json(body)
        for number, one in enumerate(wanted, 1):
            _check(one, f" at proxy {number}")
    except ValidationError as error:
        raise ApiError(400, f"bad request body: {_told(error)}", {"proxies": None}) from error
    except ApiError as error:
        raise ApiError(error.status, str(error), {"proxies": None}) from error
    return wanted


def _read(shape: type[Shape], body: bytes) -> Shape:
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise ApiError(400, f"bad request body: {_told(error)}") from error


def _told(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}".lstrip(": ") for one in error.errors())


_PATHS: Final = ("version", "metrics", "reset", "populate", "proxies")


def _lost(parts: list[str]) -> Answer:
    known = parts and parts[0] in _PATHS and len(parts) <= (3 if parts[0] == "proxies" else 1)
    return Answer(405, "") if known else Answer(404, "404 page not found\n")


def encoded(answer: Answer) -> tuple[bytes, str]:
    """Body and its type."""
    if answer.body is None:
        return b"", ""
    if isinstance(answer.body, str):
        return answer.body.encode(), "text/plain; charset=utf-8"
    return json.dumps(answer.body).encode() + b"\n", "application/json"
