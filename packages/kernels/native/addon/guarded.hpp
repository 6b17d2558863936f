#pragma once
#include <napi.h>
#include <system_error>

#include "../core/require.hpp"

namespace expertmesh {

/// A JavaScript function that turns C++ exceptions into JavaScript ones: RangeError for wrong arguments, Error for the rest.
template <class F>
void exportGuarded(Napi::Env env, Napi::Object exports, const char* name, F function) {
  exports.Set(name, Napi::Function::New(
                        env,
                        [function](const Napi::CallbackInfo& info) -> Napi::Value {
                          try {
                            return function(info);
                          } catch (const Napi::Error&) {
                            throw;
                          } catch (const InvalidArgument& thrown) {
                            throw Napi::RangeError::New(info.Env(), thrown.what());
                          } catch (const std::exception& thrown) {
                            throw Napi::Error::New(info.Env(), thrown.what());
                          }
                        },
                        name));
}

}  // namespace expertmesh
