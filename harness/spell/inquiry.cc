#include "harness/spell/inquiry.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "harness/base/dtype.h"
#include "harness/spell/player.h"

namespace padproof {
namespace {

constexpr int64_t kMostQuestions = 200000;
constexpr int kMostHints = 16;         // each names a digit more
constexpr size_t kMostElements = 16;   // that a person would want to read
constexpr size_t kMostRepairs = 1000;  // failing elements

/// The number that a failure says after its label: "oracle: 0.5 +- 1e-06" is 0.5.
std::optional<double> NumberIn(const std::string& text) {
  const size_t colon = text.rfind(": ");
  const char* begin = text.c_str() + (colon == std::string::npos ? 0 : colon + 2);
  char* end = nullptr;
  const double number = std::strtod(begin, &end);
  if (end == begin || (*end != '\0' && *end != ' ')) return std::nullopt;
  return number;
}

/// Which comparison failed: laws that look at a result through several calls label each of them.
std::string NameOfComparison(const Failure& failure) {
  const size_t colon = failure.expected.rfind(": ");
  const std::string label = colon == std::string::npos ? "" : failure.expected.substr(0, colon);
  return failure.where + (label.empty() || label == "expected" ? "" : ", " + label);
}

bool Near(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) == std::isnan(b);
  return a == b || std::fabs(a - b) <= 1e-3 * std::max(std::fabs(a), std::fabs(b));
}

/// Bit patterns in the order of their values, -0 right below +0.
int64_t KeyOf(Dtype dtype, uint32_t bits) {
  const uint32_t sign = dtype == Dtype::f32 ? 0x80000000u : 0x8000u;
  return (bits & sign) != 0 ? -static_cast<int64_t>(bits & ~sign) - 1 : static_cast<int64_t>(bits);
}
uint32_t BitsOf(Dtype dtype, int64_t key) {
  const uint32_t sign = dtype == Dtype::f32 ? 0x80000000u : 0x8000u;
  return key < 0 ? sign | static_cast<uint32_t>(-key - 1) : static_cast<uint32_t>(key);
}

class Inquiry {
 public:
  Inquiry(Player& player, const Failure& failure) : player_(player), failure_(failure) {}

  Result<Spelling> Elements() {
    Verdict verdict = player_.Ask();
    if (!FailsAlike(verdict)) return Error{"it does not fail in the same way again"};
    while (FailsAlike(verdict)) {
      if (repaired_.size() >= kMostRepairs) return TooMany();
      const auto place = Repair(verdict.failure);
      if (!place) return place.error();
      repaired_.push_back({*place, NameOfComparison(verdict.failure)});
      verdict = player_.Ask();
    }
    Spelling spelling;
    const size_t shown = std::min(repaired_.size(), kMostElements);
    for (size_t n = 0; n < shown; ++n) {
      auto expectation = Expect(repaired_[n].place, repaired_[n].where);
      if (!expectation) return expectation.error();
      spelling.expectations.push_back(std::move(*expectation));
    }
    spelling.more = repaired_.size() - shown;
    return spelling;
  }

  /// Where no right value is to be had, because NaN is compared with NaN, say: the elements whose
  /// NaN the law minds.
  Result<Spelling> Numbers() {
    std::vector<Place> nans;
    for (const Place& at : Candidates()) {
      if (!IsNan(DtypeAt(at), Get(at))) continue;
      nans.push_back(at);
      Put(at, 0);
    }
    const auto has_nan = [&] {
      const Verdict verdict = player_.Ask();
      return FailsAlike(verdict) && verdict.failure.kind == kind::kNan;
    };
    if (has_nan()) return Error{"it fails at " + failure_.where + " whatever is there"};
    Spelling spelling;
    for (const Place& at : nans) {
      if (player_.asked() > kMostQuestions) return TooMany();
      Put(at, Encode(DtypeAt(at), std::numeric_limits<double>::quiet_NaN()));
      const Verdict verdict = player_.Ask();
      Put(at, 0);
      if (!FailsAlike(verdict) || verdict.failure.kind != kind::kNan) continue;
      if (spelling.expectations.size() >= kMostElements) {
        ++spelling.more;
        continue;
      }
      spelling.expectations.push_back(
          {.kind = Expectation::Kind::a_number, .where = verdict.failure.where, .place = at});
    }
    if (spelling.expectations.empty()) return Error{"no number by itself makes it fail"};
    return spelling;
  }

 private:
  struct Repaired {
    Place place;
    std::string where;
  };

  static Error TooMany() {
    return Error{"too many numbers fail to be spelled out; shrink it first: padproof minimize"};
  }

  bool FailsAlike(const Verdict& verdict) const {
    return verdict.outcome == Outcome::fails && verdict.failure.region == failure_.region;
  }

