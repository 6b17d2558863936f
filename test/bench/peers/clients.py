"""Unmodified Python clients against a running server: python clients.py http://127.0.0.1:8000 models/qwen3-moe-demo

Needs: pip install openai instructor litellm "lm-eval[api]" guidellm. Prints a line for each client, and ends with 1 where one failed.
"""

import json
import os
import subprocess
import sys
import tempfile
import traceback

import instructor
import litellm
from openai import OpenAI
from pydantic import BaseModel, ConfigDict, Field

URL, MODEL_DIR = sys.argv[1], os.path.abspath(sys.argv[2])
MODEL = os.path.basename(MODEL_DIR)


def question() -> list[dict[str, str]]:
    """Made anew each time, since some clients change the list."""
    return [{"role": "user", "content": "What is 47 + 85?"}]


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    answer: int = Field(ge=0, le=999)
    unit: str = Field(max_length=12)


def openai_client() -> OpenAI:
    return OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)


def check_openai() -> None:
    client = openai_client()
    chat = client.chat.completions.create(model=MODEL, messages=question(), temperature=0, logprobs=True, top_logprobs=3)
    assert chat.choices[0].message.content == "132", chat
    assert len(chat.choices[0].logprobs.content[0].top_logprobs) == 3, chat
    again = client.chat.completions.create(
        model=MODEL, messages=[*question(), chat.choices[0].message, {"role": "user", "content": "What is 2 + 3?"}], temperature=0
    )
    assert again.choices[0].message.content == "5", again
    parsed = client.beta.chat.completions.parse(model=MODEL, messages=question(), response_format=Answer, temperature=0)
    assert isinstance(parsed.choices[0].message.parsed, Answer), parsed
    with client.beta.chat.completions.stream(model=MODEL, messages=question(), temperature=0) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content == "132"
    texts = client.completions.create(model=MODEL, prompt=["one two", "three four"], max_tokens=4, n=2, temperature=0.5)
    assert [choice.index for choice in texts.choices] == [0, 1, 2, 3], texts
    response = client.responses.create(model=MODEL, input="What is 47 + 85?", temperature=0)
    assert response.output_text == "132", response


def check_instructor() -> None:
    for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA):
        client = instructor.from_openai(openai_client(), mode=mode)
        made = client.chat.completions.create(model=MODEL, messages=question(), response_model=Answer, temperature=0)
        assert isinstance(made, Answer), made


def check_litellm() -> None:
    options = {"model": f"hosted_vllm/{MODEL}", "api_base": f"{URL}/v1", "api_key": "none", "temperature": 0}
    first = litellm.completion(messages=question(), **options)
    message = first.choices[0].message
    second = litellm.completion(
        messages=[*question(), message.model_dump(), {"role": "user", "content": "What is 2 + 3?"}], **options
    )
    assert second.choices[0].message.content == "5", second


def check_lm_eval() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = [{"question": f"What is {a} + {a}?", "choices": [str(2 * a), "x"], "answer": 0} for a in range(1, 9)]
        with open(f"{folder}/rows.jsonl", "w", encoding="utf8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        with open(f"{folder}/task.yaml", "w", encoding="utf8") as file:
            file.write(
                "task: sums\ndataset_path: json\ndataset_kwargs:\n  data_files:\n"
                f"    test: {folder}/rows.jsonl\ntest_split: test\noutput_type: multiple_choice\n"
                "doc_to_text: '{{question}}'\ndoc_to_choice: choices\ndoc_to_target: answer\n"
                "metric_list:\n  - metric: acc\n"
            )
        for tokenizer in (f"tokenizer={MODEL_DIR},tokenizer_backend=huggingface", "tokenizer_backend=remote"):
            arguments = f"model={MODEL},base_url={URL}/v1/completions,num_concurrent=2,max_length=1024,{tokenizer}"
            command = ["lm_eval", "--model", "local-completions", "--model_args", arguments, "--tasks", "sums"]
            run([*command, "--include_path", folder, "--batch_size", "4"])


def check_guidellm() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(
            ["guidellm", "run", "--backend", f"kind=openai_http,target={URL},model={MODEL}"]
            + ["--profile", "kind=concurrent,streams=2", "--constraint", "kind=max_requests,count=6"]
            + ["--tokenizer", f"kind=huggingface_auto,model={MODEL_DIR}"]
            + ["--data", "kind=synthetic_text,prompt_tokens=64,output_tokens=16"]
            + ["--output", f"kind=json,path={folder}/report.json", "--disable-console-interactive"]
        )


def run(command: list[str]) -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "0", "OPENAI_API_KEY": "none"}
    program = os.path.join(os.path.dirname(sys.executable), command[0])
    done = subprocess.run([program, *command[1:]], env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


CHECKS = {
    "openai": check_openai,
    "instructor": check_instructor,
    "litellm": check_litellm,
    "lm-eval": check_lm_eval,
    "guidellm": check_guidellm,
}
chosen = sys.argv[3:] or list(CHECKS)
failed = []
for name in chosen:
    try:
        CHECKS[name]()
        print(f"ok      {name}", flush=True)
    except Exception:
        traceback.print_exc()
        print(f"FAILED  {name}", flush=True)
        failed.append(name)
sys.exit(1 if failed else 0)
