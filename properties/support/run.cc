#include "properties/support/run.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "harness/device/device_call.h"
#include "harness/judge/property.h"
#include "properties/support/dropout.h"
#include "properties/support/launch.h"
#include "reference/attention.h"

namespace padproof {
namespace {

std::string Spell(double x, int digits) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  char text[40];
  std::snprintf(text, sizeof text, "%.*g", digits, x);
  return text;
}

std::optional<Verdict> LaunchBy(const Launcher& launcher, const KernelRow& kernel, Problem& problem,
                                bool backward) {
  AttentionArgs args = problem.Args(backward);
  if (kernel.workspace_bytes != nullptr) {
    args.workspace = problem.PrepareWorkspace(kernel.workspace_bytes(args));
  }
  const Called called = launcher(kernel, problem, args, backward);
  switch (called.code) {
    case StatusCode::ok:
      return std::nullopt;
    case StatusCode::rejected:
      return Verdict::NotApplicable("rejected: " + called.reason);
    case StatusCode::failed:
      break;
  }
  Failure failure;
  failure.kind = kind::kLaunch;
  failure.where = backward ? "backward launch" : "forward launch";
  failure.expected = "ok";
  failure.got = called.reason;
  return Verdict::Fails(failure);
}

/// LSE of queries that see no key, as the row would have stored it.
void StoreEmptyLse(Problem& problem, const KernelTraits& traits) {
  const Case& c = problem.c();
  for (int b = 0; b < c.batch(); ++b) {
    for (int i = 0; i < problem.RealRows(Operand::lse, b); ++i) {
      for (int h = 0; h < c.heads; ++h) {
        if (SeesNothing(c, b, h, i))
          problem.SetReal(Operand::lse, {b, h, i, 0}, EmptyLseOf(traits));
      }
    }
  }
}

/// The pads of O and LSE while a backward reads them: filled on construction, put back after.
class StoredPads {
 public:
  StoredPads(Problem& problem, Fill fill) : problem_(problem) {
    ForEach([&](Operand op, int b, int h, int slot, int d) {
      saved_.push_back(problem_.Bits(op, b, h, slot, d));
    });
    problem_.FillPads(Operand::o, fill);
    problem_.FillPads(Operand::lse, fill);
  }
  ~StoredPads() {
    size_t at = 0;
    ForEach([&](Operand op, int b, int h, int slot, int d) {
      problem_.SetBits(op, b, h, slot, d, saved_[at++]);
    });
  }
  StoredPads(const StoredPads&) = delete;
  StoredPads& operator=(const StoredPads&) = delete;

 private:
  template <class Visit>
  void ForEach(Visit visit) {
    for (Operand op : {Operand::o, Operand::lse}) {
      ForEachPad(problem_, op, [&](int b, int h, int slot, int d) { visit(op, b, h, slot, d); });
    }
  }

  Problem& problem_;
  std::vector<uint32_t> saved_;
};

Failure Mismatch(Operand op, Dtype dtype, const Side& a, const Side& b, uint32_t x, uint32_t y,
                 std::string where) {
  const double expected = Decode(dtype, x), got = Decode(dtype, y);
  auto [e, g] = Numbers(expected, got);
  Failure failure;
  failure.kind = !std::isnan(expected) && std::isnan(got) ? kind::kNan : kind::kValue;
  failure.region = NameOf(op);
  failure.where = std::move(where);
  failure.expected = a.label + ": " + e;
  failure.got = b.label + ": " + g;
  return failure;
}

}  // namespace

