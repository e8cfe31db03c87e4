// Names, files and messages of the drivers: globs, corpus files, the worker protocol, shrinking.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "harness/base/file.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/corpus.h"
#include "harness/drivers/identity.h"
#include "harness/drivers/known.h"
#include "harness/drivers/protocol.h"
#include "harness/drivers/random_cases.h"
#include "harness/drivers/settings.h"
#include "harness/drivers/shrink.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "padproof-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string File(const std::string& name, const std::string& text) const {
    const fs::path file = fs::path(path_) / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file.string();
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Glob, MatchesAsInAShell) {
  EXPECT_TRUE(GlobMatch("*", ""));
  EXPECT_TRUE(GlobMatch("flash_*@simt", "flash_fwd.4x4@simt"));
  EXPECT_TRUE(GlobMatch("?lash_fwd", "flash_fwd"));
  EXPECT_FALSE(GlobMatch("flash_fwd", "flash_fwd.4x4"));
  EXPECT_FALSE(GlobMatch("", "x"));
  EXPECT_FALSE(GlobMatch("*@cuda", "flash_fwd@simt"));
}

TEST(Names, FamilyAndMutant) {
  EXPECT_EQ(FamilyOf("flash_fwd.4x4~unmasked_tail@simt"), "flash_fwd");
  EXPECT_EQ(MutantOf("flash_fwd.4x4~unmasked_tail@simt"), "unmasked_tail");
  EXPECT_EQ(MutantOf("flash_fwd@simt"), "");
  const KernelInfo mutant{.id = "k~m@simt", .name = "k~m"};
  EXPECT_FALSE(MatchesAny("*", mutant)) << "mutants are never checked by accident";
  EXPECT_TRUE(MatchesAny("other,*~m@simt", mutant));
}

TEST(Corpus, EntriesRoundTripAndErrorsNameThePlace) {
  const Folder folder;
  const char* line = "empty_row flash_fwd@simt lens_q=1 lens_k=0 dim=1";
  const std::string good =
      folder.File("a.case", std::string("# why\n\n") + line + "   # trailing\n");
  const auto entries = ReadCorpusFile(good);
  ASSERT_TRUE(entries) << entries.error().message;
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(Print(entries->front()), line);

  const auto error = [&](const std::string& text) {
    const auto result = ReadCorpusFile(folder.File("bad.case", text));
    return result ? std::string("no error") : result.error().message;
  };
  EXPECT_NE(error("# only a comment\n").find("bad.case: holds no case"), std::string::npos);
  EXPECT_NE(error("\nempty_row\n").find("bad.case:2: expected 'LAW KERNEL@BACKEND"),
            std::string::npos);
  EXPECT_NE(error("l k@simt lens_q=1 lens_k=1 dim=1 mask=casual\n").find("none, causal:tl"),
            std::string::npos);
  EXPECT_NE(error(std::string("l k@simt lens_q=1 lens_k=\0 dim=1\n", 33)).find("bad.case:1:"),
            std::string::npos);
  EXPECT_FALSE(ReadCorpusFile(folder.path()));
  EXPECT_FALSE(ReadCorpusFile(folder.path() + "/missing.case"));
}

TEST(Corpus, SavingIsDurableAndNamesAreFresh) {
  const Folder folder;
  const Entry entry = *ParseEntry("empty_row flash_fwd.4x4~m@simt lens_q=1 lens_k=0 dim=1");
  const std::string first = FreshName(folder.path(), entry);
  EXPECT_EQ(fs::relative(first, folder.path()), "flash_fwd/empty_row-1.case");
  ASSERT_TRUE(WriteDurably(first, Print(entry) + "\n"));
  EXPECT_EQ(FindEntry(folder.path(), entry), first);
  EXPECT_EQ(fs::relative(FreshName(folder.path(), entry), folder.path()),
            "flash_fwd/empty_row-2.case");
  EXPECT_EQ(CorpusFiles(folder.path()).size(), 1u) << "no temporary file is left";
  const auto refused = WriteDurably("/proc/padproof/x.case", "text");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("cannot be saved"), std::string::npos);
}

