"""`black_hole`: a request is taken and never answered, while other paths are."""

from __future__ import annotations

from typing import ClassVar

from holdfast.proxy.answers.toxic import AnswerToxic


class BlackHole(AnswerToxic):
    """When it goes, whoever still waits is answered, late."""

    swallows: ClassVar = True


TOXIC = BlackHole
