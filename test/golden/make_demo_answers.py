"""Asks the demo model 200 questions with transformers (fp32, greedy), half of them with thinking.

Prints how many it answers rightly. README.md in this folder describes the file.
"""

import json
import random
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from demo_questions import questions

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "models/qwen3-moe-demo"
OUTPUT = ROOT / "test/golden/data/demo-answers.json"
COUNT = 200
SEED = 20260
MAX_NEW_TOKENS = 160


@torch.no_grad()
def answer(model, prompt):
    """Token ids up to and without the end token, and the smallest distance of the two largest logits on the way."""
    output = model(input_ids=torch.tensor([prompt]), use_cache=True)
    ids, smallest_gap = [], float("inf")
    while True:
        top = output.logits[0, -1].topk(2)
        smallest_gap = min(smallest_gap, (top.values[0] - top.values[1]).item())
        token = int(top.indices[0])
        if token in model.generation_config.eos_token_id:
            return ids, "stop", smallest_gap
        ids.append(token)
        if len(ids) == MAX_NEW_TOKENS:
            return ids, "length", smallest_gap
        output = model(input_ids=torch.tensor([[token]]), past_key_values=output.past_key_values, use_cache=True)


def main():
    torch.set_num_threads(2)
    tokenizer = AutoTokenizer.from_pretrained(DEMO)
    model = AutoModelForCausalLM.from_pretrained(DEMO, dtype=torch.float32, attn_implementation="eager").eval()
    model.set_experts_implementation("eager")
    entries, right = [], {True: 0, False: 0}
    for index, (question, expected) in enumerate(questions(random.Random(SEED), COUNT)):
        enable_thinking = index % 2 == 0
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}],
            add_generation_prompt=True,
            enable_thinking=enable_thinking,
            return_dict=False,
        )
        ids, finish_reason, smallest_gap = answer(model, prompt)
        text = tokenizer.decode(ids)
        right[enable_thinking] += text.split("</think>\n\n")[-1] == expected
        entries.append(
            {
                "question": question,
                "enableThinking": enable_thinking,
                "promptTokenIds": prompt,
                "answerTokenIds": ids,
                "answerText": text,
                "finishReason": finish_reason,
                "expected": expected,
                "smallestGap": round(smallest_gap, 6),
            }
        )
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries)
    OUTPUT.write_text(f"[\n{lines}\n]\n")
    print(f"right with thinking {right[True]}, without {right[False]}, of {COUNT // 2} each")
    print("smallest gaps", sorted(entry["smallestGap"] for entry in entries)[:8])


if __name__ == "__main__":
    main()
