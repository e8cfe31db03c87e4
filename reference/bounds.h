// What forward and backward bounds share: the constants of fp32 arithmetic, and one row of scores
// with the error that a correct kernel can make in each. Derivations: reference/derivations.md.

#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "reference/attention.h"
#include "reference/panels.h"

namespace padproof::reference {

inline constexpr double kUnit = 0x1p-24;    // u: unit roundoff of fp32
inline constexpr double kFlush = 0x1p-126;  // f: a kernel may flush fp32 results below it to 0

/// Higham's gamma: relative error of a product of `roundings` factors (1 + delta), |delta| <= u.
double Gamma(double roundings);

/// x / (1 - x), or infinity where that bounds nothing.
double Quotient(double x);

/// At least e^x - 1 and at most e^-x, for x >= 0; infinity and NaN for those. By the Pade
/// approximant: ln((1 + y) / (1 - y)) >= 2 y for 0 <= y < 1, so that e^x <= (1 + x/2) / (1 - x/2),
/// x^2/12 too large in proportion.
inline double GrowthOf(double x) { return x < 0.125 ? x / (1 - x / 2) : std::expm1(x); }
inline double DecayOf(double x) { return x < 0.125 ? (1 - x / 2) / (1 + x / 2) : std::exp(-x); }

/// True when Q and K are scaled and stored again in their own type, not in fp32.
bool StoresPrescaled(const NumericsProfile& profile, Dtype dtype);

/// Roundings, in u, of a sum of `products` products, times the sum of their magnitudes. They lie
/// within `span` consecutive terms of the loop over `runs` (or more) loops that start anew.
double Units(const NumericsProfile& profile, double products, double span, double runs = 1);
inline double Units(const NumericsProfile& profile, double products) {
  return Units(profile, products, products);
}

/// How far the running maximum may be below the largest score so far, in natural units.
double LagOf(const NumericsProfile& profile);

/// Relative error of a term P V, dS K or P dO through the rounding of its factors.
double PairRounding(const NumericsProfile& profile);

/// Part of sum |x y| whose factors are subnormal in fp32: a kernel that flushes may lose it.
double TinyProducts(const double* x, const double* y, int size);

/// What the rows of a head share, laid out for loops over keys.
struct HeadPanels {
  /// Of the keys in `range` alone; V is laid out for products with dO if `backward`. `head_in` must
  /// outlive it.
  HeadPanels(const Head& head_in, const NumericsProfile& profile, KeyRange range, bool backward);

  const Head& head;
  KeyRange range;
  Panels k, v;
  // Of each key in the range; NaN counts as infinite.
  std::vector<double> value_max;        // max |v|
  std::vector<double> key_sum;          // sum |k|; where operands are pre-scaled in storage
  bool tiny_k = false, tiny_v = false;  // one is subnormal in fp32
};

/// The scores of one query against its visible keys, in their order, and then its sink, if any.
struct Scores {
  int n = 0;      // keys
  int span = 0;   // from the first of them to the last
  int slots = 0;  // that a kernel may walk over, those without a visible key among them
  bool has_sink = false;
  std::vector<int> keys;            // [n] which
  std::vector<double> s;            // the score, softcap and bias included
  std::vector<double> magnitude;    // A_j = scale * sum_t |q_t k_t| + |bias|
  std::vector<double> error;        // of the stored score: dot product, scaling, narrower storage
  std::vector<double> in_order;     // the same for kernels that add blocks of kBlock in order
  std::vector<double> slope;        // of the softcap, 1 - tanh^2; empty without one
  std::vector<double> slope_error;  // of a computed one
  double max = 0;                   // m
  double key_max = 0;               // the same without the sink; 0 without keys
  double sum = 0;                   // l = sum_j exp(s_j - m)
  double lse = 0;                   // m + ln l
  std::vector<double> p;            // exp(s_j - lse)

  size_t terms() const { return s.size(); }
  /// Of exponents: how far the shift of the kernel may be from the sink, beyond from the maximum.
  double sink_gap() const;
};
/// `in_order` is filled if `profile` or the caller asks for it.
Scores ScoresOf(const HeadPanels& panels, const NumericsProfile& profile, int i, bool in_order);

/// For each of the first n scores the length of the longest climb that starts there, either way: a
/// chain of scores further on, each of which may be computed to be above the one before, given
/// errors up to `slack` / 2. Running maxima climb strictly, so no order-preserving walk over any
/// subset of the keys, in tiles of any size, moves its maximum more often. Climbs beyond `cap` are
/// not told apart.
std::vector<int> ClimbsOf(const std::vector<double>& scores, int n, double slack, int cap);

/// Most rescales by a factor other than 1 that the partial sums of each term can go through.
std::vector<double> RescalesOf(const Scores& scores, const NumericsProfile& profile);

/// D_j: error of the exponent of each weight, relative to a shift common to the row.
std::vector<double> ExponentErrors(const Scores& scores, const std::vector<double>& rescales,
                                   const NumericsProfile& profile);

/// Where weights are computed from: scores that the kernel has stored, and the largest of them so
/// far, or scores computed anew and the LSE.
enum class Pass { forward, backward };

/// "" or the inequality that this row violates: beyond it a correct kernel may overflow in fp32.
std::string DomainOf(const HeadPanels& panels, const Scores& scores, const NumericsProfile& profile,
                     Pass pass);

/// "" if value < limit, else "what < limit": without the value, so that reports can count reasons.
std::string Require(const char* what, double value, double limit);

/// The larger of the two; NaN counts as infinite, so that no domain has one.
double Larger(double most, double x);

/// Half an ulp, or more, of any stored number of magnitude up to `x`.
double HalfUlp(Dtype dtype, double x);

/// A bound plus what the fp64 reference itself may be off.
double WithReferenceError(double centre, double bound);

/// What dropout makes of each P of row i, 0 or its scale; empty without dropout.
std::vector<double> KeptOf(const Head& head, const Scores& scores, int i);

/// A row of the forward by its scores; `row.out_of_domain` is known.
void JudgeRow(const HeadPanels& panels, const Scores& scores, const NumericsProfile& profile, int i,
              const std::vector<double>& rescales, const std::vector<double>& errors,
              ForwardRow& row);

/// A bound while its terms are added, which remembers the largest.
class Budget {
 public:
  void Add(const char* term, double size) {
    bound_ += size;
    if (!(size <= largest_)) {
      largest_ = size;
      largest_term_ = term;
    }
  }
  double bound() const { return bound_; }
  Judged Around(double centre) const {
    return {centre, WithReferenceError(centre, bound_), largest_term_, largest_};
  }

 private:
  double bound_ = 0, largest_ = 0;
  const char* largest_term_ = "";
};

}  // namespace padproof::reference
