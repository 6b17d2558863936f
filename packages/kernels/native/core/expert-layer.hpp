#pragma once
#include <cstdint>
#include <vector>

#include "linear.hpp"

namespace expertmesh {

/// The matrices of one expert.
struct ExpertWeights {
  /// [2 * intermediate, hidden], gate rows first.
  StoredMatrix gateUp;
  /// [hidden, intermediate]
  StoredMatrix down;
};

struct ExpertCall {
  /// [rows, hidden]
  Span<const float> rows;
  /// [pairs] each; sorted by expert.
  Span<const uint32_t> pairRows;
  Span<const uint32_t> pairExperts;
  Span<const float> pairWeights;
  /// [rows, hidden]
  Span<float> out;
  /// [rows], or empty: then sums are rounded as they come. A row's sum of at most kMaxExactTerms pairs is exact in its unit.
  Span<const float> sumUnits;
  /// [rows, hidden] where there are units: written when a term is too large for them, see exact-sum.hpp.
  Span<float> high;
};

/**
 * Experts of one layer: out[row] = sum over the row's pairs of weight * down(silu(gate(x)) * up(x)), in the order of the pairs.
 * The rows of an expert share one reading of its weights. Results do not depend on the number of threads; with units, neither on the
 * order of the pairs nor on which of a row's pairs are in the same call, once `out` and `high` of all calls are added up.
 */
class ExpertLayer {
 public:
  /// Throws InvalidArgument unless all experts have the same shapes and these fit each other.
  explicit ExpertLayer(std::vector<ExpertWeights> experts);
  /// Throws InvalidArgument for sizes that do not fit, indices out of range, and pairs that are not sorted.
  void check(const ExpertCall& call) const;
  /// Whether `high` has been written, for all rows; else all high parts are zero.
  bool run(ThreadTeam& team, Workspace& workspace, const ExpertCall& call) const;

 private:
  /// Consecutive pairs of one expert.
  struct Group {
    size_t expert;
    size_t pairBegin;
    size_t pairEnd;
  };

  std::vector<Group> groupPairs(const ExpertCall& call) const;
  size_t scratchBytes(const KernelSet& kernels) const;
  void gateUp(ThreadTeam& team, Workspace& workspace, const ExpertCall& call, const std::vector<Group>& groups,
              float* inner) const;
  void gateUpTiles(const KernelSet& kernels, Numerics numerics, const ActivationRows& activations, const Group& group, size_t begin,
                   size_t end, const void* const* pairActivations, void* scratch, float* inner) const;
  bool down(ThreadTeam& team, const ActivationRows& activations, const ExpertCall& call, const std::vector<Group>& groups) const;
  bool addTerms(const KernelSet& kernels, const ExpertCall& call, size_t pair, const float* products, size_t columnBegin,
                size_t width, bool hasHigh) const;
  void clear(Span<float> sums, size_t columnBegin, size_t width) const;

  std::vector<ExpertWeights> experts_;
  size_t hidden_;
  size_t intermediate_;
};

}  // namespace expertmesh
