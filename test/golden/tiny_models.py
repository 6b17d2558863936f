"""Tiny random Qwen3-MoE models: each one exercises a part of the architecture that the demo model does not.

Weights are random but not small: the spread of the router logits and of the token logits is that of a trained model, so
that a wrong expert, a missing bias or a wrong rotation changes the answer by far more than rounding does.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM


@dataclass(frozen=True)
class TinyModel:
    name: str
    # What differs from BASE_CONFIG; a head_dim of None is left out of config.json.
    config: dict
    dtype: str = "bfloat16"
    # Whether transformers writes the checkpoint, in the form of its version 5; otherwise this script writes the classic
    # form that published Qwen3-MoE checkpoints have.
    written_by_transformers: bool = False
    # A size that makes transformers write several files and an index.
    max_shard_size: str = "1GB"


BASE_CONFIG = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": None,
    "decoder_sparse_step": 1,
    "eos_token_id": None,
    "head_dim": 16,
    "hidden_act": "silu",
    "hidden_size": 64,
    "intermediate_size": 96,
    "max_position_embeddings": 512,
    "mlp_only_layers": [],
    "model_type": "qwen3_moe",
    "moe_intermediate_size": 32,
    "norm_topk_prob": True,
    "num_attention_heads": 4,
    "num_experts": 16,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "output_router_logits": False,
    "rms_norm_eps": 1e-6,
    "rope_scaling": None,
    "rope_theta": 1000000.0,
    "router_aux_loss_coef": 0.001,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 128,
}

TINY_MODELS = [
    TinyModel(
        "norm-topk-prob-off",
        {"norm_topk_prob": False, "num_experts_per_tok": 6, "rope_theta": 10000.0},
    ),
    TinyModel("tied-embeddings", {"tie_word_embeddings": True, "vocab_size": 160, "rms_norm_eps": 1e-5}),
    TinyModel(
        "attention-bias",
        {"attention_bias": True, "num_experts": 12, "num_experts_per_tok": 4, "rope_theta": 100000.0},
        "float32",
    ),
    TinyModel(
        "mlp-layers",
        {"mlp_only_layers": [1], "decoder_sparse_step": 2, "num_hidden_layers": 4, "num_experts": 24},
        written_by_transformers=True,
    ),
    TinyModel(
        "experts-60",
        {"num_experts": 60, "num_experts_per_tok": 4, "decoder_sparse_step": 2, "num_hidden_layers": 3},
        written_by_transformers=True,
    ),
    TinyModel("experts-160", {"num_experts": 160, "mlp_only_layers": [0], "norm_topk_prob": False}),
    # Without head_dim the size of a head is hidden_size / num_attention_heads.
    TinyModel("gqa-1-to-1", {"num_key_value_heads": 4, "head_dim": None, "rope_theta": 500000.0}, "float16"),
    TinyModel(
        "gqa-8-to-1",
        {
            "num_attention_heads": 8,
            "num_key_value_heads": 1,
            "head_dim": 32,
            "hidden_size": 128,
            "intermediate_size": 128,
            "num_experts": 12,
        },
    ),
    TinyModel(
        "wide-heads-sharded",
        {
            "hidden_size": 96,
            "head_dim": 64,
            "num_experts": 12,
            "num_experts_per_tok": 2,
            "rope_theta": 10000.0,
            "vocab_size": 256,
        },
        written_by_transformers=True,
        max_shard_size="200KB",
    ),
]


def write_checkpoint(model: TinyModel, seed: int, directory: Path) -> None:
    """Writes config.json and the weights; the same seed gives the same bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    config = {**BASE_CONFIG, **model.config, "torch_dtype": model.dtype}
    if config["head_dim"] is None:
        del config["head_dim"]
    weights = {k: w.to(getattr(torch, model.dtype)) for k, w in random_weights(config, seed).items()}
    (directory / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    if model.written_by_transformers:
        loaded = AutoModelForCausalLM.from_pretrained(directory, dtype=model.dtype)
        for old in directory.iterdir():
            old.unlink()
        loaded.save_pretrained(directory, max_shard_size=model.max_shard_size)


def random_weights(config: dict, seed: int) -> dict:
    """Every tensor of the checkpoint under its published name, fp32."""
    rng = np.random.default_rng(seed)
    hidden, vocab = config["hidden_size"], config["vocab_size"]
    head_dim = config.get("head_dim", hidden // config["num_attention_heads"])
    q_size, kv_size = config["num_attention_heads"] * head_dim, config["num_key_value_heads"] * head_dim
    weights = {}

    def linear(name, rows, columns, gain=1.0):
        weights[name] = torch.from_numpy(rng.standard_normal((rows, columns), np.float32) * (gain / math.sqrt(columns)))

    def norm(name, size):
        weights[name] = torch.from_numpy(rng.uniform(0.5, 1.5, size).astype(np.float32))

    def gated_mlp(prefix, intermediate):
        linear(prefix + "gate_proj.weight", intermediate, hidden, 1.5)
        linear(prefix + "up_proj.weight", intermediate, hidden, 1.5)
        linear(prefix + "down_proj.weight", hidden, intermediate, 2.0)

    linear("model.embed_tokens.weight", vocab, hidden, 3.0)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        norm(prefix + "input_layernorm.weight", hidden)
        norm(prefix + "post_attention_layernorm.weight", hidden)
        norm(prefix + "self_attn.q_norm.weight", head_dim)
        norm(prefix + "self_attn.k_norm.weight", head_dim)
        for name, rows, columns in (
            ("q", q_size, hidden),
            ("k", kv_size, hidden),
            ("v", kv_size, hidden),
            ("o", hidden, q_size),
        ):
            linear(f"{prefix}self_attn.{name}_proj.weight", rows, columns, 2.0)
            if config["attention_bias"]:
                bias = rng.standard_normal(rows, np.float32) * 0.5
                weights[f"{prefix}self_attn.{name}_proj.bias"] = torch.from_numpy(bias)
        if layer not in config["mlp_only_layers"] and (layer + 1) % config["decoder_sparse_step"] == 0:
            linear(prefix + "mlp.gate.weight", config["num_experts"], hidden, 2.0)
            for expert in range(config["num_experts"]):
                gated_mlp(f"{prefix}mlp.experts.{expert}.", config["moe_intermediate_size"])
        else:
            gated_mlp(prefix + "mlp.", config["intermediate_size"])
    norm("model.norm.weight", hidden)
    if not config["tie_word_embeddings"]:
        linear("lm_head.weight", vocab, hidden, 3.0)
    return weights
