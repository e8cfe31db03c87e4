#include "reference/emulation/climb.h"

#include <cmath>
#include <sstream>
#include <vector>

#include "reference/emulation/families.h"
#include "reference/emulation/variants.h"

namespace padproof::reference {
namespace {

// Targets in printed starts; the names for people have blanks.
constexpr std::array<std::string_view, kTargets> kSpelled{
    "o",     "lse",       "row_sum",   "dq",        "dk",           "dv",          "dbias",
    "dsink", "stored_dq", "stored_dk", "stored_dv", "stored_dbias", "stored_dsink"};

const NamedKernel& DrawKernel(Random& random, const ClimbStart& start) {
  const auto kernels = EmulatedKernels();
  for (;;) {
    const NamedKernel& kernel = kernels[random.Below(static_cast<uint32_t>(kernels.size()))];
    if (!kernel.dtypes.Has(start.dtype)) continue;
    if (start.target >= Target::stored_dq && kernel.emulation.autograd) continue;
    return kernel;
  }
}

bool HasTarget(const Head& head, Target target) {
  if (target == Target::dbias || target == Target::stored_dbias) return !head.bias.empty();
  if (target == Target::dsink || target == Target::stored_dsink) return !head.sink.empty();
  return true;
}

double RatioOf(const Emulation& e, const NumericsProfile& profile, const Head& head,
               Target target) {
  Ratios ratios;
  if (target == Target::row_sum) {
    JudgeRowSum(e, profile, head, 1, ratios);
  } else if (target == Target::o || target == Target::lse) {
    JudgeForward(e, profile, head, 1, ratios);
  } else {
    JudgeBackward(e, profile, head, 1, ratios);
  }
  return ratios.of(target);
}

}  // namespace

Head WildHead(Random& random, Dtype dtype) {
  Head head;
  head.dtype = dtype;
  head.len_q = random.Between(1, 3);
  head.len_k = random.Between(1, 8);
  head.dim = head.dim_v = random.Between(1, 4);
  head.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(head.dim)));
  for (int i = 0; i < head.len_q; ++i) head.visible.push_back({0, random.Between(0, head.len_k)});
  const auto fill = [&](std::vector<double>& m, int rows, int spread) {
    for (int at = 0; at < rows * head.dim; ++at) {
      const double x = static_cast<double>(random.Between(-4096, 4096)) / 2048;
      m.push_back(
          Decode(head.dtype, Encode(head.dtype, std::ldexp(x, random.Between(-spread, 2)))));
    }
  };
  const int spread = random.OneOf({0, 3, 14, 126});
  fill(head.q, head.len_q, spread);
  fill(head.k, head.len_k, spread);
  fill(head.v, head.len_k, spread);
  fill(head.d_o, head.len_q, spread);
  return head;
}

void Tweak(Head& head, Random& random) {
  std::vector<double>* all[] = {&head.q, &head.k, &head.v, &head.d_o, &head.bias, &head.sink};
  std::vector<std::vector<double>*> some;
  for (std::vector<double>* each : all) {
    if (!each->empty()) some.push_back(each);
  }
  std::vector<double>& m = *some[random.Below(static_cast<uint32_t>(some.size()))];
  double& x = m[random.Below(static_cast<uint32_t>(m.size()))];
  switch (random.Below(6)) {
    case 0:
      x = -x;
      break;
    case 1:
      x *= 2;
      break;
    case 2:
      x /= 2;
      break;
    case 3:
      x = m[random.Below(static_cast<uint32_t>(m.size()))];
      break;
    case 4:
      x *= std::ldexp(1.0, random.Between(-20, 20));
      break;
    default:
      x *= 1 + static_cast<double>(random.Between(-64, 64)) / 1024;
      break;
  }
  x = Decode(head.dtype, Encode(head.dtype, x));
  if (!std::isfinite(x)) x = 1;
}

Climb ClimbFrom(const ClimbStart& start, int steps) {
  Random random(HashOf({start.seed, static_cast<uint64_t>(start.target)}));
  const NamedKernel& kernel = DrawKernel(random, start);
  const Emulation& e = kernel.emulation;
  const NumericsProfile profile =
      start.seed % 2 == 0 ? ProfileOf(e, start.dtype) : ProfileInOrder(e, start.dtype);
  return ClimbWith(kernel, profile, start, steps);
}

Climb ClimbWith(const NamedKernel& kernel, const NumericsProfile& profile, const ClimbStart& start,
                int steps) {
  Random random(HashOf(
      {static_cast<uint64_t>(start.target), static_cast<uint64_t>(start.dtype), start.seed}));
  Climb climb;
  climb.kernel = kernel.emulation.name;
  Head head;
  if (random.Chance(60)) {
    head = WildHead(random, start.dtype);
    climb.inputs = "wild";
  } else {
    const Family family = static_cast<Family>(random.Below(kFamilies));
    const HeadShape shape{random.Between(1, 3), random.Between(1, 20), random.Between(1, 8),
                          start.dtype};
    head = HeadOf(family, shape, random.Next());
    climb.inputs = NameOf(family);
  }
  if (start.variants) {
    const Head plain = std::move(head);
    do {
      Decorate(head = plain, random);
    } while (!HasTarget(head, start.target));
    climb.inputs += " variants";
  }
  climb.best = RatioOf(kernel.emulation, profile, head, start.target);
  climb.evaluations = 1;
  for (int step = 0; step < steps; ++step) {
    Head next = head;
    for (int changes = random.Between(1, 2); changes > 0; --changes) Tweak(next, random);
    const double there = RatioOf(kernel.emulation, profile, next, start.target);
    ++climb.evaluations;
    if (there < climb.best) continue;
    climb.best = there;
    head = std::move(next);
  }
  return climb;
}

std::string Print(const ClimbStart& start) {
  std::ostringstream text;
  text << kSpelled[static_cast<size_t>(start.target)] << ' ' << padproof::NameOf(start.dtype) << ' '
       << start.seed << (start.variants ? " variants" : "");
  return text.str();
}

bool Parse(const std::string& text, ClimbStart& start) {
  std::istringstream in(text);
  std::string target, dtype;
  if (!(in >> target >> dtype >> start.seed)) return false;
  std::string variants;
  start.variants = static_cast<bool>(in >> variants);
  if (start.variants && variants != "variants") return false;
  bool target_found = false, dtype_found = false;
  for (size_t t = 0; t < kSpelled.size(); ++t) {
    if (kSpelled[t] != target) continue;
    start.target = static_cast<Target>(t);
    target_found = true;
  }
  for (Dtype each : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    if (padproof::NameOf(each) != dtype) continue;
    start.dtype = each;
    dtype_found = true;
  }
  return target_found && dtype_found;
}

}  // namespace padproof::reference
