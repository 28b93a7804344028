"""`empty_200`: an answer has status 200 and no body."""

from __future__ import annotations

from holdfast.proxy.answers.toxic import AnswerToxic, whole_answer


class Empty200(AnswerToxic):
    """The upstream is not asked; who looks at the status alone sees nothing."""

    def instead(self) -> bytes:
        """Nothing."""
        return whole_answer(200)


TOXIC = Empty200
