"""One turn of the loop: what is due leaves first, then what has come is stamped, and only then does anything else run.

The numbers are libev's priorities, which count among what is ready in the same turn.
"""

from __future__ import annotations

from typing import Final

import gevent

SEND: Final = 2
READ: Final = 1
REST: Final = 0
_LEAST: Final = 1e-6


def breathe() -> None:
    """Let the loop take one turn. `gevent.sleep(0)` would not: it lets greenlets run, and looks at no socket."""
    gevent.sleep(_LEAST)
