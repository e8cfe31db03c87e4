// The oracle: attention in fp64 over the visible keys only, with a rigorous radius for every
// element.
//
// It reads the stored inputs of a Problem (real tokens only, so that no pad, NaN or not, can reach
// it) and returns for each element a centre and the largest error that a correct kernel of the
// given numerics profile can make before its final rounding to storage. Bounds: see
// reference/derivations.md.

#pragma once

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

/// The real tokens of one sequence and head, decoded once. Matrices are [token][dim], row by row.
struct Head {
  int len_q = 0, len_k = 0, dim = 0;
  Dtype dtype = Dtype::f32;
  double scale = 0;          // the exact fp32 softmax scale
  std::vector<int> visible;  // [len_q] keys that a query sees: keys 0 .. visible - 1
  std::vector<double> q, k, v;
  std::vector<double> o, lse, d_o;  // as stored; empty without a backward
};
Head ReadHead(const Problem& problem, int b, int h);

/// One row (b, h, i) of the forward.
struct ForwardRow {
  std::string out_of_domain;  // "" or the violated inequality: the row is not judged elementwise
  int visible = 0;            // keys; 0: O = 0 and LSE = -inf exactly
  Judged lse;                 // natural log
  std::vector<Judged> out;    // [dim]
  std::vector<double> p;      // [visible] softmax probabilities
  double row_sum_radius = 0;  // of the sum of P read through one-hot V, before storage rounding
};

/// Radius of the sum of `reads` outputs that each read one weight, or one group of weights, of a
/// row, stored in `dtype`: around 1.
double RowSumRadius(const ForwardRow& row, Dtype dtype, int reads);

ForwardRow Forward(const Head& head, const NumericsProfile& profile, int i);
ForwardRow Forward(const Problem& problem, const NumericsProfile& profile, int b, int h, int i);

/// Gradients of one sequence and head. With `conditional`, LSE and O are the values stored in the
/// problem (the kernel's own, which its backward reads); otherwise the reference's, with their
/// bounds.
struct Gradients {
  std::string out_of_domain;            // of any row: nothing of this (b, h) is judged elementwise
  std::vector<std::vector<Judged>> dq;  // [len_q][dim]
  std::vector<std::vector<Judged>> dk;  // [len_k][dim]
  std::vector<std::vector<Judged>> dv;  // [len_k][dim]
};
Gradients Backward(const Head& head, const NumericsProfile& profile, bool conditional);
Gradients Backward(const Problem& problem, const NumericsProfile& profile, int b, int h,
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
