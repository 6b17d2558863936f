#include "calls.hpp"

#include "../core/machine-limits.hpp"
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

/// (pool, layer, rows, pairRows, pairExperts, pairWeights, out, sumUnits, high) -> 1 when `high` has been written, else 0
Napi::Value runExperts(const Napi::CallbackInfo& info) {
  const auto layer = fromHandle<const ExpertLayer>(info[1]);
  const ExpertCall call{constFloats(info[2], "rows"), unsignedInts(info[3], "pairRows"), unsignedInts(info[4], "pairExperts"),
                        constFloats(info[5], "pairWeights"), floats(info[6], "out"), constFloats(info[7], "sumUnits"), floats(info[8], "high")};
  layer->check(call);
  return fromHandle<Pool>(info[0])->submit(JobKind::kExperts, heldArguments(info), [=](ThreadTeam& team, Workspace& workspace) {
    return layer->run(team, workspace, call) ? 1.0 : 0.0;
  });
}

/// The KV pool and the sequences of a call. Block ids are looked up once: their array may change while the call is computed.
struct KvArguments {
  std::shared_ptr<const HeldKvPool> pool;
  std::vector<uint8_t*> blocks;
  std::vector<SequenceRows> sequences;
};

/// (KV pool, [numRows, blockIds, length of each sequence])
std::shared_ptr<const KvArguments> kvArgumentsOf(const Napi::Value& pool, const Napi::Value& sequences) {
  const auto result = std::make_shared<KvArguments>(KvArguments{fromHandle<const HeldKvPool>(pool), {}, {}});
  KvArguments& arguments = *result;
  const Napi::Array from = asArray(sequences, "sequences");
  require(from.Length() % 3 == 0, "sequences must have three values each");
  for (uint32_t i = 0; i < from.Length(); i += 3) {
    const Span<int32_t> ids = ints(from.Get(i + 1), "blockIds");
    arguments.sequences.push_back({asSize(from.Get(i), "numRows"), asSize(from.Get(i + 2), "length"), {nullptr, ids.size}});
    arguments.pool->kv.appendBlocks({ids.data, ids.size}, arguments.blocks);
  }
  uint8_t* const* blocks = arguments.blocks.data();
  for (SequenceRows& sequence : arguments.sequences) {
    sequence.blocks.data = blocks;
    blocks += sequence.blocks.size;
  }
  return result;
}

/// (pool, layer, hidden, cos, sin, KV pool, sequences, residual, normed, expertIds, routingWeights, probabilitySums)
Napi::Value runDense(const Napi::CallbackInfo& info) {
  const auto layer = fromHandle<const DenseLayer>(info[1]);
  const auto kv = kvArgumentsOf(info[5], info[6]);
  const DenseCall call{constFloats(info[2], "hidden"), constFloats(info[3], "cos"), constFloats(info[4], "sin"), kv->pool->kv.layout(),
                 kv->sequences, floats(info[7], "residual"), floats(info[8], "normed"), ints(info[9], "expertIds"),
                 floats(info[10], "routingWeights"), floats(info[11], "probabilitySums")};
  layer->check(call);
  return fromHandle<Pool>(info[0])->submit(JobKind::kDense, heldArguments(info), [layer, kv, call](ThreadTeam& team, Workspace& workspace) {
    layer->run(team, workspace, call);
    return 0.0;
  });
}

/// Two values a layer: dense layer, expert layer or undefined.
std::vector<WholeLayer> wholeLayersOf(const Napi::Array& from) {
  require(from.Length() % 2 == 0, "layers must have two values each");
  std::vector<WholeLayer> layers;
  for (uint32_t i = 0; i < from.Length(); i += 2) {
    const Napi::Value experts = from.Get(i + 1);
    layers.push_back({fromHandle<const DenseLayer>(from.Get(i)),
                      experts.IsUndefined() ? nullptr : fromHandle<const ExpertLayer>(experts)});
  }
  return layers;
}

/**
 * (pool, layers, hidden, cos, sin, KV pool, sequences, residual, normed, expertIds, routingWeights, probabilitySums, seconds,
 * areSumsExact); seconds are written: dense, experts
 */
Napi::Value runWholeLayers(const Napi::CallbackInfo& info) {
  const auto kv = kvArgumentsOf(info[5], info[6]);
  const WholeLayersCall call{wholeLayersOf(asArray(info[1], "layers")), kv->pool->kv.layout(), kv->sequences, floats(info[2], "hidden"),
                       constFloats(info[3], "cos"), constFloats(info[4], "sin"), floats(info[7], "residual"), floats(info[8], "normed"),
                       ints(info[9], "expertIds"), floats(info[10], "routingWeights"), floats(info[11], "probabilitySums"),
                       info[13].ToBoolean().Value()};
  const auto seconds = doubles(info[12], "seconds");
  requireSize("seconds", seconds.size, 2);
  checkWholeLayers(call);
  return fromHandle<Pool>(info[0])->submit(JobKind::kWholeLayers, heldArguments(info), [seconds, kv, call](ThreadTeam& team, Workspace& workspace) {
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

/// (pool) -> products per second
Napi::Value runProductPeak(const Napi::CallbackInfo& info) {
  return fromHandle<Pool>(info[0])->submit(JobKind::kLinear, heldArguments(info), [](ThreadTeam& team, Workspace&) { return productPeak(team); });
}

/// (pool, numBytes) -> bytes of the workspace that are left: nothing of one that is larger
Napi::Value keepWorkspace(const Napi::CallbackInfo& info) {
  const size_t numBytes = asSize(info[1], "numBytes");
  return fromHandle<Pool>(info[0])->submit(JobKind::kHousekeeping, heldArguments(info), [=](ThreadTeam&, Workspace& workspace) {
    return static_cast<double>(workspace.keepAtMost(numBytes));
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
  exportGuarded(env, exports, "productPeak", runProductPeak);
  exportGuarded(env, exports, "keepWorkspace", keepWorkspace);
}

}  // namespace expertmesh
