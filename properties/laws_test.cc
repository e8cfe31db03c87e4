// Law x kernel as named tests, and every saved case as a test: filters, shards and JUnit XML work
// as for any GoogleTest binary. Seed, cases and the counterexample are properties of the test.
//
//   PADPROOF_SEED    a number or text, such as a commit hash (default 0)
//   PADPROOF_CASES   cases a test (default 100)

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "harness/drivers/catalogue.h"
#include "harness/drivers/device_rows.h"
#include "harness/drivers/known.h"
#include "harness/drivers/paths.h"
#include "harness/drivers/replay.h"
#include "harness/drivers/search.h"
#include "harness/drivers/settings.h"
#include "harness/report/failure.h"

namespace padproof {
namespace {

SearchOptions TheOptions() {
  const auto options = SearchOptionsFromEnvironment();
  if (!options) {
    std::fprintf(stderr, "padproof: %s\n", options.error().message.c_str());
    std::exit(2);
  }
  return *options;
}

const Ledger& TheLedger() {
  static const auto ledger = ReadLedger(CorporaDirectory());
  if (!ledger) {
    std::fprintf(stderr, "padproof: %s\n", ledger.error().message.c_str());
    std::exit(2);
  }
  return *ledger;
}

// One worker for all tests of this process; it starts again after a death.
Worker& TheWorker() {
  static auto worker = std::make_unique<Worker>();
  return *worker;
}

class LawTest : public testing::Test {
 public:
  LawTest(KernelInfo kernel, const Property* law) : kernel_(std::move(kernel)), law_(law) {}

  void TestBody() override {
    ASSERT_EQ(RequiredButMissing({kernel_}), "");
    SearchOptions options = TheOptions();
    options.known = &TheLedger();
    RecordProperty("seed", std::to_string(options.seed));
    const Cell cell = Search(kernel_, *law_, TheWorker(), options, {});
    if (!cell.inapplicable.empty()) GTEST_SKIP() << cell.inapplicable;
    RecordProperty("cases", std::to_string(cell.cases));
    RecordProperty("held", std::to_string(cell.held));
    for (const auto& [identity, cases] : cell.known) {
      RecordProperty("known", identity + ": " + TheLedger().Find(identity)->reason);
    }
    EXPECT_EQ(cell.error, "");
    EXPECT_FALSE(cell.vacuous()) << "the law held in no case: this cell tested nothing";
    if (cell.held > 0) {
      EXPECT_EQ(law_->has_bound, !cell.worst_ratio.empty()) << "has_bound is not what it compares";
    }
    if (!cell.finding) return;
    RecordProperty("counterexample", Print(cell.finding->entry));
    ADD_FAILURE() << "\n" << Report(*cell.finding);
  }

 private:
  KernelInfo kernel_;
  const Property* law_;
};

// A case saved for a kernel must hold. A case saved for a mutant must still catch the mutant, and
// must hold on the kernel that the mutant was made of.
class SavedCaseTest : public testing::Test {
 public:
  explicit SavedCaseTest(Replayable item) : item_(std::move(item)) {}

  void TestBody() override {
    RecordProperty("case", Print(item_.entry));
    const auto kernel = FindOneKernel(item_.entry.kernel, TheWorker());
    if (kernel && !kernel->missing.empty()) {
      ASSERT_EQ(RequiredButMissing({*kernel}), "");
      GTEST_SKIP() << "skipped: " << kernel->missing;
    }
    const std::string mutant = MutantOf(item_.entry.kernel);
    if (mutant.empty()) return Expect(item_.entry, Outcome::holds);
    Expect(item_.entry, Outcome::fails);
    Entry clean = item_.entry;
    clean.kernel.erase(clean.kernel.find('~'), mutant.size() + 1);
    Expect(clean, Outcome::holds);
  }

 private:
  void Expect(const Entry& entry, Outcome outcome) {
    const auto verdict = Replay(entry, TheWorker(), 10);
    ASSERT_TRUE(verdict) << item_.file << ": " << verdict.error().message;
    if (verdict->outcome == Outcome::fails && outcome == Outcome::holds) {
      const KnownFailure* known = TheLedger().Find(entry, verdict->failure);
      if (known != nullptr) GTEST_SKIP() << "known: " << known->reason;
    }
    EXPECT_EQ(verdict->outcome, outcome)
        << item_.file << "\n  replay  " << ReplayCommand(Print(entry)) << "\n  " << verdict->reason
        << verdict->failure.where << " " << verdict->failure.expected << " "
        << verdict->failure.got;
  }

  Replayable item_;
};

// A known open failure is still there; once it is fixed, its line must go.
class KnownFailureTest : public testing::Test {
 public:
  explicit KnownFailureTest(const KnownFailure& known) : known_(known) {}

  void TestBody() override {
    const auto kernel = FindOneKernel(known_.entry.kernel, TheWorker());
    if (!kernel || !kernel->missing.empty()) GTEST_SKIP() << "skipped: not in this build";
    RecordProperty("known", known_.identity() + ": " + known_.reason);
    EXPECT_EQ(StillFails(known_, TheWorker(), 10), "");
  }

 private:
  const KnownFailure& known_;
};

void RegisterKnownFailures() {
  for (const auto& [identity, known] : TheLedger().all()) {
    testing::RegisterTest("known", identity.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [&known]() -> testing::Test* { return new KnownFailureTest(known); });
  }
}

void RegisterLaws() {
  const auto kernels = FindKernels("*", TheWorker());
  if (!kernels) {
    std::fprintf(stderr, "padproof: %s\n", kernels.error().message.c_str());
    std::exit(3);
  }
  for (const Property* law : Properties()) {
    for (const KernelInfo& kernel : *kernels) {
      testing::RegisterTest(law->name, kernel.id.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                            [=]() -> testing::Test* { return new LawTest(kernel, law); });
    }
  }
}

void RegisterSavedCases() {
  for (const std::string& file : CorpusFiles(CorporaDirectory())) {
    const auto items = ReadReplayables(file);
    if (!items) {
      std::fprintf(stderr, "padproof: %s\n", items.error().message.c_str());
      std::exit(2);
    }
    std::string name = std::filesystem::relative(file, CorporaDirectory()).string();
    for (size_t i = 0; i < items->size(); ++i) {
      const Replayable item = (*items)[i];
      const std::string numbered = name + (i == 0 ? "" : ":" + std::to_string(i + 1));
      testing::RegisterTest("corpora", numbered.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                            [=]() -> testing::Test* { return new SavedCaseTest(item); });
    }
  }
}

}  // namespace
}  // namespace padproof

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::printf("padproof: seed %llu, %d cases a test\n",
              static_cast<unsigned long long>(padproof::TheOptions().seed),
              padproof::TheOptions().cases);
  padproof::RegisterLaws();
  padproof::RegisterSavedCases();
  padproof::RegisterKnownFailures();
  return RUN_ALL_TESTS();
}
