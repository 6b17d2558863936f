"""Writes what transformers makes of the demo model's logits: log-probabilities, and distributions that logits processors leave.

Log-probabilities are computed in fp32 on the CPU with eager attention over the prompts of the demo model's golden and their
greedy tokens. Distributions start from logits that are recorded there. README.md in this folder describes the file.
"""

import json
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinNewTokensLengthLogitsProcessor,
    MinPLogitsWarper,
    NoBadWordsLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "models/qwen3-moe-demo"
RECORDED = ROOT / "test/golden/data/model-goldens/qwen3-moe-demo"
GOLDEN = ROOT / "test/golden/data/sampling.json"
NUM_TOP = 5
# The answer before the token that is drawn, as places among the likeliest tokens, so that penalties change much.
ANSWER_PLACES = [0, 1, 0, 5, 0, 2]


@torch.no_grad()
def logprobs(prompts):
    """Of every token but the first: its logarithm, its rank, and the most likely tokens."""
    model = AutoModelForCausalLM.from_pretrained(DEMO, dtype=torch.float32, attn_implementation="eager")
    model.set_experts_implementation("eager")
    model.eval()
    sequences = []
    for prompt in prompts:
        tokens = prompt["promptTokenIds"] + prompt["greedyTokenIds"]
        rows = torch.log_softmax(model(input_ids=torch.tensor([tokens])).logits[0, :-1], dim=-1)
        of_tokens = rows.gather(1, torch.tensor(tokens[1:])[:, None])[:, 0]
        top = rows.topk(NUM_TOP, dim=-1)
        sequences.append(
            {
                "tokenIds": tokens,
                "logprobs": rounded(of_tokens),
                "ranks": (1 + (rows > of_tokens[:, None]).sum(-1)).tolist(),
                "topTokenIds": top.indices.tolist(),
                "topLogprobs": [rounded(row) for row in top.values],
            }
        )
    return sequences


def rounded(values):
    return [round(float(value), 7) for value in values]


def recorded_logits(prompt):
    """Rows after some positions of the prompt: logits [rows, vocab], positions [rows]."""
    offset, shape = prompt["prefillLogits"]["offset"], prompt["prefillLogits"]["shape"]
    values = np.fromfile(RECORDED.with_suffix(".bin"), dtype="<f4", count=shape[0] * shape[1], offset=4 * offset)
    return torch.from_numpy(values.reshape(shape)), prompt["prefillPositions"]


def flattest_row(logits):
    """The row whose distribution has the largest entropy."""
    rows = torch.log_softmax(logits, dim=-1)
    return int((-(rows.exp() * rows).sum(-1)).argmax())


def settings_of(likely, answer, stop):
    """A setting per field, and one of all; `likely` are the tokens of the row by descending logit."""
    bias = {likely[0]: -2.0, likely[3]: 1.5, likely[7]: 2.0}
    all_of_them = {
        "temperature": 0.9, "minP": 0.01, "topK": 40, "topP": 0.9, "repetitionPenalty": 1.1, "presencePenalty": 0.2,
        "frequencyPenalty": 0.1, "logitBias": bias, "badWords": [[answer[-1], likely[1]], [likely[6]]], "minTokens": 20,
        "stopTokenIds": stop,
    }  # fmt: skip
    return {
        "temperature": {"temperature": 0.7},
        "top-k": {"temperature": 1.3, "topK": 12},
        "top-p": {"temperature": 0.8, "topP": 0.85},
        "min-p": {"temperature": 0.9, "minP": 0.05},
        "penalties": {
            "temperature": 0.7, "repetitionPenalty": 1.3, "presencePenalty": 0.2, "frequencyPenalty": 0.1,
        },
        "bias": {"temperature": 0.7, "logitBias": bias},
        "all of them": all_of_them,
    }  # fmt: skip


def processors(setting, answer, prompt_length):
    """In the order of docs/sampling.md. Presence and frequency penalties are biases here: transformers has none."""
    chain = LogitsProcessorList()
    if "badWords" in setting:
        chain.append(NoBadWordsLogitsProcessor(setting["badWords"]))
    if "minTokens" in setting:
        stop = torch.tensor(setting["stopTokenIds"])
        chain.append(MinNewTokensLengthLogitsProcessor(prompt_length, setting["minTokens"], stop))
    if "logitBias" in setting:
        chain.append(SequenceBiasLogitsProcessor([[[token], bias] for token, bias in setting["logitBias"].items()]))
    if "repetitionPenalty" in setting:
        chain.append(RepetitionPenaltyLogitsProcessor(setting["repetitionPenalty"]))
    if "presencePenalty" in setting:
        presence, frequency = setting["presencePenalty"], setting["frequencyPenalty"]
        counted = [[[token], -presence - frequency * answer.count(token)] for token in sorted(set(answer))]
        chain.append(SequenceBiasLogitsProcessor(counted))
    chain.append(TemperatureLogitsWarper(setting["temperature"]))
    if "minP" in setting:
        chain.append(MinPLogitsWarper(setting["minP"]))
    if "topK" in setting:
        chain.append(TopKLogitsWarper(setting["topK"]))
    if "topP" in setting:
        chain.append(TopPLogitsWarper(setting["topP"]))
    return chain


def distributions(prompts):
    """For each setting the probabilities that are not zero."""
    prompt_index, prompt = len(prompts) - 1, prompts[-1]
    logits, positions = recorded_logits(prompt)
    row = flattest_row(logits)
    context = prompt["promptTokenIds"][: positions[row] + 1]
    likely = logits[row].argsort(descending=True).tolist()
    answer = [likely[place] for place in ANSWER_PLACES]
    tokens = torch.tensor([context + answer])
    settings = []
    for name, setting in settings_of(likely, answer, [likely[4]]).items():
        chain = processors(setting, answer, len(context))
        probabilities = torch.softmax(chain(tokens, logits[row : row + 1].clone()).double()[0], dim=-1)
        kept = probabilities.nonzero()[:, 0]
        settings.append(
            {
                "name": name,
                **setting,
                "logitBias": list(setting.get("logitBias", {}).items()),
                "tokenIds": kept.tolist(),
                "probabilities": [float(f"{p:.6g}") for p in probabilities[kept]],
            }
        )
        print(f"{name}: {len(kept)} tokens, the likeliest has {float(probabilities.max()):.3f}")
    return {"promptIndex": prompt_index, "position": positions[row], "answerTokenIds": answer, "settings": settings}


if __name__ == "__main__":
    recorded_prompts = json.loads(RECORDED.with_suffix(".json").read_text())["prompts"]
    golden = {"sequences": logprobs(recorded_prompts), "distributions": distributions(recorded_prompts)}
    GOLDEN.write_text(json.dumps(golden) + "\n")
