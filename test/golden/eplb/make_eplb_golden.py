"""Writes eplb-golden.json: what deepseek-ai/EPLB answers to its own worked example and to random loads.

    python test/golden/eplb/make_eplb_golden.py [path/to/eplb.py]

Without a path, eplb.py is downloaded at the commit below. EPLB sorts with torch's default sort, which leaves the order of
equal loads open; here it is made stable, so that the answer is defined. The worked example comes out the same without.
"""

import importlib.util
import json
import sys
import tempfile
import urllib.request
from pathlib import Path

import torch

COMMIT = "d52c72d5b2f2fb4c41afbf8eb21366820239913d"
URL = f"https://raw.githubusercontent.com/deepseek-ai/EPLB/{COMMIT}/eplb.py"

WORKED_EXAMPLE = [
    [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
    [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
]

# layers, experts, physical experts, groups, nodes, workers, kind of load
SHAPES = [
    (2, 8, 8, 1, 1, 4, "uniform"),
    (2, 8, 8, 1, 1, 8, "skewed"),
    (2, 8, 12, 1, 1, 4, "uniform"),
    (3, 16, 24, 4, 2, 8, "skewed"),
    (2, 16, 16, 4, 4, 4, "uniform"),
    (2, 16, 32, 8, 2, 4, "ties"),
    (2, 30, 36, 3, 2, 6, "skewed"),
    (2, 60, 64, 1, 1, 8, "skewed"),
    (2, 64, 72, 8, 4, 8, "skewed"),
    (1, 64, 80, 8, 2, 16, "ties"),
    (1, 128, 128, 1, 1, 8, "skewed"),
    (1, 128, 136, 1, 1, 8, "skewed"),
    (1, 128, 144, 1, 1, 8, "fractions"),
    (1, 128, 144, 1, 1, 16, "ties"),
    (1, 128, 160, 1, 1, 32, "hot"),
    (1, 160, 192, 8, 8, 16, "fractions"),
    (1, 256, 288, 8, 4, 32, "skewed"),
    (2, 12, 24, 1, 1, 3, "zeros"),
]


def load_eplb(path):
    spec = importlib.util.spec_from_file_location("eplb", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_stable_sort(call):
    sort = torch.Tensor.sort
    torch.Tensor.sort = lambda self, dim, descending: torch.sort(self, dim=dim, descending=descending, stable=True)
    try:
        return call()
    finally:
        torch.Tensor.sort = sort


def random_load(layers, experts, kind):
    uniform = torch.rand(layers, experts)
    if kind == "uniform":
        return (uniform * 1000).floor()
    if kind == "skewed":
        return (torch.exp(torch.randn(layers, experts)) * 500).floor()
    if kind == "ties":
        return (uniform * 4).floor()
    if kind == "hot":
        load = (uniform * 100).floor()
        load[:, experts // 3] = 20_000
        return load
    if kind == "zeros":
        return torch.zeros(layers, experts)
    # Halves and quarters, so that sums are exact in whichever order a group's loads are added.
    return (uniform * 4000).floor() / 4


def golden_case(eplb, name, load, shape):
    answer = with_stable_sort(lambda: eplb.rebalance_experts(load, *shape))
    phy2log, log2phy, logcnt = (tensor.tolist() for tensor in answer)
    keys = ("numPhysicalExperts", "numGroups", "numNodes", "numWorkers")
    return {
        "name": name,
        **dict(zip(keys, shape)),
        "loads": load.tolist(),
        "physicalToLogical": phy2log,
        "logicalToPhysical": log2phy,
        "replicaCounts": logcnt,
    }


def main(path):
    eplb = load_eplb(path)
    torch.manual_seed(20250227)
    example = torch.tensor(WORKED_EXAMPLE)
    cases = [golden_case(eplb, "worked example", example, (16, 4, 2, 8))]
    assert cases[0]["physicalToLogical"] == eplb.rebalance_experts(example, 16, 4, 2, 8)[0].tolist()
    for layers, experts, *shape, kind in SHAPES:
        name = f"{experts} experts, {shape[0]} replicas, {shape[1]} groups, {shape[2]} nodes, {shape[3]} workers, {kind}"
        cases.append(golden_case(eplb, name, random_load(layers, experts, kind), shape))
    lines = ",\n".join(json.dumps(case) for case in cases)
    (Path(__file__).parent / "eplb-golden.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(cases)} cases")


if len(sys.argv) > 1:
    main(sys.argv[1])
else:
    with tempfile.TemporaryDirectory() as folder:
        main(urllib.request.urlretrieve(URL, Path(folder) / "eplb.py")[0])
