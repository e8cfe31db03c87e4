// A correct attention kernel on the host, in the manner of an Emulation: what the bound must never
// accuse. Forward (forward.cc) and backward (backward.cc) of the real tokens of one head.

#pragma once

#include <cstdint>
#include <vector>

#include "reference/attention.h"
#include "reference/emulation/arithmetic.h"

namespace padproof::reference {

struct EmulatedRow {
  std::vector<uint32_t> out;  // stored bits
  uint32_t lse = 0;
};

/// What one softmax has after its keys.
struct PartialSoftmax {
  float max = 0;
  float sum = 0;
  std::vector<float> acc;
};

/// Row-major fp32 numbers.
struct Matrix {
  int columns = 0;
  std::vector<float> data;
  float* row(int i) { return data.data() + static_cast<size_t>(i) * static_cast<size_t>(columns); }
  const float* row(int i) const {
    return data.data() + static_cast<size_t>(i) * static_cast<size_t>(columns);
  }
};

class EmulatedKernel {
 public:
  /// `e` and `head` must outlive it; `noise` seeds the errors of the elementary functions.
  EmulatedKernel(const Emulation& e, const Head& head, uint64_t noise);

  EmulatedRow Forward(int i);

  /// Gradients from the O and LSE stored in the head; [token][dim] bits, those of sinks in fp32.
  struct Gradient {
    std::vector<uint32_t> dq, dk, dv, dbias, dsink;
  };
  Gradient Backward();

 private:
  Matrix Read(const std::vector<double>& values, int columns) const;
  Matrix Operand(Matrix m) const;  // as a matrix unit reads it
  float scale() const { return static_cast<float>(head_.scale); }
  float cap() const { return static_cast<float>(head_.softcap); }
  float keep() const { return static_cast<float>(head_.keep_scale); }
  /// What turns a score as it is kept into natural units, and into the exponent of 2.
  float unit() const;
  float folded() const { return math_.Mul(unit(), 1.44269504f); }
  float natural(float max) const { return unit() == 1 ? max : math_.Mul(max, unit()); }
  bool prescaled() const {
    return e_.scaling == Scaling::q_in_fp32 || e_.scaling == Scaling::q_in_storage;
  }

  size_t at(int i, int key) const {
    return static_cast<size_t>(i) * static_cast<size_t>(head_.len_k) + static_cast<size_t>(key);
  }
  float Stored(float x) const { return e_.store_scores ? math_.RoundToStorage(x) : x; }
  float ScoreOf(int i, int key);  // leaves the tanh of a softcap in tanh_
  std::vector<float> ScoresOf(int i, const std::vector<int>& keys);
  float SinkOf(int i) const;  // in the units of scores
  void BeginAtSink(PartialSoftmax& state, int i) const;
  void AddSink(PartialSoftmax& state, int i);
  float Dropped(int i, int key, float p) const;  // P after dropout, rounded
  float Weight(float score, float max, int key);
  float Rescale(float from, float to);
  PartialSoftmax Walk(int i, const std::vector<int>& keys, bool sink);
  void AddTile(PartialSoftmax& state, int i, const std::vector<int>& keys);
  void Shift(PartialSoftmax& state, float factor) const;
  void MergeByMax(PartialSoftmax& all, PartialSoftmax other);
  EmulatedRow CombineByLse(const std::vector<PartialSoftmax>& parts);
  float LseOf(const PartialSoftmax& state);
  EmulatedRow Store(const PartialSoftmax& state);
  std::vector<std::vector<int>> Ranges(const std::vector<int>& keys) const;
  void AddValues(PartialSoftmax& state, const std::vector<int>& keys,
                 const std::vector<float>& weights) const;

  /// Weights from the stored LSE, or of three passes; of the sink too, last.
  std::vector<float> Recomputed(int i, const std::vector<int>& keys, std::vector<float>& tanhs);
  std::vector<float> Softmax(int i, const std::vector<int>& keys, std::vector<float>& tanhs);
  void BackwardRow(int i, Matrix& p, Matrix& ds, Gradient& out);
  // Row r of left^T right or left right, [columns of right]: term t is left(r, t) right(t, c).
  // Terms where left is 0 are not read. In `parts` sums of their own.
  std::vector<float> Product(const std::vector<float>& left, const Matrix& right, int parts);
  void StoreScaled(const std::vector<float>& sums, float scale, std::vector<uint32_t>& out) const;

  const Emulation& e_;
  const Head& head_;
  int dim_, dim_v_;
  float tanh_ = 0;
  Arithmetic math_;
  Random order_;
  Matrix q_, k_, v_, o_, d_o_;          // as read: Q pre-scaled where the emulation says so
  Matrix qk_q_, qk_k_, pv_v_, dp_d_o_;  // as a matrix unit reads them
};

}  // namespace padproof::reference
