"""Open-loop chat load: `locust -f loadtests/chat.py --host http://127.0.0.1:8080 --headless --rate 5 --length 30s`."""

from holdfast.load.user import StreamingUser

__all__ = ["StreamingUser"]
