// Attention over blocks against plain arithmetic, for each dtype of the cache; and the ways in which its work can be divided.
#include <algorithm>

#include "../core/aligned-buffer.hpp"
#include "../core/isa.hpp"
#include "check.hpp"
#include "plain-kv.hpp"
#include "tests.hpp"

namespace expertmesh::test {

namespace {

constexpr size_t kNumLayers = 2, kNumKvHeads = 3, kLayer = 1, kKvHead = 2;

struct Case {
  size_t headDim, groupSize, numRows, position;
};

std::string describe(const KernelSet& kernels, KvDtype dtype, const Case& c) {
  return std::string(kernels.name) + " attention, " + nameOf(dtype) + ", head_dim " + std::to_string(c.headDim) + ", " +
         std::to_string(c.groupSize) + " heads, " + std::to_string(c.numRows) + " rows behind " + std::to_string(c.position);
}

void fill(PlainKv& kv, const Case& c, size_t numTokens) {
  for (size_t token = 0; token < numTokens; ++token) {
    const auto row = randomFloats(2 * c.headDim, 0.7f);
    kv.store(kLayer, kKvHead, token, row.data(), row.data() + c.headDim);
  }
}

std::vector<float> expectedContext(const PlainKv& kv, const Case& c, const std::vector<float>& queries) {
  std::vector<float> context;
  for (size_t q = 0; q < c.numRows * c.groupSize; ++q) {
    std::vector<double> weights, mixed(c.headDim);
    double sum = 0;
    for (size_t token = 0; token <= c.position + q / c.groupSize; ++token) {
      const auto key = kv.key(kLayer, kKvHead, token);
      double score = 0;
      for (size_t i = 0; i < c.headDim; ++i) score += double{queries[q * c.headDim + i]} * key[i];
      weights.push_back(std::exp(score / std::sqrt(static_cast<double>(c.headDim))));
      sum += weights.back();
    }
    for (size_t token = 0; token < weights.size(); ++token) {
      const auto value = kv.value(kLayer, kKvHead, token);
      for (size_t i = 0; i < c.headDim; ++i) mixed[i] += weights[token] / sum * value[i];
    }
    context.insert(context.end(), mixed.begin(), mixed.end());
  }
  return context;
}

struct Scratch {
  AlignedBuffer buffer;
  AttentionRows rows;

