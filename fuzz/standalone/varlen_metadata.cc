// varlen_metadata: lengths, left pads, offsets and pages that say something else than the case, on
// the kernels that promise to refuse wrong ones. Numbers that lead out of a buffer must be refused
// with nothing written; if they are right all the same, the sequences that they leave alone must
// give the same bits. A read out of bounds on the way is the sanitizer's to report.
//
//   flash_fwd.varlen@simt lens_q=2,3 lens_k=4,1 layout=thd dim=1 | cu_seqlens_k[1]=-1
//   seqused_k[0]=9

#include <algorithm>
#include <climits>
#include <string>

#include "fuzz/support/callable.h"
#include "fuzz/support/counters.h"
#include "fuzz/support/finding.h"
#include "fuzz/support/text.h"
#include "harness/case/mutate.h"
#include "harness/judge/problem.h"
#include "harness/judge/property.h"

namespace padproof {
namespace {

constexpr const char* kLaw = "bad_input_refused";
constexpr size_t kMostEdits = 4;

struct Input {
  const Callable* kernel = nullptr;
  Case c;
  MetadataEdits edits;
};

const Property& Law() {
  static const Property* law = FindProperty(kLaw);
  if (law == nullptr) Refuse(std::string("no law is called ") + kLaw);
  return *law;
}

const std::vector<Callable>& Kernels() {
  static const std::vector<Callable> kernels = CallableKernels("*@simt", [](const KernelRow& row) {
    return row.traits.promises.bad_input == BadInput::refused;
  });
  return kernels;
}

std::string Print(const Input& input) {
  return input.kernel->info.id + " " + Print(input.c) + " | " + Print(input.edits);
}

/// Kernel null: the line is no input of this target.
Input InputOf(const std::string& line) {
  const size_t first = line.find_first_not_of(" \t"), bar = line.find('|');
  if (bar == std::string::npos || first == bar) return {};
  const size_t blank = std::min(line.find(' ', first), bar);
  const Callable* kernel = FindCallable(Kernels(), line.substr(first, blank - first));
  const auto c = Parse(line.substr(blank, bar - blank));
  const auto edits = ParseMetadataEdits(line.substr(bar + 1));
  if (kernel == nullptr || !c || !edits) return {};
  return {kernel, *c, *edits};
}

/// A number that checks forget: the edges of its type, of its buffer and of its neighbours.
int32_t Unexpected(const AttentionArgs& args, Metadata array, int at, Random& random) {
  AttentionArgs copy = args;
  const int32_t* numbers = ArrayOf(copy, array);
  const int size = SizeOf(args, array);
  const int32_t now = numbers[at], other = numbers[random.Below(static_cast<uint32_t>(size))];
  const int32_t edge =
      random.OneOf({args.seqlen_q, args.seqlen_k, args.batch, args.page_size,
                    static_cast<int32_t>(args.q.size[2]), static_cast<int32_t>(args.k.size[0]),
                    static_cast<int32_t>(args.k.size[2])});
  const int64_t near = int64_t{random.OneOf({now, other, edge})} + random.Between(-1, 1);
  const auto clamped = static_cast<int32_t>(std::clamp<int64_t>(near, INT_MIN, INT_MAX));
  return random.Chance(75) ? clamped : random.OneOf({-1, 0, 1, INT_MAX, INT_MIN, 1 << 30});
}

/// No edit where the call has no such numbers.
void AddEdit(Input& input, Random& random) {
  Problem problem(input.c);
  const AttentionArgs args = problem.Args(false);
  const auto array = static_cast<Metadata>(random.Below(EnumText<Metadata>::names.size()));
  const int size = SizeOf(args, array);
  if (size == 0) return;
  const int at = random.Between(0, size - 1);
  input.edits.push_back({array, at, Unexpected(args, array, at, random)});
}

void EditCase(Input& input, Random& random) {
  const bool fresh = input.kernel == nullptr || random.Chance(5);
  if (fresh) input.kernel = &Kernels()[random.Below(static_cast<uint32_t>(Kernels().size()))];
  const KernelInfo& info = input.kernel->info;
  const Domain domain = DomainOf(info);
  input.c =
      fresh ? Generate(domain, random, random.Between(0, 60)) : Mutate(input.c, domain, random);
  PrepareFor(Law(), input.c, info.traits, random);
}

Input Edited(Input input, Random& random) {
  if (input.kernel == nullptr || random.Chance(40)) EditCase(input, random);
  if (!input.edits.empty() && random.Chance(50)) {
    input.edits.erase(input.edits.begin() +
                      random.Between(0, static_cast<int>(input.edits.size()) - 1));
  }
  if (input.edits.size() > kMostEdits) input.edits.resize(kMostEdits);
  for (int n = 0; n < 50 && (n == 0 || input.edits.empty()); ++n) AddEdit(input, random);
  return input;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Input input = InputOf(FirstLine(data, size));
  if (input.kernel == nullptr) return -1;
  const KernelInfo& info = input.kernel->info;
  const Verdict verdict = JudgeEdited(Law(), *input.kernel->row, input.c, input.edits);
  CountCase(input.c, info.traits.tile_k, verdict);
  if (verdict.outcome == Outcome::fails) {
    ReportAndDie({kLaw, info.id, input.c}, verdict.failure, Law(), info,
                 "fuzz_varlen_metadata ARTIFACT");
  }
  return verdict.outcome == Outcome::holds ? 0 : -1;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  Random random(seed);
  const Input input = InputOf(FirstLine(data, size));
  for (int attempt = 0; attempt < 8; ++attempt) {
    if (const size_t stored = Store(Print(Edited(input, random)), data, max_size)) return stored;
  }
  return 0;
}

}  // namespace padproof
