// Every rule about a kernel row, by one row that breaks it; and no rule about fields together is
// missing: the generator draws from every row that passes.

#include "harness/judge/row_check.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <vector>

#include "harness/base/random.h"
#include "harness/drivers/loaded_kernels.h"

namespace padproof {
namespace {

Status Nothing(const AttentionArgs&) { return kOk; }

KernelRow GoodRow() {
  return {.name = "good.4x4~an_edit",
          .backend = "cpu",
          .file = "good.cc",
          .summary = "does nothing",
          .source = "",
          .traits = {},
          .forward = Nothing,
          .backward = nullptr,
          .workspace_bytes = nullptr,
          .device = nullptr};
}

struct Rule {
  const char* wrong;
  void (*breaks)(KernelRow& row);
};

#define BREAKS(...)                        \
  [](KernelRow& row) {                     \
    [[maybe_unused]] auto& t = row.traits; \
    __VA_ARGS__;                           \
  }
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

void ExpectEach(const std::vector<Rule>& rules) {
  for (const Rule& rule : rules) {
    KernelRow row = GoodRow();
    rule.breaks(row);
    EXPECT_EQ(WhyWrong(row).rfind(rule.wrong, 0), 0u)
        << "expected: " << rule.wrong << "\ngot: " << WhyWrong(row);
  }
}

TEST(RowCheck, TakesWhatKernelsSay) {
  EXPECT_EQ(WhyWrong(GoodRow()), "");
  KernelRow row = GoodRow();
  row.file = row.summary = row.source = nullptr;
  row.traits = {.dim_max = 1 << 20, .dim_multiple = 256, .page_multiple = 256};
  row.traits.numerics = {.accumulation_factor = 0x1p-29,  // sums in double
                         .tile_keys = 1 << 20,
                         .tensor_block = 32,
                         .tensor_extra_bits = -10,  // FP8 of H100
                         .max_lag = 8};
  EXPECT_EQ(WhyWrong(row), "");
}

TEST(RowCheck, TextsAreLinesAndNamesAreWords) {
  ExpectEach({
      {"name is null; it must be of letters", BREAKS(row.name = nullptr)},
      {"name is ''; it must be of letters", BREAKS(row.name = "")},
      {"name is 'a b'", BREAKS(row.name = "a b")},
      {"name is 'a\\x0ab'", BREAKS(row.name = "a\nb")},
      {"name is 'a*'", BREAKS(row.name = "a*")},
      {"name is 'a,b'", BREAKS(row.name = "a,b")},
      {"name is 'a@cpu'", BREAKS(row.name = "a@cpu")},
      {"name is '~edit'", BREAKS(row.name = "~edit")},
      {"name is 'a~'", BREAKS(row.name = "a~")},
      {"name is 'a~b~c'", BREAKS(row.name = "a~b~c")},
      {"backend is null; it must be cpu, simt or cuda", BREAKS(row.backend = nullptr)},
      {"backend is 'rocm'; it must be cpu, simt or cuda", BREAKS(row.backend = "rocm")},
      {"file is 'a\\x09b'; it must be a line of text", BREAKS(row.file = "a\tb")},
      {"summary is 'two\\x0alines'; it must be a line", BREAKS(row.summary = "two\nlines")},
      {"source is '\\x7f'", BREAKS(row.source = "\x7F")},
  });
}

TEST(RowCheck, SetsNameWhatThereIs) {
  ExpectEach({
      {"dtypes is empty; it must name", BREAKS(t.dtypes = {})},
      {"dtypes has the bits 0x8, which name nothing; there are f32, f16, bf16",
       BREAKS(t.dtypes = {15})},
      {"layouts is empty", BREAKS(t.layouts = {})},
      {"layouts has the bits 0x10", BREAKS(t.layouts = {16})},
      {"strides is empty", BREAKS(t.strides = {})},
      {"strides has the bits 0x40", BREAKS(t.strides = {64})},
      {"masks is empty", BREAKS(t.masks = {})},
      {"masks has the bits 0x20", BREAKS(t.masks = {33})},
      {"pad_sides is empty", BREAKS(t.pad_sides = {})},
      {"pad_sides has the bits 0x10", BREAKS(t.pad_sides = {16})},
      {"mask_forms is empty", BREAKS(t.mask_forms = {})},
      {"mask_forms has the bits 0x8", BREAKS(t.mask_forms = {8})},
      {"biases is empty", BREAKS(t.biases = {})},
      {"biases has the bits 0x80000000", BREAKS(t.biases = {1u << 31})},
      {"features has the bits 0x100", BREAKS(t.features = {256})},
  });
}

TEST(RowCheck, SizesAreInRange) {
  ExpectEach({
      {"dim_max is 0; it must be at least 1", BREAKS(t.dim_max = 0)},
      {"dim_multiple is 0; it must be 1 to 256", BREAKS(t.dim_multiple = 0)},
      {"dim_multiple is 9; it must be 1 to 8", BREAKS(t.dim_max = 8, t.dim_multiple = 9)},
      {"dim_multiple is 512; it must be 1 to 256", BREAKS(t.dim_max = 1024, t.dim_multiple = 512)},
      {"page_multiple is 0; it must be 1 to 256", BREAKS(t.page_multiple = 0)},
      {"page_multiple is 257", BREAKS(t.page_multiple = 257)},
      {"seqlen_k_min is -1; it must be 0 to 4096", BREAKS(t.seqlen_k_min = -1)},
      {"tile_q is 0; it must be 1 to 4096", BREAKS(t.tile_q = 0)},
      {"tile_k is 1073741824", BREAKS(t.tile_k = 1 << 30)},
      {"returns_lse is 5; it must be 0 or 1", BREAKS(t.returns_lse = 5)},
      {"recomputes_forward is -1", BREAKS(t.recomputes_forward = -1)},
  });
}

TEST(RowCheck, PromisesAreNamed) {
  ExpectEach({
      {"pad_content is 9; it must be 0 to 3", BREAKS(t.promises.pad_content = PadContent{9})},
      {"empty_row is 3", BREAKS(t.promises.empty_row = EmptyRow{3})},
      {"pad_outputs is -1", BREAKS(t.promises.pad_outputs = PadOutputs{-1})},
      {"determinism is 3", BREAKS(t.promises.determinism = Determinism{3})},
      {"empty_lse is 3", BREAKS(t.promises.empty_lse = EmptyLse{3})},
      {"head_content is 4", BREAKS(t.promises.head_content = PadContent{4})},
      {"batch_content is 4", BREAKS(t.promises.batch_content = PadContent{4})},
      {"dropout_mask is 2", BREAKS(t.promises.dropout_mask = DropoutMask{2})},
      {"hidden_content is 2", BREAKS(t.promises.hidden_content = HiddenContent{2})},
      {"refusals is 2", BREAKS(t.promises.refusals = Refusals{2})},
      {"bad_input is 2", BREAKS(t.promises.bad_input = BadInput{2})},
      {"output is 2", BREAKS(t.promises.output = OutputOf{2})},
  });
}

TEST(RowCheck, NumericsKeepABoundFinite) {
  ExpectEach({
      {"p_rounding is -1; it must be from 0 to below 1", BREAKS(t.numerics.p_rounding = -1)},
      {"p_underflow is 1;", BREAKS(t.numerics.p_underflow = 1)},
      {"score_rounding is inf", BREAKS(t.numerics.score_rounding = kInfinity)},
      {"qk_scale_rounding is NaN", BREAKS(t.numerics.qk_scale_rounding = -kNan)},
      {"exp_error is NaN", BREAKS(t.numerics.exp_error = kNan)},
      {"operand_rounding is 2", BREAKS(t.numerics.operand_rounding = 2)},
      {"tanh_error is -1", BREAKS(t.numerics.tanh_error = -1)},
      {"accumulation_factor is 0; it must be above 0", BREAKS(t.numerics.accumulation_factor = 0)},
      {"accumulation_factor is NaN", BREAKS(t.numerics.accumulation_factor = kNan)},
      {"accumulation_factor is inf", BREAKS(t.numerics.accumulation_factor = kInfinity)},
      {"max_lag is NaN; it must be 0 to 127", BREAKS(t.numerics.max_lag = kNan)},
      {"tile_keys is 0; it must be at least 1", BREAKS(t.numerics.tile_keys = 0)},
      {"split is 2; it must be 0 or 1", BREAKS(t.numerics.split = 2)},
      {"row_sum_of_rounded_p is 2", BREAKS(t.numerics.row_sum_of_rounded_p = 2)},
      {"tensor_block is -1; it must be at least 0", BREAKS(t.numerics.tensor_block = -1)},
      {"tensor_extra_bits is 65", BREAKS(t.numerics.tensor_extra_bits = 65)},
      {"in_order_keys is -3", BREAKS(t.numerics.in_order_keys = -3)},
      {"expanded_gradients is 2", BREAKS(t.numerics.expanded_gradients = 2)},
      {"directed_rounding is 2", BREAKS(t.numerics.directed_rounding = 2)},
      {"inexact_unit_rescale is 2", BREAKS(t.numerics.inexact_unit_rescale = 2)},
      {"stored_scores is 2", BREAKS(t.numerics.stored_scores = 2)},
  });
}

TEST(RowCheck, FieldsTogetherLeaveACase) {
  ExpectEach({
      {"forward and backward are null; one of them", BREAKS(row.forward = nullptr)},
      {"mask_forms lacks lengths, which layout thd needs",
       BREAKS(t.layouts = SetOf(Layout::thd), t.mask_forms = SetOf(MaskForm::additive))},
      {"forward is null; layout paged alone needs it",
       BREAKS(t.layouts = SetOf(Layout::paged), std::swap(row.forward, row.backward))},
      {"mask_forms lacks lengths, which layout paged",
       BREAKS(t.layouts = SetOf(Layout::paged), t.mask_forms = SetOf(MaskForm::boolean))},
      {"pad_sides lacks right, which layout paged",
       BREAKS(t.layouts = SetOf(Layout::paged), t.pad_sides = SetOf(PadSide::left))},
      {"pad_sides is between alone, which needs layout thd alone",
       BREAKS(t.pad_sides = SetOf(PadSide::between))},
      {"biases lacks none, which mask_form boolean needs",
       BREAKS(t.biases = SetOf(Bias::alibi), t.mask_forms = SetOf(MaskForm::boolean))},
      {"biases lacks none, which a dense bias with layout thd needs",
       BREAKS(t.biases = SetOf(Bias::dense), t.layouts = SetOf(Layout::thd))},
  });
}

template <class E>
Set<E> AnyOf(Random& random) {
  return {static_cast<uint32_t>(random.Next()) & Set<E>::All().bits};
}

KernelRow AnyRow(Random& random) {
  KernelRow row = GoodRow();
  if (random.Chance(50)) row.backward = Nothing;
  if (random.Chance(50)) row.forward = nullptr;
  KernelTraits& t = row.traits;
  t.dtypes = AnyOf<Dtype>(random);
  t.layouts = AnyOf<Layout>(random);
  t.strides = AnyOf<Strides>(random);
  t.masks = AnyOf<Mask>(random);
  t.pad_sides = AnyOf<PadSide>(random);
  t.mask_forms = AnyOf<MaskForm>(random);
  t.biases = AnyOf<Bias>(random);
  t.features = AnyOf<Feature>(random);
  t.dim_max = random.OneOf({0, 1, 7, 64, 256, 1 << 20});
  t.dim_multiple = random.OneOf({0, 1, 3, 64, 256, 512});
  t.page_multiple = random.OneOf({0, 1, 16, 256, 512});
  t.tile_q = random.OneOf({1, 16, 4096});
  t.tile_k = random.OneOf({1, 64, 4096});
  return row;
}

TEST(RowCheck, TheGeneratorDrawsFromEveryRowThatPasses) {
  Random random(1);
  int passed = 0;
  for (int n = 0; n < 100000; ++n) {
    const KernelRow row = AnyRow(random);
    if (!WhyWrong(row).empty()) continue;
    ++passed;
    const Domain domain = DomainOf(Describe(row, ""));
    for (int size : {0, 20, 100}) EXPECT_TRUE(IsWithin(domain, Generate(domain, random, size)));
  }
  EXPECT_GT(passed, 2000);
}

}  // namespace
}  // namespace padproof
