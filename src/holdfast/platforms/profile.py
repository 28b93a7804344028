"""A profile of the embedded platform as its file says it: options and process definitions, not yet filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from holdfast.errors import Location, Problem, SpecError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Http(_Shape):
    """A path asked for with GET, on the replica's port or its admin port."""

    http: str = Field(pattern="^/")
    port: Literal["port", "admin"] = "port"


class Tcp(_Shape):
    """A port that must accept a connection."""

    tcp: Literal["port", "admin"]


class Definition(_Shape):
    """One role: how to start its replicas, when they are ready, where their metrics are."""

    name: str = Field(pattern="^[a-z][a-z0-9-]*$")
    replicas: str = ""
    """How many, and then they are called NAME-1, NAME-2, …; empty means one, called NAME."""
    address: Literal["own", "shared"] = "own"
    """`shared`: every replica listens on the same {port}, by SO_REUSEPORT."""
    command: tuple[str, ...] = Field(min_length=1)
    environment: dict[str, str] = {}
    ready: Http | Tcp
    metrics: Http | None = None
    faults: bool = False
    """Whether faults may touch this role."""
    when: str = ""
    """Filled in, `off` leaves the role out."""
    carries: tuple[str, ...] = ()
    """Roles to which others speak through this one: {routes:NAME} are its ways, {links:ROLE} where others find them."""
    domain: str = ""
    """Filled in, the domain in which others find what it carries by name; empty or `off`: they find it by address."""
    secured: str = ""
    """Filled in, `on`: who speaks HTTP to what it carries does so over TLS."""


class Addresses(_Shape):
    """Where the harness reaches the platform, as templates."""

    gateway: str
    prometheus: str
    alertmanager: str
    alerts: str
    documents: str = ""


class Profile(_Shape):
    """A whole profile file."""

    title: str
    wait: float = Field(default=60, gt=0)
    """Seconds until everything must be ready, where nobody says otherwise."""
    options: dict[str, str] = {}
    processes: tuple[Definition, ...] = Field(min_length=1)
    config: tuple[str, ...] = ()
    """Files beside the profile, filled in and written to config/ of the state folder."""
    rules: str = ""
    """Folder beside the profile with Prometheus rule files."""
    endpoints: Addresses

    @model_validator(mode="after")
    def _names_are_unique(self) -> Profile:
        names = [one.name for one in self.processes]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"processes defined twice: {', '.join(twice)}")
        return self


def find(profile: str, home: Path) -> Path:
    """File of a profile: a name means NAME.yaml in `home`, anything with a suffix is a path itself.

    Raises UsageError with the profiles there are.
    """
    path = home / f"{profile}.yaml"
    if profile.endswith((".yaml", ".yml")):
        path = home / profile
    if path.is_file():
        return path
    known = sorted(found.stem for found in home.glob("*.yaml") if "\nprocesses:" in found.read_text("utf-8"))
    raise UsageError(f"there is no profile {profile!r} in {home}", hint=f"profiles: {', '.join(known) or 'none'}")


def read(text: str, file: str) -> Profile:
    """A profile from its YAML text, every scalar as it is written, so that `failover: on` stays "on".

    Raises SpecError with every problem.
    """
    try:
        # BaseLoader knows no types, hence no tags that could run code either.
        return Profile.model_validate(yaml.load(text, Loader=yaml.BaseLoader))  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = Location(file=file, line=mark.line + 1, column=mark.column + 1) if mark else Location(file=file)
        raise SpecError((Problem(where=where, what=error.problem or "this is not YAML"),)) from error
    except ValidationError as error:
        raise SpecError(tuple(_problem(found["loc"], found["msg"], file) for found in error.errors())) from error


def _problem(place: tuple[int | str, ...], message: str, file: str) -> Problem:
    return Problem(where=Location(file=file), what=f"{'.'.join(map(str, place)) or 'the file'}: {message}")


def with_options(profile: Profile, chosen: Mapping[str, str]) -> dict[str, str]:
    """The profile's options, overridden. Raises UsageError for an option that the profile does not have."""
    if unknown := sorted(set(chosen) - set(profile.options)):
        known = ", ".join(f"{name}={value}" for name, value in profile.options.items())
        raise UsageError(f"the profile has no option {', '.join(unknown)}", hint=f"options: {known or 'none'}")
    return {**profile.options, **chosen}