  bool FailsAt(const std::string& where) {
    const Verdict verdict = player_.Ask();
    return FailsAlike(verdict) && NameOfComparison(verdict.failure) == where;
  }

  // ---- numbers of recorded calls ----
  Dtype DtypeAt(const Place& at) const {
    const bool lse = std::string_view(TensorFields()[at.field].name) == "lse";
    return lse ? Dtype::f32 : player_.calls()[at.call].args.dtype;
  }
  uint32_t Get(const Place& at) const {
    const RecordedTensor& tensor = player_.calls()[at.call].tensors[at.field];
    uint32_t bits = 0;
    std::memcpy(&bits, tensor.after.data() + at.offset * tensor.element, tensor.element);
    return bits;
  }
  void Put(const Place& at, uint32_t bits) {
    RecordedTensor& tensor = player_.calls()[at.call].tensors[at.field];
    std::memcpy(tensor.after.data() + at.offset * tensor.element, &bits, tensor.element);
  }
  double Value(const Place& at) const { return Decode(DtypeAt(at), Get(at)); }

  /// Every element of this failure's tensor that a call wrote, those of late calls first.
  std::vector<Place> Candidates() const {
    std::vector<Place> places;
    for (size_t call = player_.calls().size(); call-- > 0;) {
      const RecordedCall& recorded = player_.calls()[call];
      for (size_t field = 0; field < TensorFields().size(); ++field) {
        if (!recorded.Writes(TensorFields()[field]) || !IsNamed(TensorFields()[field])) continue;
        const RecordedTensor& tensor = recorded.tensors[field];
        const size_t count = tensor.after.size() / tensor.element;
        for (size_t offset = 0; offset < count; ++offset) places.push_back({call, field, offset});
      }
    }
    return places;
  }
  /// "pad dk" and "empty out" are about dk and out.
  bool IsNamed(const TensorField& field) const {
    return failure_.region.substr(failure_.region.rfind(' ') + 1) == field.region;
  }

  // ---- questions ----

  /// Which element the law complains of: the one whose change changes what it says.
  Result<Place> Accused(const Failure& said, double right) {
    const auto got = NumberIn(said.got);
    for (const Place& at : Candidates()) {
      if (got && !Near(Value(at), *got)) continue;
      const uint32_t bits = Get(at), other = Encode(DtypeAt(at), right);
      if (other == bits) continue;
      Put(at, other);
      const Verdict verdict = player_.Ask();
      const bool heard = !FailsAlike(verdict) || verdict.failure.got != said.got ||
                         NameOfComparison(verdict.failure) != NameOfComparison(said);
      Put(at, bits);
      if (heard) return at;
    }
    return Error{"'" + said.where + "' is not one number that a call wrote"};
  }

  /// Gives the accused element a value that the law accepts, hint by hint.
  Result<Place> Repair(const Failure& said) {
    auto right = NumberIn(said.expected);
    if (!right) return Error{"it does not say which number is right: '" + said.expected + "'"};
    const auto place = Accused(said, *right);
    if (!place) return place.error();
    for (int hint = 0; hint < kMostHints && right; ++hint) {
      Put(*place, Encode(DtypeAt(*place), *right));
      const Verdict verdict = player_.Ask();
      if (!FailsAlike(verdict) || NameOfComparison(verdict.failure) != NameOfComparison(said)) {
        return *place;
      }
      right = NumberIn(verdict.failure.expected);
    }
    return Error{"no number satisfies it at " + said.where};
  }

  /// The last key from `inside`, which is accepted, towards `outside`.
  int64_t Edge(const Place& at, const std::string& where, int64_t inside, int64_t outside) {
    const Dtype dtype = DtypeAt(at);
    const auto accepted = [&](int64_t key) {
      Put(at, BitsOf(dtype, key));
      return !FailsAt(where);
    };
    if (accepted(outside)) return outside;
    while (std::abs(outside - inside) > 1) {
      const int64_t middle = inside + (outside - inside) / 2;
      (accepted(middle) ? inside : outside) = middle;
    }
    return inside;
  }

  /// The other element that decides what is right at `at`, if there is one.
  Result<std::optional<Place>> Partner(const Place& at, const std::string& where) {
    std::optional<Place> found;
    for (const Place& other : Candidates()) {
      if (other == at) continue;
      if (player_.asked() > kMostQuestions) return TooMany();
      const uint32_t bits = Get(other);
      const Dtype dtype = DtypeAt(other);
      const double nan = std::numeric_limits<double>::quiet_NaN();
      Put(other, Encode(dtype, IsNan(dtype, bits) ? 0 : nan));
      const bool matters = FailsAt(where);
      Put(other, bits);
      if (!matters) continue;
      if (found) return Error{"it judges " + where + " by several other numbers"};
      found = other;
    }
    return found;
  }

