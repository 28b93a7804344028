"""Empty modules in place of heavy ones that no figure depends on."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import types

HEAVY = {"transformers", "datasets", "torch", "PIL", "soundfile", "tokenizers", "sanic", "av", "boto3", "google"}
HEAVY |= {"huggingface_hub", "ray", "vllm.benchmarks.datasets", "vllm.tokenizers", "vllm.utils", "aiofiles", "tqdm"}
HEAVY |= {"tiktoken", "botocore", "vllm.logger", "vllm.benchmarks.lib.utils", "vllm.platforms", "aiobotocore"}


class Anything(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return cls

    def __getitem__(cls, _):
        return cls


class Nothing(metaclass=Anything):
    """Stands for every class and function of a module that is not there."""

    def __init__(self, *_, **__):
        pass

    def __class_getitem__(cls, _):
        return cls


class Empty(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an empty module for every heavy one."""

    def find_spec(self, name, path, target=None):
        if any(name == one or name.startswith(f"{one}.") for one in HEAVY):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__path__ = []
        module.__getattr__ = lambda name: Nothing
        if spec.name == "ray":
            module.remote = lambda cls: cls
        return module

    def exec_module(self, module):
        pass
