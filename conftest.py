"""What holds for the whole suite: plugins, a quicker way to run it, and the standard library's `platform`.

That is imported before pytest names a folder so.
"""

import platform  # noqa: F401 - importlib mode would put the folder platform/ in its place

from hypothesis import settings

settings.register_profile("quick", max_examples=20)  # for a second Python: the first looks at more

pytest_plugins = ("pytester",)  # this project is a pytest plugin as well
