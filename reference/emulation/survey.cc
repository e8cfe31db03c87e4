#include "reference/emulation/survey.h"

#include <algorithm>
#include <atomic>
#include <sstream>
#include <thread>

#include "reference/emulation/variants.h"

namespace padproof::reference {
namespace {

constexpr size_t kMostViolators = 20;

/// Lengths crowd where tiles end and sums change their shape; one run in 25 is long.
int DrawLength(Random& random, bool backward) {
  if (random.Chance(4)) return random.OneOf({1024, backward ? 1024 : 2048, backward ? 1024 : 4096});
  switch (random.Below(4)) {
    case 0:
      return random.Between(1, 20);
    case 1:
      return random.OneOf({16, 32, 64, 128}) + random.Between(-1, 1);
    case 2:
      return random.Between(1, backward ? 64 : 257);
    default:
      return random.OneOf({1, 2, 3, 17, 48, 100, backward ? 96 : 256, backward ? 128 : 257});
  }
}

HeadShape DrawShape(Random& random, bool backward) {
  HeadShape shape;
  shape.n = DrawLength(random, backward);
  shape.dim = random.OneOf({8, 16, 32, 64, 128});
  shape.dtype = random.OneOf({Dtype::f32, Dtype::f16, Dtype::bf16});
  shape.len_q = backward ? random.Between(1, shape.n >= 1024 ? 2 : 40) : shape.n >= 1024 ? 1 : 2;
  if (backward && random.Chance(70)) shape.len_q = std::min(shape.len_q, 4);
  return shape;
}

}  // namespace

std::string Print(const Attack& run) {
  std::ostringstream text;
  text << run.kernel->emulation.name << ' ' << NameOf(run.family) << ' '
       << padproof::NameOf(run.shape.dtype) << ' ' << (run.backward ? "backward" : "forward") << ' '
       << run.shape.len_q << ' ' << run.shape.n << ' ' << run.shape.dim << ' ' << run.seed
       << (run.variants ? " variants" : "");
  return text.str();
}

bool Parse(const std::string& text, Attack& run) {
  std::istringstream in(text);
  std::string kernel, family, dtype, direction;
  in >> kernel >> family >> dtype >> direction >> run.shape.len_q >> run.shape.n >> run.shape.dim >>
      run.seed;
  if (!in) return false;
  std::string variants;
  run.variants = static_cast<bool>(in >> variants);
  if (run.variants && variants != "variants") return false;
  run.kernel = FindEmulatedKernel(kernel);
  run.backward = direction == "backward";
  bool found = run.kernel != nullptr && (run.backward || direction == "forward");
  bool family_found = false, dtype_found = false;
  for (int f = 0; f < kFamilies; ++f) {
    if (NameOf(static_cast<Family>(f)) != family) continue;
    run.family = static_cast<Family>(f);
    family_found = true;
  }
  for (Dtype each : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    if (padproof::NameOf(each) != dtype) continue;
    run.shape.dtype = each;
    dtype_found = true;
  }
  return found && family_found && dtype_found && run.shape.len_q >= 0 && run.shape.n >= 0 &&
         run.shape.dim > 0;
}

Ratios Judge(const Attack& run) {
  const Emulation& e = run.kernel->emulation;
  const NumericsProfile profile =
      run.seed % 2 == 0 ? ProfileOf(e, run.shape.dtype) : ProfileInOrder(e, run.shape.dtype);
  Head head = HeadOf(run.family, run.shape, run.seed);
  if (run.variants) {
    Random random(run.seed);
    Decorate(head, random);
  }
  Ratios ratios;
  if (run.backward) {
    JudgeBackward(e, profile, head, run.seed, ratios);
    return ratios;
  }
  JudgeForward(e, profile, head, run.seed, ratios);
  if (run.shape.n <= 4 * run.shape.dim) JudgeRowSum(e, profile, head, run.seed, ratios);
  return ratios;
}

std::vector<Attack> RunsOfHead(uint64_t seed, int64_t index, bool backward) {
  Random random(HashOf({seed, static_cast<uint64_t>(index), backward ? 1u : 0u}));
  Attack run;
  run.family = static_cast<Family>(index % kFamilies);
  run.shape = DrawShape(random, backward);
  run.seed = random.Next() >> 32;
  run.backward = backward;
  run.variants = random.Chance(50);
  std::vector<const NamedKernel*> able;
  for (const NamedKernel& kernel : EmulatedKernels()) {
    if (kernel.dtypes.Has(run.shape.dtype)) able.push_back(&kernel);
  }
  std::vector<Attack> runs;
  for (int k = 0; k < kRunsOfHead; ++k) {
    const size_t at = static_cast<size_t>(k) +
                      random.Below(static_cast<uint32_t>(able.size()) - static_cast<uint32_t>(k));
    std::swap(able[static_cast<size_t>(k)], able[at]);
    run.kernel = able[static_cast<size_t>(k)];
    runs.push_back(run);
  }
  return runs;
}

void Survey::Add(const Attack& run, const Ratios& ratios) {
  ++runs;
  long_runs += run.shape.n >= 1024;
  elements += ratios.elements;
  auto& row = worst[static_cast<size_t>(run.family)][static_cast<size_t>(run.shape.dtype)];
  for (size_t t = 0; t < row.size(); ++t) row[t] = std::max(row[t], ratios.worst[t]);
  if (ratios.largest() <= 1) return;
  ++violations;
  if (violators.size() < kMostViolators) violators.push_back(Print(run));
}

void Survey::Add(const Survey& other) {
  runs += other.runs;
  long_runs += other.long_runs;
  elements += other.elements;
  violations += other.violations;
  for (size_t f = 0; f < worst.size(); ++f) {
    for (size_t d = 0; d < 3; ++d) {
      for (size_t t = 0; t < kTargets; ++t) {
        worst[f][d][t] = std::max(worst[f][d][t], other.worst[f][d][t]);
      }
    }
  }
  for (const std::string& violator : other.violators) {
    if (violators.size() < kMostViolators) violators.push_back(violator);
  }
}

void InParallel(int64_t count, int jobs, const std::function<bool(int64_t index, int job)>& work) {
  std::atomic<int64_t> next = 0;
  std::vector<std::thread> threads;
  for (int job = 0; job < jobs; ++job) {
    threads.emplace_back([&, job] {
      while (true) {
        const int64_t index = next++;
        if (index >= count || !work(index, job)) return;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

Survey SurveyOf(uint64_t seed, int64_t runs, bool backward, int jobs) {
  std::vector<Survey> parts(static_cast<size_t>(jobs));
  InParallel((runs + kRunsOfHead - 1) / kRunsOfHead, jobs, [&](int64_t index, int job) {
    for (const Attack& run : RunsOfHead(seed, index, backward)) {
      parts[static_cast<size_t>(job)].Add(run, Judge(run));
    }
    return true;
  });
  Survey all;
  for (const Survey& part : parts) all.Add(part);
  return all;
}

}  // namespace padproof::reference
