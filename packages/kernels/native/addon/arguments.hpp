#pragma once
#include <cmath>
#include <napi.h>
#include <string>

#include "../core/mapped-file.hpp"
#include "../core/require.hpp"
#include "../core/span.hpp"
#include "handle-tags.hpp"

namespace expertmesh {

/// An integer from 0 to 2^53.
inline size_t asSize(const Napi::Value& value, const char* name) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= 9007199254740992.0) || number != std::floor(number))
    throw InvalidArgument(std::string(name) + " must be an integer that is not negative");
  return static_cast<size_t>(number);
}

inline size_t sizeField(const Napi::Object& object, const char* name) { return asSize(object.Get(name), name); }

inline Napi::Object asObject(const Napi::Value& value, const char* name) {
  if (!value.IsObject() || value.IsExternal()) throw InvalidArgument(std::string(name) + " must be an object");
  return value.As<Napi::Object>();
}

inline Napi::Array asArray(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) throw InvalidArgument(std::string(name) + " must be an array");
  return value.As<Napi::Array>();
}

/// The memory of a typed array of exactly this element type.
template <class T, napi_typedarray_type kType, class Array>
Span<T> asSpan(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != kType)
    throw InvalidArgument(std::string(name) + " is a typed array of the wrong kind, or none");
  const auto array = value.As<Array>();
  return {const_cast<T*>(array.Data()), array.ElementLength()};
}

inline Span<float> floats(const Napi::Value& value, const char* name) {
  return asSpan<float, napi_float32_array, Napi::Float32Array>(value, name);
}
inline Span<const float> constFloats(const Napi::Value& value, const char* name) {
  const Span<float> span = floats(value, name);
  return {span.data, span.size};
}
inline Span<double> doubles(const Napi::Value& value, const char* name) {
  return asSpan<double, napi_float64_array, Napi::Float64Array>(value, name);
}
inline Span<int32_t> ints(const Napi::Value& value, const char* name) {
  return asSpan<int32_t, napi_int32_array, Napi::Int32Array>(value, name);
}
inline Span<uint8_t> bytes(const Napi::Value& value, const char* name) {
  return asSpan<uint8_t, napi_uint8_array, Napi::Uint8Array>(value, name);
}
inline Span<const uint32_t> unsignedInts(const Napi::Value& value, const char* name) {
  const auto span = asSpan<uint32_t, napi_uint32_array, Napi::Uint32Array>(value, name);
  return {span.data, span.size};
}

/// { file, bits, out, in, weightsOffsetBytes } and, for 4 and 8 bits, { blockSize, scalesOffsetBytes }.
inline StoredMatrix asMatrix(const Napi::Value& value, const char* name) {
  const Napi::Object object = asObject(value, name);
  const auto file = fromHandle<const MappedFile>(object.Get("file"));
  const size_t bits = sizeField(object, "bits"), out = sizeField(object, "out"), in = sizeField(object, "in");
  const size_t weightsOffset = sizeField(object, "weightsOffsetBytes");
  if (bits == 32) return {file, file->fp32(weightsOffset, out, in)};
  return {file, file->quantised(weightsOffset, sizeField(object, "scalesOffsetBytes"), out, in, bits, sizeField(object, "blockSize"))};
}

/// As asMatrix; absent where the field is undefined.
inline std::optional<StoredMatrix> optionalMatrix(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (value.IsUndefined()) return std::nullopt;
  return asMatrix(value, name);
}

}  // namespace expertmesh
