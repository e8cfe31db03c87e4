// What one query contributes to the gradients through each of the keys that it sees, with its
// errors. Derivations: reference/derivations.md, "Backward".

#pragma once

#include <vector>

#include "reference/bounds.h"

namespace padproof::reference {

/// A query on its way through the backward.
struct QueryInput {
  const HeadPanels& panels;
  const NumericsProfile& profile;
  const Scores& scores;
  int i = 0;
  bool conditional = false;  // O and LSE are those stored in the head
  double lse = 0;            // the one that P is recomputed from
  // Without `conditional`:
  std::vector<double> exponent_errors = {};  // forward D_j
  ForwardRow forward = {};

  const Head& head() const { return panels.head; }
  void Prepare();  // fills the last three
};

/// By visible key.
struct RowGradient {
  std::vector<double> p;              // P at the reference's centre
  std::vector<double> d_score;        // dS = P (dP - D)
  std::vector<double> d_score_error;  // r_ij: of dS but for the common errors of LSE and D
  std::vector<double> ds;             // the same times the slope of the softcap
  std::vector<double> ds_error;
  std::vector<double> p_slope;  // P times that slope
  std::vector<double> p_kept;   // P as it multiplies dO
  std::vector<double> p_error;  // h_ij: error of it
  double common = 0;            // lam_i: relative error of the row's P through its LSE
  double delta_error = 0;       // BD_i: error of D_i
  double dp_magnitude_max = 0;
  Judged d_sink;
};
RowGradient RowGradientOf(const QueryInput& in);

}  // namespace padproof::reference
