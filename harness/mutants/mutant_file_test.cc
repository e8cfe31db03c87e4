// What a mutant file may say, what the edit does to the text, and what each mistake is told.

#include "harness/mutants/mutant_file.h"

#include <gtest/gtest.h>

#include <string>

namespace padproof {
namespace {

constexpr const char* kHead =
    "# a comment\n"
    "kernel: toy\n"
    "bug: b is one too large\n"
    "imitates: somebody/somewhere#1\n"
    "killed_by: oracle_agreement\n";

std::string Block(const std::string& before, const std::string& after) {
  return "replace:\n<<<\n" + before + "===\n" + after + ">>>\n";
}

Mutant Parsed(const std::string& text) {
  Result<Mutant> mutant = ParseMutant("mutants/too_large.mutant", text);
  EXPECT_TRUE(mutant.ok()) << mutant.error().message;
  return mutant.ok() ? *mutant : Mutant{};
}

std::string ParseError(const std::string& text, const std::string& path = "m/x.mutant") {
  const Result<Mutant> mutant = ParseMutant(path, text);
  return mutant.ok() ? "" : mutant.error().message;
}

std::string Applied(const std::string& text, const std::string& source) {
  const Result<std::string> edited = ApplyMutant(Parsed(text), "/anywhere/kernels/toy.cu", source);
  return edited.ok() ? *edited : "error: " + edited.error().message;
}

TEST(MutantFile, ReadsEveryKey) {
  const Mutant mutant = Parsed(std::string(kHead) + "\nequivalent:  why: not \nrows: toy.b*\n" +
                               Block("b\n", "b + 1\n\n  c\n") + Block("d\n", ""));
  EXPECT_EQ(mutant.name, "too_large");
  EXPECT_EQ(mutant.kernel, "toy");
  EXPECT_EQ(mutant.bug, "b is one too large");
  EXPECT_EQ(mutant.imitates, "somebody/somewhere#1");
  EXPECT_EQ(mutant.killed_by, "oracle_agreement");
  EXPECT_EQ(mutant.equivalent, "why: not");
  EXPECT_EQ(mutant.rows, "toy.b*");
  ASSERT_EQ(mutant.replacements.size(), 2u);
  EXPECT_EQ(mutant.replacements[0].line, 11);
  EXPECT_EQ(mutant.replacements[0].before, (std::vector<std::string>{"b"}));
  EXPECT_EQ(mutant.replacements[0].after, (std::vector<std::string>{"b + 1", "", "  c"}));
  EXPECT_TRUE(mutant.replacements[1].after.empty());
}

TEST(MutantFile, SourceLinesMayLookLikeComments) {
  const Mutant mutant = Parsed(kHead + Block("#include <a>\n", "#include <b>\nkernel: x\n"));
  EXPECT_EQ(mutant.replacements[0].before[0], "#include <a>");
  EXPECT_EQ(mutant.kernel, "toy");
}

TEST(MutantFile, ErrorsNameFileLineAndRemedy) {
  const std::string block = Block("b\n", "c\n");
  EXPECT_EQ(ParseError(""), "m/x.mutant:1: the file is empty; see kernels/README.md");
  EXPECT_EQ(ParseError("kernel: toy\nlaw: x\n"),
            "m/x.mutant:2: unknown key \"law\"; keys are kernel, source, rows, bug, "
            "imitates, killed_by, equivalent, replace");
  EXPECT_EQ(ParseError("kernel toy\n"),
            "m/x.mutant:1: neither a comment nor \"key: value\"; keys are kernel, source, rows, "
            "bug, imitates, killed_by, equivalent, replace");
  EXPECT_EQ(ParseError("kernel: a\nkernel: b\n"),
            "m/x.mutant:2: key \"kernel\" is given twice; keep one");
  EXPECT_EQ(ParseError("kernel:\n"),
            "m/x.mutant:1: key \"kernel\" has no value; write it on the same line");
  EXPECT_EQ(ParseError("kernel: toy\nbug: b\nimitates: i\n" + block),
            "m/x.mutant:1: key \"killed_by\" is missing; add \"killed_by: ...\"");
  EXPECT_EQ(ParseError(kHead), "m/x.mutant:1: no \"replace:\" block; add one");
  EXPECT_EQ(ParseError(kHead + block, "m/a-b.mutant"),
            "m/a-b.mutant:1: the file's name \"a-b\" may hold a-z, 0-9 and _ only; rename it");
}

TEST(MutantFile, ErrorsInABlock) {
  const std::string head = kHead;  // 5 lines
  EXPECT_EQ(ParseError(head + "replace:\nb\n"),
            "m/x.mutant:7: after \"replace:\" comes a line \"<<<\"");
  EXPECT_EQ(ParseError(head + "replace:"), "m/x.mutant:6: after \"replace:\" comes a line \"<<<\"");
  EXPECT_EQ(ParseError(head + "replace:\n<<<\nb\n"),
            "m/x.mutant:8: the block has no \"===\"; add it");
  EXPECT_EQ(ParseError(head + "replace:\n<<<\nb\n===\nc\n"),
            "m/x.mutant:10: the block has no \">>>\"; add it");
  EXPECT_EQ(ParseError(head + Block("", "c\n")),
            "m/x.mutant:8: no lines between \"<<<\" and \"===\"; say which to replace");
  EXPECT_EQ(ParseError(head + Block("b\n", "b\n")),
            "m/x.mutant:8: both sides are equal; change a line");
}

TEST(ApplyMutant, KeepsTheLineNumbersOfTheOriginal) {
  EXPECT_EQ(Applied(kHead + Block("  b\n", "  b + 1\n"), "a\n  b\nc\n"),
            "#line 1 \"kernels/toy.cu\"\na\n  b + 1\nc\n");
  EXPECT_EQ(Applied(kHead + Block("c\n", "x\ny\n") + Block("a\n", ""), "a\nb\nc\nd\n"),
            "#line 1 \"kernels/toy.cu\"\n#line 2 \"kernels/toy.cu\"\nb\nx\ny\n"
            "#line 4 \"kernels/toy.cu\"\nd\n");
}

TEST(ApplyMutant, AcceptsALastLineWithoutItsEnd) {
  EXPECT_EQ(Applied(kHead + Block("b\n", "c\n"), "a\nb"), "#line 1 \"kernels/toy.cu\"\na\nc\n");
}

TEST(ApplyMutant, RefusesWhatDoesNotMatchOnce) {
  const std::string text = kHead + Block("b\n", "c\n");
  EXPECT_EQ(Applied(text, "a\n  b\nb;\n"),
            "error: mutants/too_large.mutant:8: these lines occur nowhere in kernels/toy.cu; copy "
            "them exactly, indentation included");
  EXPECT_EQ(Applied(text, "b\na\nb\nb\n"),
            "error: mutants/too_large.mutant:8: these lines occur 3 times in kernels/toy.cu, first "
            "at line 1 and 3; add the lines around the one you mean");
  EXPECT_EQ(Applied(kHead + Block("a\nb\n", "x\n") + Block("b\nc\n", "y\n"), "a\nb\nc\n"),
            "error: mutants/too_large.mutant:15: this block overlaps another one; merge the two");
}

TEST(ApplyMutant, RefusesAnotherKernel) {
  const auto edited = ApplyMutant(Parsed(kHead + Block("b\n", "c\n")), "kernels/other.cu", "b\n");
  ASSERT_FALSE(edited.ok());
  EXPECT_EQ(edited.error().message,
            "mutants/too_large.mutant:1: kernel \"toy\" is not kernels/other.cu; name the source "
            "without folder and extension");
}

TEST(MutantFile, OfTheJudgeNamesASource) {
  const std::string rest = "bug: b\nimitates: i\nkilled_by: laws_test A.B\n" + Block("b\n", "c\n");
  const Mutant mutant = Parsed("source: harness/judge/toy.cc\n" + rest);
  const auto edited = ApplyMutant(mutant, "/anywhere/harness/judge/toy.cc", "b\n");
  ASSERT_TRUE(edited.ok()) << edited.error().message;
  EXPECT_EQ(*edited, "#line 1 \"harness/judge/toy.cc\"\nc\n");
  const auto other = ApplyMutant(mutant, "/anywhere/toy.cc", "b\n");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().message,
            "mutants/too_large.mutant:1: source \"harness/judge/toy.cc\" is not /anywhere/toy.cc; "
            "name it relative to the repository");
  const auto unprintable =
      ApplyMutant(Parsed("source: harness/a\x18.cc\n" + rest), "/anywhere/a.cc", "b\n");
  ASSERT_FALSE(unprintable.ok());
  EXPECT_EQ(unprintable.error().message.find('\x18'), std::string::npos)
      << "an error is one printable line";
  EXPECT_EQ(ParseError("source: a.cc\nkernel: a\n" + rest),
            "m/x.mutant:1: both \"kernel\" and \"source\" are given; keep one");
}

}  // namespace
}  // namespace padproof