  Result<Expectation> Expect(const Place& at, const std::string& where) {
    Expectation expectation{.where = where, .place = at};
    const auto partner = Partner(at, where);
    if (!partner) return partner.error();
    const uint32_t bits = Get(at);
    const Dtype dtype = DtypeAt(at);
    if (IsNan(dtype, bits)) {
      expectation.kind = *partner ? Expectation::Kind::same : Expectation::Kind::is_nan;
      if (*partner) expectation.partner = **partner;
      return expectation;
    }
    const int64_t infinity = KeyOf(dtype, Encode(dtype, HUGE_VAL));
    const int64_t key = KeyOf(dtype, bits);
    const int64_t low = Edge(at, where, key, -infinity - 1), high = Edge(at, where, key, infinity);
    Put(at, bits);
    expectation.low = Decode(dtype, BitsOf(dtype, low));
    expectation.high = Decode(dtype, BitsOf(dtype, high));
    expectation.positive_zero = low == 0;
    if (*partner) RelateTo(**partner, low == high, expectation);
    return expectation;
  }

  void RelateTo(const Place& partner, bool exact, Expectation& expectation) const {
    const double other = Value(partner);
    expectation.partner = partner;
    if (expectation.low == other && expectation.high == other) {
      expectation.kind = exact ? Expectation::Kind::same : Expectation::Kind::equal;
      return;
    }
    expectation.kind = Expectation::Kind::apart;
    expectation.low -= other;
    expectation.high -= other;
  }

  Player& player_;
  const Failure& failure_;
  std::vector<Repaired> repaired_;
};

bool SameInputs(const RecordedCall& a, const RecordedCall& b) {
  if (a.backward != b.backward || a.integer_arrays != b.integer_arrays) return false;
  for (size_t f = 0; f < TensorFields().size(); ++f) {
    if (!a.Writes(TensorFields()[f]) && a.tensors[f].before != b.tensors[f].before) return false;
  }
  return true;
}

/// Keeps the calls that the expectations are about. Where two of them were given the same, what
/// matters is what lay between: all of that is kept.
void KeepWhatMatters(const std::vector<RecordedCall>& all, Spelling& spelling) {
  std::vector<bool> keep(all.size(), false);
  const auto is_pair = [](const Expectation& e) { return e.kind >= Expectation::Kind::same; };
  for (const Expectation& e : spelling.expectations) {
    keep[e.place.call] = true;
    if (!is_pair(e)) continue;
    keep[e.partner.call] = true;
    const auto [first, last] = std::minmax(e.place.call, e.partner.call);
    if (SameInputs(all[first], all[last])) {
      std::fill(keep.begin() + static_cast<std::ptrdiff_t>(first),
                keep.begin() + static_cast<std::ptrdiff_t>(last), true);
    }
  }
  std::vector<size_t> number(all.size(), 0);
  for (size_t call = 0; call < all.size(); ++call) {
    if (!keep[call]) continue;
    number[call] = spelling.calls.size();
    spelling.calls.push_back(all[call]);
  }
  for (Expectation& e : spelling.expectations) {
    e.place.call = number[e.place.call];
    if (is_pair(e)) e.partner.call = number[e.partner.call];
  }
}

}  // namespace

Result<Spelling> SpellOut(const Property& law, const KernelRow& kernel, const Case& c,
                          const InFlight& in_flight) {
  using Kind = Spelling::Kind;
  if (kernel.device != nullptr) return Error{"it runs on a device: spell its row on the host"};
  Player player(law, kernel, c);
  player.before_call = [&](const RecordedCall& call) {
    if (in_flight) in_flight({.kind = Kind::returns, .calls = {call}});
  };
  const Verdict verdict = player.Ask();
  if (verdict.outcome != Outcome::fails || player.calls().empty()) {
    return Error{"it does not fail, or without a call"};
  }
  if (!player.knows_all_fields()) {
    return Error{"AttentionArgs has a field that harness/spell/recorded_call.cc does not list"};
  }
  const Failure& failure = verdict.failure;
  if (failure.where.find(" gap ") != std::string::npos) {
    return Error{"a write into a gap between rows is not spelled"};
  }
  Spelling spelling{.failure = failure};
  const bool guard = failure.kind == kind::kGuard, input = failure.kind == kind::kInput;
  const bool refused = player.calls().back().status.code != StatusCode::ok;
  if (guard || input || refused) {
    spelling.kind = guard ? Kind::guards : input ? Kind::inputs : Kind::launch;
    spelling.calls = player.calls();
    return spelling;
  }
  const std::vector<RecordedCall> recorded = player.calls();
  auto elements = Inquiry(player, failure).Elements();
  if (!elements && failure.kind == kind::kNan) {
    player.calls() = recorded;
    elements = Inquiry(player, failure).Numbers();
  }
  if (!elements) return elements;
  elements->failure = failure;
  KeepWhatMatters(player.calls(), *elements);
  return elements;
}

}  // namespace padproof
