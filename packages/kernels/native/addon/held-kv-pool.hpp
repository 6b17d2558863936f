#pragma once
#include <napi.h>

#include "../core/kv-pool.hpp"

namespace expertmesh {

/// A KV pool and the arrays that are its memory, which live as long as it. To be given up on the JavaScript thread.
struct HeldKvPool {
  KvPool kv;
  Napi::Reference<Napi::Array> slabs;
};

}  // namespace expertmesh
