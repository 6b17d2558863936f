#include <napi.h>

#include "../core/crc32c.hpp"
#include "../core/isa.hpp"
#include "../core/limits.hpp"
#include "arguments.hpp"
#include "calls.hpp"
#include "guarded.hpp"

namespace expertmesh {

namespace {

/// () -> names of the kernel sets that this CPU can run, best first
Napi::Value isas(const Napi::CallbackInfo& info) {
  const auto sets = supportedKernelSets();
  auto names = Napi::Array::New(info.Env(), sets.size());
  for (uint32_t i = 0; i < sets.size(); ++i) names.Set(i, sets[i]->name);
  return names;
}

/// (path) -> file
Napi::Value mapFile(const Napi::CallbackInfo& info) {
  require(info[0].IsString(), "path must be a string");
  return makeHandle(info.Env(), std::make_shared<const MappedFile>(info[0].As<Napi::String>().Utf8Value()));
}

/// Runs on one of Node's own threads: the pool's are for computing.
class Prefault final : public Napi::AsyncWorker {
 public:
  Prefault(Napi::Env env, std::shared_ptr<const MappedFile> file)
      : AsyncWorker(env), deferred(Napi::Promise::Deferred::New(env)), file_(std::move(file)) {}

  const Napi::Promise::Deferred deferred;

 private:
  void Execute() override { file_->prefault(); }
  void OnOK() override { deferred.Resolve(Env().Undefined()); }
  void OnError(const Napi::Error& error) override { deferred.Reject(error.Value()); }

