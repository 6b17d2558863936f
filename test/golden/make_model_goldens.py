"""Writes the tiny checkpoints and, for them and the demo model, the logits, experts and routing weights of transformers.

Computed in fp32 on the CPU with eager attention. README.md in this folder describes the files.
"""

import json
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeTopKRouter

from tiny_models import TINY_MODELS, write_checkpoint

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "test/golden/data"
DECODE_STEPS = 32
PROMPT_LENGTHS = (21, 67)
# Below these gaps rounding could change an expert or a token, and a comparison would not be fair.
MIN_ROUTER_GAP = 1.2e-4
MIN_GREEDY_GAP = 1e-2
# A random model that repeats one token tests little.
MIN_DISTINCT_GREEDY_TOKENS = 16
# Largest difference that decoding with a KV cache may have from computing the whole sequence at once.
MAX_CACHE_DIFFERENCE = 2e-4

DEMO = ROOT / "models/qwen3-moe-demo"
DEMO_QUESTIONS = [f"What is {a} + {b}?" for a, b in ((47, 85), (368, 257), (914, 88), (575, 649), (286, 735))]
DEMO_HISTORY = [
    {"role": "system", "content": "You are a careful calculator."},
    {"role": "user", "content": "Count from 17 to 24."},
    {"role": "assistant", "content": "17 18 19 20 21 22 23 24"},
]


class RouterRecorder:
    """Keeps what every router returns, in the order of the layers."""

    def __init__(self, model):
        self.calls = {}
        for index, layer in enumerate(model.model.layers):
            gate = getattr(layer.mlp, "gate", None)
            if isinstance(gate, Qwen3MoeTopKRouter):
                gate.register_forward_hook(lambda _module, _inputs, outputs, index=index: self._record(index, outputs))

    def _record(self, layer, outputs):
        self.calls.setdefault(layer, []).append([tensor.clone() for tensor in outputs])

    def take(self):
        """Router logits [layer][position, expert], routing weights and expert ids [layer][position, k]; forgets them."""
        layers = [[torch.cat(parts) for parts in zip(*self.calls[layer])] for layer in sorted(self.calls)]
        self.calls = {}
        return [torch.stack(tensors) for tensors in zip(*layers)]


def load(directory):
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
    model.set_experts_implementation("eager")
    return model.eval()


@torch.no_grad()
def trace(model, recorder, prompt):
    """One prompt, prefilled at once and followed by greedy steps with the KV cache."""
    output = model(input_ids=torch.tensor([prompt]), use_cache=True)
    prefill_logits = output.logits[0]
    greedy, decode_logits = [int(prefill_logits[-1].argmax())], []
    for _ in range(DECODE_STEPS):
        output = model(input_ids=torch.tensor([greedy[-1:]]), past_key_values=output.past_key_values, use_cache=True)
        decode_logits.append(output.logits[0, -1])
        greedy.append(int(decode_logits[-1].argmax()))
    router_logits, weights, experts = recorder.take()
    decode_logits = torch.stack(decode_logits)
    cache_difference = difference_without_cache(
        model, recorder, prompt + greedy[:-1], prefill_logits, decode_logits, experts
    )
    chosen = torch.cat([prefill_logits[-1:], decode_logits])
    return {
        "promptTokenIds": prompt,
        "greedyTokenIds": greedy,
        "prefillLogits": prefill_logits.numpy(),
        "decodeLogits": decode_logits.numpy(),
        "experts": experts.to(torch.int32).numpy(),
        "weights": weights.numpy(),
        "routerGap": gap(router_logits, model.config.num_experts_per_tok),
        "greedyGap": gap(chosen, 1),
        "cacheDifference": cache_difference,
    }


def difference_without_cache(model, recorder, tokens, prefill_logits, decode_logits, experts):
    logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]
    same_experts = torch.equal(recorder.take()[2].sort(-1).values, experts.sort(-1).values)
    difference = (logits - torch.cat([prefill_logits, decode_logits])).abs().max().item()
    return difference if same_experts else float("inf")


def gap(logits, k):
    """Smallest distance between the k-th and the next largest value, over all rows."""
    top = logits.topk(k + 1).values
    return (top[..., k - 1] - top[..., k]).min().item()


