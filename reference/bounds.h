// What forward and backward bounds share: the constants of fp32 arithmetic, and one row of scores
// with the error that a correct kernel can make in each. Derivations: reference/derivations.md.

#pragma once

#include <string>
#include <vector>

#include "reference/attention.h"

namespace padproof::reference {

inline constexpr double kUnit = 0x1p-24;    // u: unit roundoff of fp32
inline constexpr double kFlush = 0x1p-126;  // f: a kernel may flush fp32 results below it to 0

/// Higham's gamma: relative error of a product of `roundings` factors (1 + delta), |delta| <= u.
double Gamma(double roundings);

/// x / (1 - x), or infinity where that bounds nothing.
double Quotient(double x);

/// True when Q and K are scaled and stored again in their own type, not in fp32.
bool StoresPrescaled(const NumericsProfile& profile, Dtype dtype);

/// Roundings, in u, of a sum of `products` products, times the sum of their magnitudes.
double Units(const NumericsProfile& profile, double products);

/// How far the running maximum may be below the largest score so far, in natural units.
double LagOf(const NumericsProfile& profile);

/// Relative error of a term P V, dS K or P dO through the rounding of its factors.
double PairRounding(const NumericsProfile& profile);

/// Products that matrix units and vectorised loops may add in any order among each other.
inline constexpr int kBlock = 16;

/// A dot product in fp64 with what bounds its fp32 counterparts.
struct Dot {
  double value = 0;
  double magnitude = 0;  // sum of |x y|
  double partial = 0;    // at least |any partial sum|, if blocks of kBlock products come in order
  double flushed = 0;  // part of `magnitude` whose factors are subnormal in fp32, plus two f a term
};
Dot DotOf(const double* x, const double* y, int size);

/// The scores of one query against its visible keys.
struct Scores {
  int n = 0;
  std::vector<double> s;          // scale * q.k
  std::vector<double> magnitude;  // A_j = scale * sum_t |q_t k_t|
  std::vector<double> error;      // of the stored score: dot product, scaling, narrower storage
  std::vector<double> in_order;   // the same for kernels that add blocks of kBlock in order
  double max = 0;                 // m
  double sum = 0;                 // l = sum_j exp(s_j - m)
  double lse = 0;                 // m + ln l
  std::vector<double> p;          // exp(s_j - lse)
};
Scores ScoresOf(const Head& head, const NumericsProfile& profile, int i);

/// Most rescales by a factor other than 1 that each key's partial sums can go through.
std::vector<double> RescalesOf(const Scores& scores, const NumericsProfile& profile);

/// D_j: error of the exponent of each weight, relative to a shift common to the row.
std::vector<double> ExponentErrors(const Scores& scores, const std::vector<double>& rescales,
                                   const NumericsProfile& profile);

/// "" or the inequality that this row violates: beyond it a correct kernel may overflow in fp32.
/// `value_max` is the largest |v| of the visible keys.
std::string DomainOf(const Head& head, const Scores& scores, const NumericsProfile& profile,
                     double value_max);

/// "" if value < limit, else "what < limit": without the value, so that reports can count reasons.
std::string Require(const char* what, double value, double limit);

/// The larger of the two; NaN counts as infinite, so that no domain has one.
double Larger(double most, double x);

/// Half an ulp, or more, of any stored number of magnitude up to `x`.
double HalfUlp(Dtype dtype, double x);

/// A bound plus what the fp64 reference itself may be off.
double WithReferenceError(double centre, double bound);

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
