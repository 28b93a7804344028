"""Every fault of answers, with options that show within seconds: for an engine's door and for the fault proxy."""

ANSWERS = [
    ("slow_first_token", {"seconds": 0.8}),
    ("slow_decode", {"each": 0.3}),
    ("stream_cut", {"tokens": 3}),
    ("stream_cut", {"tokens": 0}),
    ("stream_stall", {"tokens": 3}),
    ("malformed_event", {"tokens": 2}),
    ("no_done", {}),
    ("wrong_usage", {"off": -2}),
    ("empty_200", {}),
    ("status", {"status": 429, "retry_after": 2}),
    ("status", {"status": 400, "reason": "content_filter"}),
    ("black_hole", {}),
]