  const std::shared_ptr<const MappedFile> file_;
};

/// (file) -> promise of nothing
Napi::Value prefault(const Napi::CallbackInfo& info) {
  auto* worker = new Prefault(info.Env(), fromHandle<const MappedFile>(info[0]));
  const Napi::Promise promise = worker->deferred.Promise();
  worker->Queue();
  return promise;
}

/// (numThreads, isa or "", spin in microseconds, whether the calling thread leads, whether products are invariant) -> pool
Napi::Value createPool(const Napi::CallbackInfo& info) {
  const size_t numThreads = asSize(info[0], "numThreads"), spin = asSize(info[2], "spinMicroseconds");
  requireRange("numThreads", numThreads, 1, kMaxThreads);
  requireRange("spinMicroseconds", spin, 0, 1000000);
  require(info[1].IsString(), "isa must be a string");
  const Leader leader = info[3].ToBoolean() ? Leader::kSubmitter : Leader::kOwn;
  const Numerics numerics = info[4].ToBoolean() ? Numerics::kInvariant : Numerics::kFast;
  const KernelSet& kernels = kernelSetNamed(info[1].As<Napi::String>().Utf8Value());
  return makeHandle(info.Env(), std::make_shared<Pool>(info.Env(), kernels, numThreads, std::chrono::microseconds(spin), leader, numerics));
}

/// (pool)
Napi::Value closePool(const Napi::CallbackInfo& info) {
  fromHandle<Pool>(info[0])->close();
  return info.Env().Undefined();
}

/// (pool) -> calls and seconds of each kind
Napi::Value poolStats(const Napi::CallbackInfo& info) {
  const WorkQueue* queue = fromHandle<Pool>(info[0])->queue();
  require(queue != nullptr, "the kernel pool is closed");
  auto result = Napi::Object::New(info.Env());
  constexpr std::pair<const char*, JobKind> kKinds[] = {{"linear", JobKind::kLinear}, {"experts", JobKind::kExperts}, {"dense", JobKind::kDense}, {"head", JobKind::kHead}, {"wholeLayers", JobKind::kWholeLayers}};
  for (const auto& [name, kind] : kKinds) {
    auto entry = Napi::Object::New(info.Env());
    entry.Set("numCalls", static_cast<double>(queue->stats(kind).numJobs));
    entry.Set("seconds", static_cast<double>(queue->stats(kind).nanoseconds) * 1e-9);
    result.Set(name, entry);
  }
  return result;
}

/// (matrix) -> linear
Napi::Value createLinear(const Napi::CallbackInfo& info) {
  return makeHandle(info.Env(), std::make_shared<const Linear>(asMatrix(info[0], "matrix")));
}

/// ([{ gateUp, down }]) -> expert layer
Napi::Value createExpertLayer(const Napi::CallbackInfo& info) {
  const Napi::Array from = asArray(info[0], "experts");
  std::vector<ExpertWeights> experts;
  for (uint32_t i = 0; i < from.Length(); ++i) {
    const Napi::Object expert = asObject(from.Get(i), "an expert");
    experts.push_back({asMatrix(expert.Get("gateUp"), "gateUp"), asMatrix(expert.Get("down"), "down")});
  }
  return makeHandle(info.Env(), std::make_shared<const ExpertLayer>(std::move(experts)));
}

/// ({ the sizes of AttentionShape and RoutingShape, the matrices of DenseLayerWeights }) -> dense layer
Napi::Value createDenseLayer(const Napi::CallbackInfo& info) {
  const Napi::Object from = asObject(info[0], "the layer");
  const AttentionShape shape{sizeField(from, "layerIndex"), sizeField(from, "hiddenSize"), sizeField(from, "numHeads"), sizeField(from, "numKvHeads"),
                             sizeField(from, "headDim"), from.Get("rmsNormEps").ToNumber().FloatValue()};
  DenseLayerWeights weights{asMatrix(from.Get("inputNorm"), "inputNorm"), asMatrix(from.Get("qkv"), "qkv"),
                            optionalMatrix(from, "qkvBias"), asMatrix(from.Get("qNorm"), "qNorm"),
                            asMatrix(from.Get("kNorm"), "kNorm"), asMatrix(from.Get("o"), "o"), optionalMatrix(from, "oBias"),
                            asMatrix(from.Get("postNorm"), "postNorm"), optionalMatrix(from, "router"),
                            optionalMatrix(from, "gateUp"), optionalMatrix(from, "down")};
  const RoutingShape routing{sizeField(from, "topK"), from.Get("normTopkProb").ToBoolean().Value()};
  return makeHandle(info.Env(), std::make_shared<const DenseLayer>(shape, std::move(weights), routing));
}

KvDtype asKvDtype(const Napi::Value& value) {
  require(value.IsString(), "dtype must be a string");
  const std::string name = value.As<Napi::String>().Utf8Value();
  if (name == "fp32") return KvDtype::kFp32;
  if (name == "fp16") return KvDtype::kFp16;
  require(name == "int8", "dtype must be fp32, fp16 or int8");
  return KvDtype::kInt8;
}

/// ({ dtype, numLayers, numKvHeads, headDim }, slabs) -> KV pool
Napi::Value createKvPool(const Napi::CallbackInfo& info) {
  const Napi::Object from = asObject(info[0], "the layout");
  const KvLayout layout{asKvDtype(from.Get("dtype")), sizeField(from, "numLayers"), sizeField(from, "numKvHeads"), sizeField(from, "headDim")};
  const Napi::Array slabs = asArray(info[1], "slabs");
  auto held = Napi::Array::New(info.Env(), slabs.Length());
  std::vector<Span<uint8_t>> spans;
  for (uint32_t i = 0; i < slabs.Length(); ++i) {
    const Napi::Value slab = slabs.Get(i);
    spans.push_back(bytes(slab, "a slab"));
    held.Set(i, slab);
  }
  KvPool pool(layout, std::move(spans));
  return makeHandle(info.Env(), std::make_shared<const HeldKvPool>(HeldKvPool{std::move(pool), Napi::Persistent(held)}));
}

/// (bytes) -> how many of them lie before the first border of 64 bytes
Napi::Value bytesToBorder(const Napi::CallbackInfo& info) {
  constexpr uintptr_t kBorder = 64;
  const auto address = reinterpret_cast<uintptr_t>(bytes(info[0], "bytes").data);
  return Napi::Number::New(info.Env(), static_cast<double>((kBorder - address % kBorder) % kBorder));
}

/// (bytes) -> their CRC-32C
Napi::Value crc32cOf(const Napi::CallbackInfo& info) {
  const auto span = bytes(info[0], "bytes");
  return Napi::Number::New(info.Env(), crc32c(span.data, span.size));
}

/// (norm, lmHead, epsilon) -> head
Napi::Value createHead(const Napi::CallbackInfo& info) {
  const float epsilon = info[2].ToNumber().FloatValue();
  return makeHandle(info.Env(), std::make_shared<const Head>(asMatrix(info[0], "norm"), asMatrix(info[1], "lmHead"), epsilon));
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exportGuarded(env, exports, "isas", isas);
  exportGuarded(env, exports, "mapFile", mapFile);
  exportGuarded(env, exports, "prefault", prefault);
  exportGuarded(env, exports, "createPool", createPool);
  exportGuarded(env, exports, "closePool", closePool);
  exportGuarded(env, exports, "poolStats", poolStats);
  exportGuarded(env, exports, "createLinear", createLinear);
  exportGuarded(env, exports, "createExpertLayer", createExpertLayer);
  exportGuarded(env, exports, "createDenseLayer", createDenseLayer);
  exportGuarded(env, exports, "createKvPool", createKvPool);
  exportGuarded(env, exports, "bytesToBorder", bytesToBorder);
  exportGuarded(env, exports, "crc32c", crc32cOf);
  exportGuarded(env, exports, "createHead", createHead);
  exportCalls(env, exports);
  return exports;
}

NODE_API_MODULE(expertmesh_kernels, initialise)

}  // namespace

}  // namespace expertmesh
