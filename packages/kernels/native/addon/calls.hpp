#pragma once
#include <napi.h>

namespace expertmesh {

/// Adds what computes on a pool: linear, expert layer, dense layer, head, and the measurement of reading.
void exportCalls(Napi::Env env, Napi::Object exports);

}  // namespace expertmesh
