"""Writes the tiny model that a real vLLM serves here: `python tiny.py DIR`; a seed in, the same bytes out.

Run by vLLM's own Python, which has `tokenizers`; it needs nothing else beyond the standard library and imports nothing
of ours. Two Llama layers with random weights: the text is noise; scheduling, batching, streaming and metrics are real.

The weights are written, rather than left to vLLM's `--load-format dummy`: then the command line is the one that serves
any other model, and the numbers do not depend on the version of torch that would draw them.
"""

from __future__ import annotations

import argparse
import array
import importlib
import json
import math
import random
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SEED: Final = 1
LENGTH: Final = 4096
"""Tokens of prompt and answer together."""
VOCABULARY: Final = 1024
"""Tokens at most; WORDS need fewer."""
SPECIAL: Final = ("<unk>", "<s>")
BEGIN: Final = 1
"""There is no token for the end: a random one would cut answers short, and each is to be as long as was asked."""
CHAT: Final = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
SHAPE: Final = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
}
WORDS: Final = (
    "the a of and to in is it that was for on are with as at be this have from or had by not but what some we can out "
    "other were all there when up use your how said each she which their time if will way about many then them write "
    "would like so these her long make thing see him two has look more day could go come did number sound no most "
    "people over know water than call first who may down side been now find any new work part take get place made live "
    "where after back little only round man year came show every good me give our under name very through just form "
    "sentence great think say help low line differ turn cause much mean before move right boy old too same tell "
    "service release canary error budget burn rate latency token stream model replica gateway deploy rollback watch "
    "alert target window hello user system assistant"
)
"""Common English words, each of which becomes about one token, as in a vocabulary a hundred times as large."""


def main() -> None:
    """Write the model named on the command line."""
    parser = argparse.ArgumentParser(description="Write a tiny Llama with random weights and a tokenizer of its own.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    for name, content in files(args.seed).items():
        args.folder.mkdir(parents=True, exist_ok=True)
        (args.folder / name).write_bytes(content)
    sys.stdout.write(f"{args.folder}\n")


def files(seed: int) -> dict[str, bytes]:
    """Every file of the model. Raises ImportError where `tokenizers` is missing."""
    text = tokenizer(seed)
    known = len(json.loads(text)["model"]["vocab"])
    return {
        "config.json": _json(config(known)),
        "generation_config.json": _json({"bos_token_id": BEGIN, "eos_token_id": None}),
        "tokenizer.json": text.encode(),
        "tokenizer_config.json": _json(tokenizer_config()),
        "model.safetensors": safetensors(weights(seed, known)),
    }


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def config(known: int) -> dict[str, Any]:
    """config.json, as Transformers reads it; `known` is how many tokens the tokenizer has."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **SHAPE,
        "vocab_size": known,
        "max_position_embeddings": LENGTH,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "bos_token_id": BEGIN,
        "eos_token_id": None,
        "torch_dtype": "float32",
        "tie_word_embeddings": True,
    }


def tokenizer_config() -> dict[str, Any]:
    """tokenizer_config.json, with the template of a chat."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": SPECIAL[0],
        "bos_token": SPECIAL[BEGIN],
        "model_max_length": LENGTH,
        "chat_template": CHAT,
    }


def tokenizer(seed: int) -> str:
    """tokenizer.json: byte-level BPE, trained on sentences of WORDS that the seed puts together."""
    kit = importlib.import_module("tokenizers")
    made = kit.Tokenizer(kit.models.BPE())
    made.pre_tokenizer = kit.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = kit.decoders.ByteLevel()
    trainer = kit.trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(kit.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(_sentences(random.Random(seed)), trainer)
    return str(made.to_str(pretty=True))


def _sentences(draw: random.Random) -> Iterator[str]:
    words = WORDS.split()
    for _ in range(4000):
        yield " ".join(draw.choice(words) for _ in range(12))


def weights(seed: int, known: int) -> Iterator[tuple[str, tuple[int, ...], array.array[float]]]:
    """Name, shape and numbers of every tensor; each as wide as keeps the sums of a layer near one."""
    draw = random.Random(seed)
    for name, shape in tensors(known):
        if name.endswith("norm.weight"):
            yield name, shape, array.array("f", [1.0]) * math.prod(shape)
            continue
        # random() is the one draw whose values Python promises to keep; its spread is 1/sqrt(12) of its range.
        wide = math.sqrt(12 / shape[-1])
        numbers = ((draw.random() - 0.5) * wide for _ in range(math.prod(shape)))
        yield name, shape, array.array("f", numbers)


def tensors(known: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every tensor of a Llama with tied embeddings."""
    hidden, inner, head = SHAPE["hidden_size"], SHAPE["intermediate_size"], SHAPE["head_dim"]
    queries, keys = SHAPE["num_attention_heads"] * head, SHAPE["num_key_value_heads"] * head
    yield "model.embed_tokens.weight", (known, hidden)
    for number in range(SHAPE["num_hidden_layers"]):
        layer = f"model.layers.{number}"
        yield f"{layer}.input_layernorm.weight", (hidden,)
        yield f"{layer}.self_attn.q_proj.weight", (queries, hidden)
        yield f"{layer}.self_attn.k_proj.weight", (keys, hidden)
        yield f"{layer}.self_attn.v_proj.weight", (keys, hidden)
        yield f"{layer}.self_attn.o_proj.weight", (hidden, queries)
        yield f"{layer}.post_attention_layernorm.weight", (hidden,)
        yield f"{layer}.mlp.gate_proj.weight", (inner, hidden)
        yield f"{layer}.mlp.up_proj.weight", (inner, hidden)
        yield f"{layer}.mlp.down_proj.weight", (hidden, inner)
    yield "model.norm.weight", (hidden,)


def safetensors(found: Iterator[tuple[str, tuple[int, ...], array.array[float]]]) -> bytes:
    """The format of https://github.com/huggingface/safetensors: length of the header, header, little-endian numbers."""
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = bytearray()
    for name, shape, numbers in found:
        if sys.byteorder == "big":
            numbers.byteswap()
        start = len(body)
        body += numbers.tobytes()
        head[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, len(body)]}
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(body)


if __name__ == "__main__":
    main()
