// An exhaustive run: every case once, the same finding with any number of workers, one file of it,
// and a place to go on from when the time is over.

#include "harness/drivers/exhaust.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "harness/case/enumerate.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/paths.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

// Of this law the parent knows the name; the worker has it all.
const Property kLaw{
    .name = "guards_intact",
    .statement = "no write outside",
    .inapplicable = [](const KernelTraits&, bool, bool) -> const char* { return nullptr; },
    .prepare = [](Case&, const KernelTraits&, Random&) { std::abort(); },
    .check = nullptr};

class ExhaustTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "padproof-exhaust-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    setenv("PADPROOF_PLUGINS", (ExecutableDirectory() + "/tests/misbehaving.so").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("PADPROOF_PLUGINS");
    fs::remove_all(folder_);
  }

  std::vector<KernelInfo> Kernels(const std::string& patterns) {
    Worker worker;
    return *FindKernels(patterns, worker);
  }
  ExhaustResult Run(const std::vector<KernelInfo>& kernels, const ScopePart& part, int jobs,
                    double seconds = 0, const RunEvents& events = {}) {
    SearchOptions options;
    options.corpora = folder_;
    return Exhaust(kernels, {&kLaw}, options, part, jobs, seconds, events);
  }

  /// The cases that a run judges.
  static RunEvents Into(std::set<std::string>& judged) {
    return {.judged = [&](const Judgement& judgement) { judged.insert(Print(judgement.c)); },
            .found = {},
            .finished = {},
            .progress = {}};
  }

  std::string folder_;
};

TEST_F(ExhaustTest, AFailureAtOneCornerIsFoundAndShrunk) {
  const auto kernels = Kernels("misbehaving.corner");
  const ExhaustResult result = Run(kernels, {}, 2);
  ASSERT_TRUE(result.any_failure());
  EXPECT_EQ(Print(result.cells[0].finding->entry.c),
            "lens_q=5 lens_k=4 pad_k=1 dim=1 mask=causal:br");
  EXPECT_EQ(result.cells[0].finding->failure.kind, kind::kCrash);
  EXPECT_EQ(result.resume, -1) << "a cell that failed leaves nothing";
}

TEST_F(ExhaustTest, TheFindingIsTheLowestNumberAndOneFileWhateverTheJobs) {
  const auto kernels = Kernels("misbehaving.segfault");
  const Scope scope(DomainOf(kernels[0]));
  int64_t lowest = 0;
  const auto fails = [](const Case& c) { return c.seqlen_k() >= 3; };
  while (!fails(scope.At(lowest * kManners))) ++lowest;
  for (int jobs : {1, 4}) {
    fs::remove_all(folder_);
    fs::create_directory(folder_);
    const ExhaustResult result = Run(kernels, {}, jobs);
    ASSERT_TRUE(result.any_failure());
    EXPECT_EQ(result.cells[0].finding->cases, lowest + 1) << jobs << " jobs";
    EXPECT_EQ(Print(result.cells[0].finding->entry.c), "lens_q=1 lens_k=3 dim=1");
    EXPECT_EQ(CorpusFiles(folder_).size(), 1u) << jobs << " jobs";
  }
}

TEST_F(ExhaustTest, EveryShapeOfThePartIsJudgedInAsManyMannersAsAreAskedFor) {
  const auto kernels = Kernels("misbehaving.corner");
  const Scope scope(DomainOf(kernels[0]));
  for (int manners : {1, 3, kManners}) {
    const ScopePart part{.from = 100, .count = kPieceShapes + 7, .manners = manners};
    std::set<std::string> judged;
    std::map<int64_t, int> by_shape;
    std::set<int64_t> by_manner;
    const ExhaustResult result = Run(kernels, part, 3, 0, Into(judged));
    for (int64_t n = part.from * kManners; n < (part.from + part.count) * kManners; ++n) {
      if (!judged.contains(Print(scope.At(n)))) continue;
      ++by_shape[n / kManners];
      by_manner.insert(n % kManners);
    }
    EXPECT_EQ(by_shape.size(), static_cast<size_t>(part.count));
    for (const auto& [shape, times] : by_shape) EXPECT_EQ(times, manners) << shape;
    EXPECT_EQ(by_manner.size(), static_cast<size_t>(kManners)) << "shapes take turns";
    EXPECT_EQ(result.cases, part.count * manners);
    EXPECT_EQ(result.cells[0].cases, part.count * manners);
    EXPECT_EQ(result.cells[0].scope, part.count * manners);
    EXPECT_EQ(result.resume, -1);
  }
  EXPECT_EQ(ShapesWithin(kernels[0], {.from = 100, .count = 5}), 5);
}

// As when a run goes on with --from and some scopes are done.
TEST_F(ExhaustTest, AScopeThatEndsBeforeThePartTestsNothingAndIsNotRed) {
  const auto kernels = Kernels("misbehaving.corner");
  const ExhaustResult result = Run(kernels, {.from = Scope(DomainOf(kernels[0])).shapes()}, 1);
  EXPECT_EQ(result.cases, 0);
  EXPECT_FALSE(result.any_vacuous());
  EXPECT_NE(result.cells[0].inapplicable.find("has no shape"), std::string::npos);
  EXPECT_EQ(result.resume, -1);
}

TEST_F(ExhaustTest, WhatIsOutOfTimeSaysWhereToGoOn) {
  const auto kernels = Kernels("misbehaving.corner,misbehaving.throw");
  EXPECT_EQ(Run(kernels, {.from = 40}, 2, 1e-9).resume, 40);

  // Wherever the time ends, nothing below `resume` is left out, and `resume` is.
  std::set<std::string> judged;
  const ScopePart part{.from = 0, .count = 250, .manners = kManners};
  const ExhaustResult result = Run({kernels[0]}, part, 3, 0.1, Into(judged));
  const Scope scope(DomainOf(kernels[0]));
  const int64_t end = (result.resume < 0 ? part.count : result.resume) * kManners;
  for (int64_t n = 0; n < end; ++n) ASSERT_TRUE(judged.contains(Print(scope.At(n)))) << n;
  EXPECT_TRUE(result.resume < 0 || !judged.contains(Print(scope.At(end))));
}

}  // namespace
}  // namespace padproof