def is_fair(traced):
    return (
        traced["routerGap"] > MIN_ROUTER_GAP
        and traced["greedyGap"] > MIN_GREEDY_GAP
        and traced["cacheDifference"] < MAX_CACHE_DIFFERENCE
    )


def write_golden(name, checkpoint, model, prompts, positions_of):
    """The arrays one after another in NAME.bin, their offsets and shapes in NAME.json."""
    arrays, size = [], 0

    def put(array):
        nonlocal size
        arrays.append(np.ascontiguousarray(array).tobytes())
        offset, size = size, size + array.size
        return {"offset": offset, "shape": list(array.shape)}

    moe_layers = [i for i, layer in enumerate(model.model.layers) if hasattr(layer.mlp, "gate")]
    entries = []
    for traced in prompts:
        positions = positions_of(len(traced["promptTokenIds"]))
        entries.append(
            {
                "promptTokenIds": traced["promptTokenIds"],
                "greedyTokenIds": traced["greedyTokenIds"],
                "prefillPositions": positions,
                "prefillLogits": put(traced["prefillLogits"][positions]),
                "decodeLogits": put(traced["decodeLogits"]),
                "experts": put(traced["experts"]),
                "weights": put(traced["weights"]),
                "smallestRouterGap": traced["routerGap"],
                "smallestGreedyGap": traced["greedyGap"],
            }
        )
    meta = {"name": name, "checkpoint": str(checkpoint.relative_to(ROOT)), "moeLayers": moe_layers, "prompts": entries}
    folder = DATA / "model-goldens"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(meta) + "\n")
    (folder / f"{name}.bin").write_bytes(b"".join(arrays))
    for traced in prompts:
        print(
            f"{name}: prompt of {len(traced['promptTokenIds'])} tokens, router gap {traced['routerGap']:.1e}, "
            f"greedy gap {traced['greedyGap']:.1e}, cache difference {traced['cacheDifference']:.1e}",
            flush=True,
        )


def make_tiny(tiny):
    """Takes the first seed whose model chooses experts and tokens without near-ties."""
    directory = DATA / "models" / tiny.name
    for seed in range(200):
        write_checkpoint(tiny, seed, directory)
        model = load(directory)
        recorder = RouterRecorder(model)
        rng = np.random.default_rng(seed)
        traces = []
        for length in PROMPT_LENGTHS:
            traced = trace(model, recorder, rng.integers(0, model.config.vocab_size, length).tolist())
            if not is_fair(traced) or len(set(traced["greedyTokenIds"])) < MIN_DISTINCT_GREEDY_TOKENS:
                break
            traces.append(traced)
        if len(traces) == len(PROMPT_LENGTHS):
            print(f"{tiny.name}: seed {seed}")
            write_golden(tiny.name, directory, model, traces, lambda length: list(range(length)))
            return
    raise SystemExit(f"{tiny.name}: no seed gives a model without near-ties")


def make_demo():
    """Takes, with and without a history, the first question without near-ties whose answer has more than 32 tokens."""
    tokenizer = AutoTokenizer.from_pretrained(DEMO)
    model = load(DEMO)
    recorder = RouterRecorder(model)
    traces = []
    for history in ([], DEMO_HISTORY):
        for question in DEMO_QUESTIONS:
            conversation = [*history, {"role": "user", "content": question}]
            prompt = tokenizer.apply_chat_template(conversation, add_generation_prompt=True, return_dict=False)
            traced = trace(model, recorder, prompt)
            if is_fair(traced) and not set(traced["greedyTokenIds"]) & set(model.generation_config.eos_token_id):
                traces.append(traced)
                break
        else:
            raise SystemExit("qwen3-moe-demo: no question without near-ties")
    # Its logits are eight times as wide as those of the tiny models: every fourth position, counted from the last.
    write_golden("qwen3-moe-demo", DEMO, model, traces, lambda length: list(range((length - 1) % 4, length, 4)))


if __name__ == "__main__":
    torch.set_num_threads(2)
    for tiny_model in TINY_MODELS:
        make_tiny(tiny_model)
    make_demo()
