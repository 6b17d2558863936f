"""Writes the load-balancing loss that transformers computes from the demo model's real routing.

Computed in fp32 on the CPU with eager attention, over the prompts of the demo model's golden as one global batch. README.md in
this folder describes the file.
"""

import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM
from transformers.models.qwen3_moe.modeling_qwen3_moe import load_balancing_loss_func

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "models/qwen3-moe-demo"
PROMPTS = ROOT / "test/golden/data/model-goldens/qwen3-moe-demo.json"
GOLDEN = ROOT / "test/golden/data/load-balancing-loss.json"


@torch.no_grad()
def main():
    model = AutoModelForCausalLM.from_pretrained(DEMO, dtype=torch.float32, attn_implementation="eager").eval()
    prompts = json.loads(PROMPTS.read_text())["prompts"]
    sequences = [prompt["promptTokenIds"] + prompt["greedyTokenIds"] for prompt in prompts]
    logits = [model(input_ids=torch.tensor([ids]), output_router_logits=True).router_logits for ids in sequences]
    layers = tuple(torch.cat(parts) for parts in zip(*logits))
    config = model.config
    loss = lambda gates: float(load_balancing_loss_func(gates, config.num_experts, config.num_experts_per_tok))
    golden = {
        "checkpoint": str(DEMO.relative_to(ROOT)),
        "sequences": sequences,
        "layerLosses": [loss((gate,)) for gate in layers],
        "lossOfAllLayers": loss(layers),
    }
    GOLDEN.write_text(json.dumps(golden) + "\n")


main()