TEST(Protocol, MessagesRoundTrip) {
  Reply reply;
  reply.kernels.push_back({.id = "a@cpu", .name = "a", .backend = "cpu", .has_forward = true});
  reply.kernels[0].traits.promises.pad_content = PadContent::finite_scores;
  reply.kernels[0].traits.promises.batch_content = PadContent::finite;
  reply.kernels[0].traits.promises.output = OutputOf::module;
  reply.kernels[0].traits.numerics.exp_error = 41 * 0x1p-24;
  reply.verdict = Verdict::Fails({.kind = kind::kNan, .got = "bad \xff byte", .ratio = INFINITY});
  reply.verdict.closeness = {{"dq", 1.0 / 3, 20}, {"dk", INFINITY, 1}};
  const auto back = ParseReply(ToLine(reply));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->kernels[0].traits.promises.pad_content, PadContent::finite_scores);
  EXPECT_EQ(back->kernels[0].traits.promises.batch_content, PadContent::finite);
  EXPECT_EQ(back->kernels[0].traits.promises.output, OutputOf::module);
  EXPECT_EQ(back->kernels[0].traits.numerics.exp_error, 41 * 0x1p-24);
  EXPECT_EQ(back->verdict.failure.kind, kind::kNan);
  EXPECT_TRUE(std::isinf(back->verdict.failure.ratio));
  ASSERT_EQ(back->verdict.closeness.size(), 2u);
  EXPECT_EQ(back->verdict.closeness[0].region, "dq");
  EXPECT_EQ(back->verdict.closeness[0].worst, 1.0 / 3);
  EXPECT_EQ(back->verdict.closeness[0].elements, 20);
  EXPECT_TRUE(std::isinf(back->verdict.closeness[1].worst));
  EXPECT_EQ(ToLine(reply).find('\n'), std::string::npos);
  EXPECT_FALSE(ParseReply("kernel output"));
  EXPECT_FALSE(ParseReply("{}"));
  EXPECT_FALSE(ParseRequest("[1,2]"));
}

TEST(Known, AnotherFailureOfTheSameLawIsNew) {
  const Entry entry = *ParseEntry("some_law k@simt lens_q=1 lens_k=1 dim=1");
  const Failure known{.kind = kind::kValue, .region = "dk"};
  Ledger ledger;
  ledger.Add({.entry = entry, .failure = known, .reason = "why", .place = "known.txt:1"});
  EXPECT_NE(ledger.Find(entry, known), nullptr);
  EXPECT_EQ(ledger.Find(entry, {.kind = kind::kNan, .region = "dk"}), nullptr);
  EXPECT_EQ(ledger.Find(entry, {.kind = kind::kValue, .region = "dv"}), nullptr);
}

TEST(Settings, SeedsAreNumbersOrText) {
  EXPECT_EQ(SeedOf("42"), 42u);
  EXPECT_NE(SeedOf("3c5662ec"), SeedOf("3c5662ed"));
}

TEST(RandomCases, AStreamIsAFunctionOfItsSeed) {
  const Domain domain;
  for (int index = 0; index < 50; ++index) {
    EXPECT_EQ(DrawCase(domain, 7, index, 50), DrawCase(domain, 7, index, 50));
  }
  EXPECT_NE(DrawCase(domain, 7, 3, 80), DrawCase(domain, 8, 3, 80));
  EXPECT_NE(DrawCase(domain, 7, 3, 80), DrawCase(domain, 7, 4, 80));
}

// A made-up kernel: it fails as "nan" when a sequence has more than 16 keys and a pad, and in
// another way, which shrinking must not slip into, when there is one key.
Verdict MadeUp(const Case& c) {
  if (c.lens_k[0] == 1) return Verdict::Fails({.kind = kind::kCrash});
  const bool fails = c.lens_k[0] > 16 && c.pad_k > 0;
  return fails ? Verdict::Fails({.kind = kind::kNan, .region = "out"}) : Verdict::Holds();
}

TEST(Shrink, KeepsTheSameFailureAndEndsMinimal) {
  const Case start = *Parse(
      "lens_q=37,4 lens_k=61,9 pad_q=2 pad_k=5 heads=3 dim=8 mask=causal:br dtype=f16 seed=77");
  const Shrunk shrunk =
      Shrink(start, MadeUp(start).failure, [](const Case& c) { return MadeUp(c); }, {});
  EXPECT_EQ(Print(shrunk.c), "lens_q=1 lens_k=17 pad_k=1 dim=1");
  EXPECT_EQ(shrunk.failure.kind, kind::kNan);
  EXPECT_FALSE(shrunk.out_of_budget);
  EXPECT_GT(shrunk.steps, 3);
}

TEST(Shrink, KeepsTheSameTensor) {
  const auto judge = [](const Case& c) {
    return Verdict::Fails({.kind = kind::kValue, .region = c.lens_q[0] < 2 ? "dq" : "dk"});
  };
  const Case start = *Parse("lens_q=5 lens_k=7 dim=2");
  EXPECT_EQ(Print(Shrink(start, judge(start).failure, judge, {}).c), "lens_q=2 lens_k=1 dim=1");
}

TEST(Shrink, ABudgetEndsItHalfWay) {
  const Case start = *Parse("lens_q=37 lens_k=61 pad_k=5 heads=3 dim=8");
  const Shrunk shrunk =
      Shrink(start, MadeUp(start).failure, [](const Case& c) { return MadeUp(c); }, {.tries = 3});
  EXPECT_TRUE(shrunk.out_of_budget);
  EXPECT_EQ(shrunk.tries, 3);
  EXPECT_EQ(MadeUp(shrunk.c).failure.kind, kind::kNan) << "half-shrunk, but still failing";
}

TEST(Identity, NamesLawKernelKindAndRegion) {
  EXPECT_EQ(IdentityOf("l", "k@simt", {.kind = "nan", .region = "out"}), "l/k@simt/nan/out");
}

}  // namespace
}  // namespace padproof
