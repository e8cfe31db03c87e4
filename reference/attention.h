// The oracle: attention in fp64 over the visible keys only, with a rigorous radius for every
// element.
//
// It reads the stored inputs of a Problem (real tokens only, so that no pad, NaN or not, can reach
// it) and returns for each element a centre and the largest error that a correct kernel of the
// given numerics profile can make before its final rounding to storage. Bounds: see
// reference/derivations.md.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/judge/problem.h"

namespace padproof::reference {

/// Centre and radius; accept `out` iff round(centre - radius) <= out <= round(centre + radius).
struct Judged {
  double centre = 0;
  double radius = 0;
  // What most of the radius is for, and how much of it; for reports.
  const char* largest_term = "";
  double largest = 0;
};

/// The real tokens of one sequence and of the query heads that share its keys, decoded once.
/// Matrices are [token][dim], row by row; V, O and their gradients have dim_v columns.
struct Head {
  int len_q = 0;  // rows: those of one query head after those of another
  int len_k = 0, dim = 0, dim_v = 0;
  int slots_k = 0;  // of the keys, pads included; no fewer than len_k
  Dtype dtype = Dtype::f32;
  double scale = 0;               // the exact fp32 softmax scale
  double softcap = 0;             // c > 0: the score is c tanh(scale q.k / c), before the bias
  std::vector<KeyRange> visible;  // [len_q]
  std::vector<uint8_t> hidden;    // [len_q][len_k] or empty; 1: a mask hides a key of the range
  std::vector<double> bias;       // [len_q][len_k] or empty: added to the score after the softcap
  std::vector<double> sink;       // [len_q] or empty: exp(sink) joins the row sum, with V = 0
  std::vector<uint8_t> dropped;   // [len_q][len_k] or empty; 1: P = 0 for P V, not for the row sum
  double keep_scale = 1;          // of every P that is not dropped
  int query_heads = 1;            // among the rows, with the same number of rows each
  std::vector<double> q, k, v;
  std::vector<double> o, lse, d_o;  // as stored; empty without a backward
};

/// The keys that query i sees, in order.
std::vector<int> KeysOf(const Head& head, int i);

/// Of head `head_kv` of K and V, with all queries that read it.
Head ReadHead(const Problem& problem, int b, int head_kv);

/// One row (b, h, i) of the forward.
struct ForwardRow {
  std::string out_of_domain;  // "" or the violated inequality: the row is not judged elementwise
  int visible = 0;            // keys; 0 without a sink: O = 0 and LSE = -inf exactly
  std::vector<int> keys;      // [visible] which
  Judged lse;                 // natural log
  std::vector<Judged> out;    // [dim_v]
  std::vector<double> p;      // [visible] softmax probabilities
  // Of P as it meets V, read through one-hot V, before storage rounding; 1 but for sink and
  // dropout.
  double row_sum = 0, row_sum_radius = 0;
};

/// Radius of the sum of `reads` outputs that each read one weight, or one group of weights, of a
/// row, stored in `dtype`: around row.row_sum.
double RowSumRadius(const ForwardRow& row, Dtype dtype, int reads);

struct HeadPanels;

/// The forward of one head, row by row; what its rows share is computed once.
class ForwardOracle {
 public:
  /// Both must outlive it.
  ForwardOracle(const Head& head, const NumericsProfile& profile);
  ~ForwardOracle();
  ForwardRow Row(int i) const;

 private:
  const NumericsProfile& profile_;
  std::unique_ptr<HeadPanels> panels_;
};

/// One row alone.
ForwardRow Forward(const Head& head, const NumericsProfile& profile, int i);
ForwardRow Forward(const Problem& problem, const NumericsProfile& profile, int b, int head_kv,
                   int i);

/// Gradients of one head. With `conditional`, LSE and O are the values stored in the problem (the
/// kernel's own, which its backward reads); otherwise the reference's, with their bounds. What is
/// "largest" of a radius is an estimate here.
struct Gradients {
  using Matrix = std::vector<std::vector<Judged>>;
  std::string out_of_domain;  // of any row: nothing of the head is judged elementwise
  Matrix dq;                  // [len_q][dim]
  Matrix dk;                  // [len_k][dim]
  Matrix dv;                  // [len_k][dim_v]
  Matrix dbias;               // [len_q][len_k]; empty without a bias
  std::vector<Judged> dsink;  // [len_q]; empty without a sink

  const Matrix& Of(Operand op) const;  // dq, dk, dv, dbias
};
Gradients Backward(const Head& head, const NumericsProfile& profile, bool conditional);
Gradients Backward(const Problem& problem, const NumericsProfile& profile, int b, int head_kv,
                   bool conditional);

/// Writes O and LSE of every real row, rounded to storage, into the problem: the input of kernels
/// that have a backward only. Empty rows get O = 0 and LSE = -inf.
void StoreForward(Problem& problem);

/// Distance of the stored `bits` from the centre, over the radius: <= 1 passes. NaN gives +inf.
/// Measured on preimages of the rounding, so that no half ulp is added twice.
double Ratio(Dtype dtype, uint32_t bits, const Judged& judged);

/// The same for two independent results of the same real number: within the sum of the two radii.
double PairRatio(Dtype dtype, uint32_t a, uint32_t b, double radius_a, double radius_b);

}  // namespace padproof::reference
