#pragma once
#include "../core/dense-layer.hpp"
#include "../core/expert-layer.hpp"
#include "../core/head.hpp"
#include "handle.hpp"
#include "held-kv-pool.hpp"
#include "pool.hpp"

namespace expertmesh {

template <>
struct HandleTag<const MappedFile> {
  static constexpr napi_type_tag kTag = {0x6b65726e656c7301, 1};
};
template <>
struct HandleTag<Pool> {
  static constexpr napi_type_tag kTag = {0x6b65726e656c7301, 2};
};
template <>
struct HandleTag<const Linear> {
  static constexpr napi_type_tag kTag = {0x6b65726e656c7301, 3};
};
template <>
struct HandleTag<const ExpertLayer> {
  static constexpr napi_type_tag kTag = {0x6b65726e656c7301, 4};
};
template <>
struct HandleTag<const DenseLayer> {
  static constexpr napi_type_tag kTag = {0x6b65726e656c7301, 5};
};
template <>
struct HandleTag<const Head> {
  static constexpr napi_type_tag kTag = {0x6b65726e656c7301, 6};
};
template <>
struct HandleTag<const HeldKvPool> {
  static constexpr napi_type_tag kTag = {0x6b65726e656c7301, 7};
};

}  // namespace expertmesh