namespace {

std::optional<Verdict> RunBy(const Launcher& launcher, const KernelRow& kernel, Problem& problem,
                             Fill stored_pads) {
  const bool backward = problem.c().backward;
  PADPROOF_CHECK(kernel.forward != nullptr || backward);
  PADPROOF_CHECK(kernel.backward != nullptr || !backward);
  if (kernel.forward != nullptr) {
    if (auto verdict = LaunchBy(launcher, kernel, problem, false)) return verdict;
  } else {
    if (auto verdict = KnowDropped(kernel, problem)) return verdict;
    reference::StoreForward(problem);
    if (kernel.traits.promises.empty_lse != EmptyLse::minus_infinity)
      StoreEmptyLse(problem, kernel.traits);
    problem.FillPads(Operand::o, stored_pads);
    problem.FillPads(Operand::lse, stored_pads);
  }
  if (!backward) return std::nullopt;
  // A row that leaves pads of its outputs alone would else read the prefill pattern there, which is
  // NaN and may be more than it promises to stand.
  const bool untouched = kernel.traits.promises.pad_outputs == PadOutputs::untouched &&
                         problem.c().mask_form == MaskForm::lengths;
  if (kernel.forward == nullptr || !untouched) return LaunchBy(launcher, kernel, problem, true);
  const StoredPads pads(problem, stored_pads);
  return LaunchBy(launcher, kernel, problem, true);
}

}  // namespace

std::optional<Verdict> Launch(const KernelRow& kernel, Problem& problem, bool backward) {
  return LaunchBy(Call, kernel, problem, backward);
}

std::optional<Verdict> RunWith(const Launcher& launcher, const KernelRow& kernel,
                               Problem& problem) {
  return RunBy(launcher, kernel, problem, AllowedFill(kernel.traits, problem.c().fill));
}

std::optional<Verdict> RunForBits(const KernelRow& kernel, Problem& problem, Fill stored_pads) {
  return RunBy(Call, kernel, problem, stored_pads);
}

std::optional<Verdict> RunForBits(const KernelRow& kernel, Problem& problem) {
  return RunForBits(kernel, problem, AllowedFill(kernel.traits, problem.c().fill));
}

std::optional<Verdict> Run(const KernelRow& kernel, Problem& problem, Fill stored_pads) {
  if (kernel.forward != nullptr) {
    if (auto verdict = KnowDropped(kernel, problem)) return verdict;
  }
  return RunForBits(kernel, problem, stored_pads);
}

std::optional<Verdict> Run(const KernelRow& kernel, Problem& problem) {
  return Run(kernel, problem, AllowedFill(kernel.traits, problem.c().fill));
}

std::string Where(Operand op, const Index& at) {
  std::string text = NameOf(op);
  text += "[b=" + std::to_string(at.b) + " h=" + std::to_string(at.h);
  text += (HasQueryRows(op) ? " i=" : " j=") + std::to_string(at.i);
  if (op != Operand::lse) text += (HasKeyColumns(op) ? " j=" : " d=") + std::to_string(at.d);
  return text + "]";
}

std::string WherePad(Operand op, int b, int h, int slot, int d) {
  std::string text = std::string("pad ") + NameOf(op);
  text += "[b=" + std::to_string(b) + " h=" + std::to_string(h);
  text += " slot=" + std::to_string(slot);
  if (op != Operand::lse) text += (HasKeyColumns(op) ? " slot_k=" : " d=") + std::to_string(d);
  return text + "]";
}

std::string Number(double x) { return Spell(x, 4); }

std::pair<std::string, std::string> Numbers(double a, double b) {
  for (int digits = 4; digits < 17; ++digits) {
    std::string x = Spell(a, digits), y = Spell(b, digits);
    if (x != y || a == b) return {x, y};
  }
  return {Spell(a, 17), Spell(b, 17)};
}

std::string Extent(int64_t count, int64_t total) {
  return std::to_string(count) + " of " + std::to_string(total) + " elements";
}

bool SameBits(Dtype dtype, uint32_t a, uint32_t b, ZeroSign zero_sign) {
  if (zero_sign == ZeroSign::any && IsZero(dtype, a) && IsZero(dtype, b)) return true;
  return a == b || (IsNan(dtype, a) && IsNan(dtype, b));
}