  Scratch(const KernelSet& kernels, const PlainKv& kv, const Case& c, const std::vector<float>& queries, std::vector<float>& context)
      : rows{queries.data(), context.data(), c.groupSize * c.headDim, c.groupSize * c.headDim, c.numRows, c.groupSize, kv.head(kLayer, kKvHead), c.position, nullptr} {
    rows.scratch = buffer.reserve<std::byte>(kernels.attentionScratchBytes(rows.numQueries(), c.headDim));
  }
};

std::vector<float> together(const KernelSet& kernels, const PlainKv& kv, const Case& c, const std::vector<float>& queries) {
  std::vector<float> context(queries.size(), NAN);
  const Scratch scratch(kernels, kv, c, queries, context);
  kernels.attend(scratch.rows);
  return context;
}

std::vector<float> bySegments(const KernelSet& kernels, const PlainKv& kv, const Case& c, const std::vector<float>& queries) {
  std::vector<float> context(queries.size(), NAN);
  const Scratch scratch(kernels, kv, c, queries, context);
  const size_t size = kernels.attentionPartialFloats(scratch.rows.numQueries(), c.headDim);
  AlignedBuffer partials;
  auto* first = partials.reserve<float>(size * scratch.rows.numSegments());
  for (size_t segment = scratch.rows.numSegments(); segment-- > 0;) kernels.attendSegment(scratch.rows, segment, first + segment * size);
  kernels.joinSegments(scratch.rows, first);
  return context;
}

std::vector<float> rowByRow(const KernelSet& kernels, const PlainKv& kv, const Case& c, const std::vector<float>& queries) {
  std::vector<float> context;
  const auto rowSize = static_cast<std::ptrdiff_t>(c.groupSize * c.headDim);
  for (size_t row = 0; row < c.numRows; ++row) {
    const auto start = queries.begin() + static_cast<std::ptrdiff_t>(row) * rowSize;
    const auto one = together(kernels, kv, {c.headDim, c.groupSize, 1, c.position + row}, {start, start + rowSize});
    context.insert(context.end(), one.begin(), one.end());
  }
  return context;
}

void checkCase(KvDtype dtype, const Case& c) {
  const size_t numTokens = c.position + c.numRows;
  PlainPool pool({dtype, kNumLayers, kNumKvHeads, c.headDim}, numTokens / kBlockTokens + 2);
  PlainKv kv(pool, numTokens);
  fill(kv, c, numTokens);
  const auto queries = randomFloats(c.numRows * c.groupSize * c.headDim);
  const auto expected = expectedContext(kv, c, queries);
  for (const KernelSet* kernels : supportedKernelSets()) {
    const auto context = together(*kernels, kv, c, queries);
    for (size_t i = 0; i < context.size(); ++i) checkNear(context[i], expected[i], 2e-5, describe(*kernels, dtype, c));
    check(bySegments(*kernels, kv, c, queries) == context, describe(*kernels, dtype, c) + ": a divided context gives other bits");
    check(rowByRow(*kernels, kv, c, queries) == context, describe(*kernels, dtype, c) + ": rows alone give other bits");
  }
}

/// Rows that follow each other, stored by the kernel and by plain arithmetic.
void checkStore(KvDtype dtype, size_t headDim) {
  constexpr size_t kPosition = 29, kRows = 40;
  const KvLayout layout{dtype, kNumLayers, kNumKvHeads, headDim};
  auto rows = randomFloats(kRows * 2 * headDim);
  // Zeros, a subnormal fp16, and what fp16 has no room for.
  std::fill_n(rows.begin(), headDim, 0.0f);
  rows[2 * headDim] = 3e-6f;
  if (dtype == KvDtype::kFp16) rows[2 * headDim + 1] = 1e5f;
  for (const KernelSet* kernels : supportedKernelSets()) {
    PlainPool pool(layout, 6, 2);
    PlainKv stored(pool, kPosition + kRows), expected(pool, kPosition + kRows);
    for (size_t row = 0; row < kRows;) {
      const size_t count = std::min(kRows - row, kBlockTokens - (kPosition + row) % kBlockTokens);
      kernels->storeKv({stored.head(kLayer, kKvHead), kPosition + row, count, &rows[row * 2 * headDim], &rows[row * 2 * headDim + headDim], 2 * headDim});
      row += count;
    }
    for (size_t row = 0; row < kRows; ++row) {
      const size_t token = kPosition + row;
      expected.store(kLayer, kKvHead, token, &rows[row * 2 * headDim], &rows[row * 2 * headDim + headDim]);
      const std::string what = std::string(kernels->name) + " store, " + nameOf(dtype) + ", head_dim " + std::to_string(headDim);
      check(stored.key(kLayer, kKvHead, token) == expected.key(kLayer, kKvHead, token), what + " keys");
      check(stored.value(kLayer, kKvHead, token) == expected.value(kLayer, kKvHead, token), what + " values");
    }
  }
}

/// What is not finite must reach the answer, where it is found out.
void checkNotFinite(KvDtype dtype) {
  const Case c{16, 2, 1, 40};
  for (const KernelSet* kernels : supportedKernelSets()) {
    PlainPool pool({dtype, kNumLayers, kNumKvHeads, c.headDim}, 2);
    PlainKv kv(pool, c.position + 1);
    fill(kv, c, c.position + 1);
    std::vector<float> row(2 * c.headDim, 1);
    row[3] = NAN;
    kernels->storeKv({kv.head(kLayer, kKvHead), c.position, 1, row.data(), row.data() + c.headDim, 0});
    for (const float value : together(*kernels, kv, c, randomFloats(2 * c.headDim)))
      check(std::isnan(value), std::string(kernels->name) + ", " + nameOf(dtype) + ": a key that is not a number is lost");
  }
}

void checkRefusals() {
  const KvLayout layout{KvDtype::kFp16, 2, 2, 8};
  std::vector<uint8_t> memory(3 * layout.blockBytes());
  const auto slab = [&](size_t start, size_t size) { return Span<uint8_t>{memory.data() + start, size}; };
  const size_t block = layout.blockBytes();
  checkRefused("no slab", [&] { KvPool(layout, {}); });
  checkRefused("a part of a block", [&] { KvPool(layout, {slab(0, block + 4)}); });
  checkRefused("an empty slab", [&] { KvPool(layout, {slab(0, block), slab(0, 0)}); });
  checkRefused("slabs that grow", [&] { KvPool(layout, {slab(0, block), slab(block, 2 * block)}); });
  checkRefused("a slab at an odd place", [&] { KvPool(layout, {slab(1, block)}); });
  checkRefused("an odd head_dim", [&] { KvPool({KvDtype::kFp16, 2, 2, 7}, {slab(0, block)}); });
  const KvPool pool(layout, {slab(0, 2 * block), slab(2 * block, block)});
  check(pool.numBlocks() == 3, "the number of blocks");
  for (const int32_t id : {-1, 3, 2147483647}) {
    std::vector<uint8_t*> blocks;
    checkRefused("a block that is not there", [&] { pool.appendBlocks({&id, 1}, blocks); });
  }
}

}  // namespace

void testAttention() {
  checkRefusals();
  for (const KvDtype dtype : kAllKvDtypes) {
    for (const size_t headDim : {2, 10, 24, 128}) checkStore(dtype, headDim);
    checkNotFinite(dtype);
    for (const Case& c : {Case{128, 8, 1, 0}, Case{128, 8, 1, 1100}, Case{64, 16, 2, 510}, Case{10, 3, 5, 31}, Case{2, 1, 1, 63}, Case{24, 7, 9, 505}, Case{20, 20, 3, 1536}, Case{48, 1, 48, 0}})
      checkCase(dtype, c);
  }
}

}  // namespace expertmesh::test
