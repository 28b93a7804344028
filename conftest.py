"""Plugins of the whole suite; and the standard library's `platform`, imported before pytest names a folder so."""

import platform  # noqa: F401 - importlib mode would put the folder platform/ in its place

pytest_plugins = ("pytester",)  # this project is a pytest plugin as well
