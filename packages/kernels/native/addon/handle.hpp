#pragma once
#include <memory>
#include <napi.h>

#include "../core/require.hpp"

namespace expertmesh {

/// Distinguishes the handles of different classes, so that one cannot be taken for another.
template <class T>
struct HandleTag;

/// A C++ object as JavaScript holds it: opaque, freed when the last holder is gone.
template <class T>
Napi::External<std::shared_ptr<T>> makeHandle(Napi::Env env, std::shared_ptr<T> object) {
  auto handle = Napi::External<std::shared_ptr<T>>::New(env, new std::shared_ptr<T>(std::move(object)),
                                                        [](Napi::Env, std::shared_ptr<T>* held) { delete held; });
  handle.TypeTag(&HandleTag<T>::kTag);
  return handle;
}

/// Throws InvalidArgument for anything that is not a handle of this class.
template <class T>
const std::shared_ptr<T>& fromHandle(const Napi::Value& value) {
  require(value.IsExternal(), "a native handle is expected");
  const auto handle = value.As<Napi::External<std::shared_ptr<T>>>();
  require(handle.CheckTypeTag(&HandleTag<T>::kTag), "a native handle of another kind was given");
  return *handle.Data();
}

}  // namespace expertmesh
