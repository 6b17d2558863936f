#include "calls.hpp"

#include "../core/read-bandwidth.hpp"
#include "../core/whole-layers.hpp"
#include "arguments.hpp"
#include "guarded.hpp"

namespace expertmesh {

namespace {

/// All arguments of a call in one array, which keeps them alive.
Napi::Array heldArguments(const Napi::CallbackInfo& info) {
  auto held = Napi::Array::New(info.Env(), info.Length());
  for (uint32_t i = 0; i < info.Length(); ++i) held.Set(i, info[i]);
  return held;
}

/// (pool, linear, x, y)
Napi::Value runLinear(const Napi::CallbackInfo& info) {
  const auto linear = fromHandle<const Linear>(info[1]);
  const auto x = constFloats(info[2], "x");
  const auto y = floats(info[3], "y");
  linear->check(x, y);
  return fromHandle<Pool>(info[0])->submit(JobKind::kLinear, heldArguments(info), [=](ThreadTeam& team, Workspace& workspace) {
    linear->run(team, workspace, x, y);
    return 0.0;
  });
}

/// (pool, layer, rows, pairRows, pairExperts, pairWeights, out)
Napi::Value runExperts(const Napi::CallbackInfo& info) {
  const auto layer = fromHandle<const ExpertLayer>(info[1]);
  const ExpertCall call{constFloats(info[2], "rows"), unsignedInts(info[3], "pairRows"), unsignedInts(info[4], "pairExperts"),
                        constFloats(info[5], "pairWeights"), floats(info[6], "out")};
  layer->check(call);
  return fromHandle<Pool>(info[0])->submit(JobKind::kExperts, heldArguments(info), [=](ThreadTeam& team, Workspace& workspace) {
    layer->run(team, workspace, call);
    return 0.0;
  });
}

/// Five values a sequence: numRows, keys, values, capacity, length. Copied into `held`, whose entries nobody else can change.
std::vector<SequenceRows> sequencesOf(const Napi::Array& from, Napi::Array held) {
  const uint32_t start = held.Length();
  require(from.Length() % 5 == 0, "sequences must have five values each");
  std::vector<SequenceRows> sequences;
  for (uint32_t i = 0; i < from.Length(); i += 5) {
    const Napi::Value keys = from.Get(i + 1), values = from.Get(i + 2);
    held.Set(start + i, keys);
    held.Set(start + i + 1, values);
    sequences.push_back({asSize(from.Get(i), "numRows"), floats(keys, "keys"), floats(values, "values"),
                         asSize(from.Get(i + 3), "capacity"), asSize(from.Get(i + 4), "length")});
  }
  return sequences;
}

/// (pool, layer, hidden, cos, sin, sequences, residual, normed, expertIds, routingWeights, probabilitySums)
Napi::Value runDense(const Napi::CallbackInfo& info) {
  const auto layer = fromHandle<const DenseLayer>(info[1]);
  const auto held = heldArguments(info);
  DenseCall call{constFloats(info[2], "hidden"), constFloats(info[3], "cos"), constFloats(info[4], "sin"),
                 sequencesOf(asArray(info[5], "sequences"), held), floats(info[6], "residual"), floats(info[7], "normed"),
                 ints(info[8], "expertIds"), floats(info[9], "routingWeights"), floats(info[10], "probabilitySums")};
  layer->check(call);
  return fromHandle<Pool>(info[0])->submit(JobKind::kDense, held, [layer, call = std::move(call)](ThreadTeam& team, Workspace& workspace) {
    layer->run(team, workspace, call);
    return 0.0;
  });
}

/// Three values a layer: dense layer, expert layer or undefined, sequences.
std::vector<WholeLayer> wholeLayersOf(const Napi::Array& from, Napi::Array held) {
  require(from.Length() % 3 == 0, "layers must have three values each");
  std::vector<WholeLayer> layers;
  for (uint32_t i = 0; i < from.Length(); i += 3) {
    const Napi::Value experts = from.Get(i + 1);
    layers.push_back({fromHandle<const DenseLayer>(from.Get(i)),
                      experts.IsUndefined() ? nullptr : fromHandle<const ExpertLayer>(experts),
                      sequencesOf(asArray(from.Get(i + 2), "sequences"), held)});
  }
  return layers;
}

/// (pool, layers, hidden, cos, sin, residual, normed, expertIds, routingWeights, probabilitySums, seconds); the last is written: dense, experts
Napi::Value runWholeLayers(const Napi::CallbackInfo& info) {
  const auto held = heldArguments(info);
  WholeLayersCall call{wholeLayersOf(asArray(info[1], "layers"), held), floats(info[2], "hidden"), constFloats(info[3], "cos"),
                       constFloats(info[4], "sin"), floats(info[5], "residual"), floats(info[6], "normed"),
                       ints(info[7], "expertIds"), floats(info[8], "routingWeights"), floats(info[9], "probabilitySums")};
  const auto seconds = doubles(info[10], "seconds");
  requireSize("seconds", seconds.size, 2);
  checkWholeLayers(call);
  return fromHandle<Pool>(info[0])->submit(JobKind::kWholeLayers, held, [seconds, call = std::move(call)](ThreadTeam& team, Workspace& workspace) {
    const WholeLayersTimes times = computeWholeLayers(team, workspace, call);
    seconds.data[0] = times.dense;
    seconds.data[1] = times.experts;
    return 0.0;
  });
}

/// (pool, head, hidden, logits)
Napi::Value runHead(const Napi::CallbackInfo& info) {
  const auto head = fromHandle<const Head>(info[1]);
  const auto hidden = constFloats(info[2], "hidden");
  const auto logits = floats(info[3], "logits");
  head->check(hidden, logits);
  return fromHandle<Pool>(info[0])->submit(JobKind::kHead, heldArguments(info), [=](ThreadTeam& team, Workspace& workspace) {
    head->run(team, workspace, hidden, logits);
    return 0.0;
  });
}

/// (pool, numBytes) -> bytes per second
Napi::Value runReadBandwidth(const Napi::CallbackInfo& info) {
  const size_t numBytes = asSize(info[1], "numBytes");
  requireRange("numBytes", numBytes, size_t{1} << 20, size_t{1} << 36);
  return fromHandle<Pool>(info[0])->submit(JobKind::kLinear, heldArguments(info), [=](ThreadTeam& team, Workspace&) {
    return readBandwidth(team, numBytes);
  });
}

}  // namespace

void exportCalls(Napi::Env env, Napi::Object exports) {
  exportGuarded(env, exports, "runLinear", runLinear);
  exportGuarded(env, exports, "runExperts", runExperts);
  exportGuarded(env, exports, "runDense", runDense);
  exportGuarded(env, exports, "runHead", runHead);
  exportGuarded(env, exports, "runWholeLayers", runWholeLayers);
  exportGuarded(env, exports, "readBandwidth", runReadBandwidth);
}

}  // namespace expertmesh