std::optional<Failure> CompareReal(const Side& expected, const Side& got, Operand op,
                                   ZeroSign zero_sign, const Part& part) {
  const Problem &x = expected.problem, &y = got.problem;
  const Case& c = x.c();
  PADPROOF_CHECK(c.lens_q == y.c().lens_q && c.lens_k == y.c().lens_k);
  PADPROOF_CHECK(x.Heads(op) == y.Heads(op));
  PADPROOF_CHECK(HasKeyColumns(op) || x.Columns(op) == y.Columns(op));
  PADPROOF_CHECK(c.dtype == y.c().dtype);
  const Dtype dtype = x.DtypeOf(op);
  FirstFailure first;
  ForEachRealRow(x, op, [&](Index at) {
    const Problem::StoredRow xs = x.Row(op, at.b, at.h, at.i), ys = y.Row(op, at.b, at.h, at.i);
    for (; at.d < x.RealColumns(op, at.b); ++at.d) {
      if (part && !part(op, at)) continue;
      const uint32_t p = xs[at.d], q = ys[at.d];
      first.Add(SameBits(dtype, p, q, zero_sign),
                [&] { return Mismatch(op, dtype, expected, got, p, q, Where(op, at)); });
    }
  });
  return first.failure();
}

std::optional<Failure> CompareRepeatable(const KernelRow& kernel, const Side& expected,
                                         const Side& got, const Part& part) {
  const Part specified = Specified(kernel.traits, expected.problem.c(), part);
  for (Operand op : RepeatableOutputs(kernel, expected.problem.c())) {
    if (auto failure = CompareReal(expected, got, op, ZeroSign::any, specified)) return failure;
  }
  return std::nullopt;
}

Verdict JudgeRepeatable(const KernelRow& kernel, Problem& expected, const char* expected_label,
                        Problem& got, const std::string& got_label, const Part& part) {
  if (auto verdict = RunForBits(kernel, expected)) return *verdict;
  if (auto verdict = RunForBits(kernel, got)) return *verdict;
  return HoldsUnless(CompareRepeatable(kernel, {expected, expected_label}, {got, got_label}, part));
}

std::optional<Failure> CompareReal(const KernelRow& kernel, const Side& expected, const Side& got) {
  const Case& c = expected.problem.c();
  const bool all = TakesSchedule(kernel.backend);
  const Part specified = Specified(kernel.traits, c);
  for (Operand op : all ? Outputs(kernel, c) : RepeatableOutputs(kernel, c)) {
    if (auto failure = CompareReal(expected, got, op, ZeroSign::any, specified)) return failure;
  }
  return std::nullopt;
}

std::optional<Failure> ComparePads(const KernelTraits& traits, const Side& expected,
                                   const Side& got, Operand op) {
  const Problem &x = expected.problem, &y = got.problem;
  const Case& c = x.c();
  PADPROOF_CHECK(c.lens_q == y.c().lens_q && c.lens_k == y.c().lens_k);
  PADPROOF_CHECK(c.pad_side == y.c().pad_side && x.Bytes(op).size() == y.Bytes(op).size());
  const Dtype dtype = x.DtypeOf(op);
  FirstFailure first;
  const bool all = traits.promises.empty_row != EmptyRow::unspecified;
  ForEachPad(x, op, [&](int b, int h, int slot, int d) {
    if (!all && !IsPromisedAtPads(traits, c, op, b, h)) return;
    const uint32_t p = x.Bits(op, b, h, slot, d), q = y.Bits(op, b, h, slot, d);
    first.Add(SameBits(dtype, p, q), [&] {
      Failure failure = Mismatch(op, dtype, expected, got, p, q, WherePad(op, b, h, slot, d));
      failure.region = std::string("pad ") + NameOf(op);
      return failure;
    });
  });
  return first.failure();
}

std::optional<Failure> FirstFailure::failure() const {
  if (count_ == 0) return std::nullopt;
  Failure failure = failure_;
  failure.extent = Extent(count_, total_);
  return failure;
}

Verdict HoldsUnless(std::optional<Failure> failure) {
  return failure ? Verdict::Fails(std::move(*failure)) : Verdict::Holds();
}

}  // namespace padproof
