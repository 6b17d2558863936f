"""ik_llama.cpp in a process of its own, through ik-llama-cpp-python. Started by installed-peers.ts with its options as
JSON; answers one order at a time, a line of JSON each, on the socket that Node's `ipc` gives its children."""

import json
import os
import socket
import sys
import time

import numpy
from ik_llama_cpp import _ctypes_api as api

BATCH_SIZE = 512


class Engine:
    def __init__(self, gguf_file, num_threads, max_sequences, context_size, repack):
        api.llama_backend_init()
        model_params = api.llama_model_default_params()
        model_params.n_gpu_layers = 0
        model_params.repack_tensors = repack
        model_params.use_mmap = not repack
        self.model = api.llama_model_load_from_file(gguf_file.encode(), model_params)
        if not self.model:
            raise RuntimeError(f"cannot load {gguf_file}")
        params = api.llama_context_default_params()
        params.n_ctx = context_size * max_sequences
        params.n_seq_max = max_sequences
        params.n_batch = params.n_ubatch = BATCH_SIZE
        # The wheel's flash attention needs AVX-VNNI: without it an assertion fails.
        params.flash_attn = False
        params.n_threads = params.n_threads_batch = num_threads
        self.context = api.llama_init_from_model(self.model, params)
        if not self.context:
            raise RuntimeError("cannot make a context")
        self.num_tokens = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))
        self.batch = api.llama_batch_init(BATCH_SIZE, 0, 1)

    def generate(self, prompts, num_tokens):
        """Times of every token of every prompt's answer, in milliseconds since the order came; greedy."""
        api.llama_kv_cache_clear(self.context)
        start = time.perf_counter()
        times = [[] for _ in prompts]
        latest = [None] * len(prompts)
        entries = [
            (sequence, position, token, position == len(prompt) - 1)
            for sequence, prompt in enumerate(prompts)
            for position, token in enumerate(prompt)
        ]
        for first in range(0, len(entries), BATCH_SIZE):
            self._decode(entries[first : first + BATCH_SIZE], latest, times, start)
        for step in range(num_tokens - 1):
            self._decode([(i, len(p) + step, latest[i], True) for i, p in enumerate(prompts)], latest, times, start)
        return times

    def _decode(self, entries, latest, times, start):
        batch = self.batch
        batch.n_tokens = len(entries)
        for i, (sequence, position, token, has_logits) in enumerate(entries):
            batch.token[i] = token
            batch.pos[i] = position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence
            batch.logits[i] = has_logits
        status = api.llama_decode(self.context, batch)
        if status != 0:
            raise RuntimeError(f"llama_decode answered {status}")
        for i, (sequence, _, _, has_logits) in enumerate(entries):
            if not has_logits:
                continue
            logits = numpy.ctypeslib.as_array(api.llama_get_logits_ith(self.context, i), shape=(self.num_tokens,))
            latest[sequence] = int(logits.argmax())
        now = (time.perf_counter() - start) * 1000
        for sequence, _, _, has_logits in entries:
            if has_logits:
                times[sequence].append(now)


def main():
    options = json.loads(sys.argv[1])
    channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))

    def answer(message):
        channel.sendall(json.dumps(message).encode() + b"\n")

    engine = Engine(
        options["ggufFile"],
        options["numThreads"],
        options["maxSequences"],
        options["contextSize"],
        options["isRepacked"],
    )
    answer({"kind": "ready"})
    for line in channel.makefile("rb"):
        order = json.loads(line)
        try:
            answer({"kind": "generated", "timesMs": engine.generate(order["prompts"], order["numTokens"])})
        except RuntimeError as error:
            answer({"kind": "failed", "message": str(error)})


main()
