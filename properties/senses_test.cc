// What each law sees: one wrong element at either end of a tensor, in a kernel that is right
// otherwise. A law that stops looking at a tensor, at the last sequence, head, row or column, or at
// the second of its runs, changes a line of a table below.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "harness/case/generate.h"
#include "harness/drivers/kernel_info.h"
#include "harness/judge/problem.h"
#include "harness/judge/property.h"
#include "properties/testing/eager_kernel.h"

namespace padproof {
namespace {

enum class Region { real, pads, before_begin, past_end };

/// One element of one tensor and what becomes of it in every call, or in every one but the first.
struct Slip {
  Operand op;
  Region region;
  bool last;
  bool later_calls;
  float (*change)(float before, float after);
};

const Slip* slip = nullptr;  // null: the kernel is right
std::array<int, 2> calls;    // so far, forward and backward

const Tensor& TensorOf(const AttentionArgs& a, Operand op) {
  switch (op) {
    case Operand::q:
      return a.q;
    case Operand::k:
      return a.k;
    case Operand::v:
      return a.v;
    case Operand::o:
      return a.o;
    case Operand::lse:
      return a.lse;
    case Operand::d_o:
      return a.d_o;
    case Operand::dq:
      return a.dq;
    case Operand::dk:
      return a.dk;
    default:
      return a.dv;
  }
}

/// The first or the last real or padded element of the tensor, or the one beside it; null if there
/// is none.
float* ElementOf(const AttentionArgs& a) {
  const Tensor& t = TensorOf(a, slip->op);
  if (t.data == nullptr) return nullptr;
  const bool queries = HasQueryRows(slip->op);
  std::vector<float*> elements;
  for (int b = 0; b < t.size[0]; ++b) {
    const int first = (queries ? a.leftpad_q : a.leftpad_k)[b];
    const int end = first + (queries ? a.seqused_q : a.seqused_k)[b];
    for (int h = 0; h < t.size[1]; ++h) {
      for (int slot = 0; slot < t.size[2]; ++slot) {
        const bool real = slot >= first && slot < end;
        if (slip->region == (real ? Region::pads : Region::real)) continue;
        for (int d = 0; d < t.size[3]; ++d) elements.push_back(&At(t, b, h, slot, d));
      }
    }
  }
  if (elements.empty()) return nullptr;
  if (slip->region == Region::before_begin) return elements.front() - 1;
  if (slip->region == Region::past_end) return elements.back() + 1;
  return slip->last ? elements.back() : elements.front();
}

template <bool backward>
Status Slipping(const AttentionArgs& a) {
  const KernelRow right = EagerRow(true);
  const int call = ++calls[backward];
  float* element = slip != nullptr && (!slip->later_calls || call > 1) ? ElementOf(a) : nullptr;
  const float before = element != nullptr ? *element : 0;
  const Status status = (backward ? right.backward : right.forward)(a);
  if (element == nullptr) return status;
  const float after = slip->change(before, *element);
  if (std::memcmp(&after, element, sizeof after) != 0) *element = after;
  return status;
}

KernelRow SlippingRow() {
  KernelRow row = EagerRow(true);
  row.backend = "simt";  // laws about schedules ask it too; it has one order, whatever is asked for
  row.traits.returns_lse = 1;
  row.traits.recomputes_forward = 1;
  row.traits.promises.empty_lse = EmptyLse::plus_infinity;
  row.forward = Slipping<false>;
  row.backward = Slipping<true>;
  return row;
}

/// Two sequences, two heads, pads; bent to what the law needs.
Case CaseFor(const Property& law, const KernelRow& row, uint64_t n) {
  Case c = *Parse("lens_q=3,2 lens_k=4,3 pad_q=1 pad_k=1 heads=2 dim=2 fill=noise backward=true");
  c.seed = n;
  Random random(HashOf({HashOf(law.name), n}));
  PrepareFor(law, c, row.traits, random);
  const KernelInfo info{
      .backend = row.backend, .traits = row.traits, .has_forward = true, .has_backward = true};
  return Fit(DomainOf(info), c);
}

constexpr uint64_t kCases = 6;

bool Fails(const Property& law, const KernelRow& row, const Slip* with, uint64_t cases = kCases) {
  for (uint64_t n = 0; n < cases; ++n) {
    slip = with;
    calls = {};
    const Outcome outcome = Judge(law, row, CaseFor(law, row, n)).outcome;
    slip = nullptr;
    if (outcome == Outcome::fails) return true;
  }
  return false;
}

/// Whether both ends of the region are seen.
bool Sees(const Property& law, const KernelRow& row, Slip wanted, uint64_t cases) {
  for (bool last : {false, true}) {
    bool seen = false;
    for (bool later : {false, true}) {
      wanted.last = last;
      wanted.later_calls = later;
      seen = seen || Fails(law, row, &wanted, cases);
    }
    if (!seen) return false;
  }
  return true;
}

constexpr std::array kInputs{Operand::q, Operand::k, Operand::v, Operand::d_o};
constexpr std::array kOutputs{Operand::o, Operand::lse, Operand::dq, Operand::dk, Operand::dv};

/// The tensors in which the law sees the change, " out lse", and that it sees nothing without one.
template <class Operands>
std::string SensesOf(const Property& law, const Operands& operands, Region region,
                     float (*change)(float, float), uint64_t cases = kCases) {
  const KernelRow row = SlippingRow();
  EXPECT_FALSE(Fails(law, row, nullptr)) << law.name << " accuses a kernel that is right";
  std::string seen;
  for (Operand op : operands) {
    if (Sees(law, row, {.op = op, .region = region, .change = change}, cases)) {
      seen += std::string(" ") + NameOf(op);
    }
  }
  return seen;
}

std::vector<const Property*> LawsOfTheRow() {
  const KernelRow row = SlippingRow();
  std::vector<const Property*> laws = Properties();
  std::erase_if(laws, [&](const Property* law) {
    return WhyInapplicable(*law, row.backend, row.traits, {true, true}, false) != nullptr;
  });
  return laws;
}

/// A line for each law that sees something in an output.
std::string Senses(Region region, float (*change)(float, float)) {
  std::string text;
  for (const Property* law : LawsOfTheRow()) {
    const std::string seen = SensesOf(*law, kOutputs, region, change);
    if (!seen.empty()) text += law->name + seen + "\n";
  }
  return text;
}

float OneMore(float, float after) { return after + 1; }
float AsItWas(float before, float) { return before; }
float NearZero(float, float) { return 1e-30f; }
float Nan(float, float) { return NAN; }
float NanToNumber(float, float after) { return std::isnan(after) ? 0 : after; }

TEST(Senses, WrongNumbers) {
  EXPECT_EQ(Senses(Region::real, OneMore),
            "batch_independence out lse dq dk dv\n"
            "causal_prefix out lse dq dk dv\n"
            "convex_hull out\n"
            "determinism out lse dq dk dv\n"
            "empty_row out dq\n"
            "fully_written out lse dq dk dv\n"
            "gqa_repeat out lse dq dk dv\n"
            "gradient_agreement dq dk dv\n"
            "gradient_locality dq dk dv\n"
            "head_independence out lse dq dk dv\n"
            "hidden_key_invariance out lse dq\n"
            "history_invariance out lse dq dk dv\n"
            "inputs_unchanged out lse\n"  // O and LSE that the backward has changed
            "key_permutation out lse dq dk dv\n"
            "layout_invariance out lse dq dk dv\n"
            "lse_agreement lse\n"
            "mask_equivalence out lse dq dk dv\n"
            "oracle_agreement out\n"
            "pad_content_invariance out lse dq dk dv\n"
            "pad_count_invariance out lse dq dk dv\n"
            "pad_poison_immunity out lse dq dk dv\n"
            "query_independence out lse\n"
            "row_sums_to_one out\n"
            "schedule_invariance out lse dq dk dv\n"
            "score_shift out lse dq dk dv\n"
            "split_invariance out lse\n"
            "value_symmetry out lse dq dk dv\n");
}

TEST(Senses, NumbersThatAreNotWritten) {
  EXPECT_EQ(SensesOf(*FindProperty("fully_written"), kOutputs, Region::real, AsItWas),
            " out lse dq dk dv");
}

constexpr const char* kSensesOfPads =
    "fully_written out lse dq dk dv\n"
    "pad_gradients_zero dq dk dv\n"
    "pad_outputs_zero out lse\n"
    "schedule_invariance out lse dq dk dv\n";

TEST(Senses, PadsThatAreNearlyZero) { EXPECT_EQ(Senses(Region::pads, NearZero), kSensesOfPads); }

TEST(Senses, PadsThatAreNan) { EXPECT_EQ(Senses(Region::pads, Nan), kSensesOfPads); }

TEST(Senses, PadsThatAreNotWritten) { EXPECT_EQ(Senses(Region::pads, AsItWas), kSensesOfPads); }

TEST(Senses, ChangedInputs) {
  const Property& law = *FindProperty("inputs_unchanged");
  for (Region region : {Region::real, Region::pads}) {
    EXPECT_EQ(SensesOf(law, kInputs, region, OneMore), " q k v dout");
  }
}

TEST(Senses, StoresOutsideOfATensor) {
  const Property& law = *FindProperty("guards_intact");
  for (Region region : {Region::before_begin, Region::past_end}) {
    EXPECT_EQ(SensesOf(law, kOutputs, region, NearZero), " out lse dq dk dv");
    EXPECT_EQ(SensesOf(law, kInputs, region, NearZero), " q k v dout");
  }
}

// 0 * NaN reaches O and dQ in a kernel that multiplies pads by weights of 0.
TEST(Senses, PoisonInPads) {
  KernelRow row = EagerRow(false);
  row.traits.promises.empty_row = EmptyRow::unspecified;
  EXPECT_FALSE(Fails(*FindProperty("pad_content_invariance"), row, nullptr)) << "of numbers";
  row.traits.promises.pad_content = PadContent::any_bits;
  EXPECT_TRUE(Fails(*FindProperty("pad_poison_immunity"), row, nullptr));
}

TEST(Senses, NanTurnedIntoANumber) {
  constexpr uint64_t kManyCases = 60;  // each has one NaN, somewhere
  EXPECT_EQ(SensesOf(*FindProperty("nan_honesty"), kOutputs, Region::real, NanToNumber, kManyCases),
            " out lse dq dk dv");
}

TEST(Senses, LaunchesThatFail) {
  KernelRow row = SlippingRow();
  row.forward = [](const AttentionArgs&) { return Status{StatusCode::failed, "no such grid"}; };
  for (const Property* law : LawsOfTheRow()) EXPECT_TRUE(Fails(*law, row, nullptr)) << law->name;
}

}  // namespace
}  // namespace padproof
