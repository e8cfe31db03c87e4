// Each operator on a few words of source: what it makes of them, and what it leaves alone.

#include "harness/mutants/edits.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace padproof {
namespace {

using Texts = std::set<std::string>;

/// The edited sources of one operator.
Texts By(const std::string& op, const std::string& source, const std::string& elsewhere = {}) {
  Texts texts;
  for (const Edit& edit : AllEdits(ReadCode(source, elsewhere))) {
    if (edit.op == op) texts.insert(Applied(edit, source));
  }
  return texts;
}

TEST(Operators, Relational) {
  EXPECT_EQ(By("relational", "i < n;"), Texts{"i <= n;"});
  EXPECT_EQ(By("relational", "a == b;"), Texts{"a != b;"});
  EXPECT_EQ(By("relational", "Load<T>(a->b);"), Texts{});
}

TEST(Operators, Arithmetic) {
  EXPECT_EQ(By("arithmetic", "x = a + b;"), Texts{"x = a - b;"});
  EXPECT_EQ(By("arithmetic", "x = a % b;"), (Texts{"x = a / b;", "x = a * b;"}));
  EXPECT_EQ(By("arithmetic", "float* p = &q; return -x; *p = 1; ++i;"), Texts{});
  EXPECT_EQ(By("arithmetic", "x = (a)*b;"), Texts{"x = (a)/b;"});
}

TEST(Operators, MinMax) {
  EXPECT_EQ(By("minmax", "m = fmaxf(m, s);"), Texts{"m = fminf(m, s);"});
  EXPECT_EQ(By("minmax", "max = 1;"), Texts{}) << "a variable of that name";
}

TEST(Operators, Constant) {
  EXPECT_EQ(By("constant", "x = 0;"), Texts{"x = 1;"});
  EXPECT_EQ(By("constant", "x = 4u;"), (Texts{"x = 3u;", "x = 5u;"}));
  EXPECT_EQ(By("constant", "x = 1.f;"), Texts{"x = 0.f;"});
  EXPECT_EQ(By("constant", "x = 0.5f;"), Texts{"x = (0.5f + 1);"});
  EXPECT_EQ(By("constant", "x = true;"), Texts{"x = false;"});
  EXPECT_EQ(By("constant", "x = 0xffu;"), Texts{});
}

TEST(Operators, InfinityAndSign) {
  EXPECT_EQ(By("infinity", "m = -INFINITY;"), (Texts{"m = 0.f;", "m = -1e30f;", "m = INFINITY;"}));
  EXPECT_EQ(By("infinity", "m = a - INFINITY;"), (Texts{"m = a - 0.f;", "m = a - 1e30f;"}));
  EXPECT_EQ(By("sign", "x = -y;"), Texts{"x = y;"});
  EXPECT_EQ(By("sign", "x = a - y; m = -INFINITY;"), Texts{});
}

TEST(Operators, Assignment) {
  EXPECT_EQ(By("assignment", "s += p;"), Texts{"s = p;"});
  EXPECT_EQ(By("assignment", "s -= p;"), (Texts{"s = p;", "s += p;"}));
}

TEST(Operators, StatementsOfFunctionsAndNoDeclarations) {
  EXPECT_EQ(By("statement", "void F() { a = 1; int b = 2; c(); }"),
            (Texts{"void F() { ; int b = 2; c(); }", "void F() { a = 1; int b = 2; ; }"}));
  EXPECT_EQ(By("statement", "void F() { T* p = q; N::T<int> x(1); *p = 0; }"),
            Texts{"void F() { T* p = q; N::T<int> x(1); ; }"});
  EXPECT_EQ(By("statement", "struct S { int a; F b(); };"), Texts{});
  EXPECT_EQ(By("statement", "void F() { for (;;) a(); }"), Texts{"void F() { for (;;) ; }"});
  EXPECT_EQ(By("statement", "void F() { if (x) a(); }"), Texts{}) << "a guard's: false";
}

TEST(Operators, Barrier) {
  EXPECT_EQ(By("barrier", "void F() { __syncthreads(); }"), Texts{"void F() { ; }"});
  EXPECT_EQ(By("barrier", "void F() { any = __syncthreads_or(x); }"),
            Texts{"void F() { any = (x); }"});
  EXPECT_EQ(By("statement", "void F() { __syncwarp(m); }"), Texts{});
}

TEST(Operators, GuardAndNegation) {
  EXPECT_EQ(By("guard", "if (a < b) c();"), (Texts{"if (true) c();", "if (false) c();"}));
  EXPECT_EQ(By("guard", "x = a && b ? 1 : 2;"), (Texts{"x = true ? 1 : 2;", "x = false ? 1 : 2;"}));
  EXPECT_EQ(By("guard", "if (const char* why = F()) c();"), Texts{});
  EXPECT_EQ(By("negation", "if (a < b) c();"), Texts{"if (!(a < b)) c();"});
  EXPECT_EQ(By("negation", "if (!a) c();"), (Texts{"if (a) c();", "if (!(!a)) c();"}));
  EXPECT_EQ(By("negation", "if (a == b) c();"), Texts{}) << "relational does it";
}

TEST(Operators, Operand) {
  EXPECT_EQ(By("operand", "if (a && f(b, c)) d();"), (Texts{"if ( f(b, c)) d();", "if (a ) d();"}));
  EXPECT_EQ(By("operand", "x = a || b && c;"),
            (Texts{"x =  b && c;", "x = a ;", "x = a ||  c;", "x = a || b ;"}));
}

TEST(Operators, Arguments) {
  EXPECT_EQ(By("arguments", "f(a, b, 1);"), Texts{"f(b, a, 1);"}) << "a name and a number differ";
  EXPECT_EQ(By("arguments", "return {len_q, len_k};"), Texts{"return {len_k, len_q};"});
  EXPECT_EQ(By("arguments", "f<A, B>(g(x), y[1]);"), Texts{"f<A, B>(y[1], g(x));"});
  EXPECT_EQ(By("arguments", "void F(int a, int b); if (a) {} S s{.a = x, .b = y};"), Texts{});
}

TEST(Operators, Index) {
  EXPECT_EQ(By("index", "x = p[i * 2];"), Texts{"x = p[(i * 2) + 1];"});
  EXPECT_EQ(By("index", "float acc[N] = {}; [&](int j) {}; SIMT_SHARED(s, int[4]);"), Texts{});
}

TEST(Operators, NameTakesThoseThatThereAre) {
  EXPECT_EQ(By("name", "x = seq.len_q + 1;"), Texts{}) << "no len_k anywhere";
  EXPECT_EQ(By("name", "x = seq.len_q + 1;", "int len_k;"), Texts{"x = seq.len_k + 1;"});
  EXPECT_EQ(By("name", "int dim_v; x = dim;"), Texts{"int dim_v; x = dim_v;"});
  EXPECT_EQ(By("name", "int y; x = blockIdx.x;"), Texts{"int y; x = blockIdx.y;"})
      << "members only";
}

TEST(Edits, IdsFollowTheLineNotItsNumber) {
  const std::string line = "  if (i < n) f();\n";
  const auto here = AllEdits(ReadCode(line)), below = AllEdits(ReadCode("// new\n\n" + line));
  ASSERT_EQ(here.size(), below.size());
  for (size_t n = 0; n < here.size(); ++n) EXPECT_EQ(here[n].id, below[n].id);
  EXPECT_EQ(below[0].line, 3);
  EXPECT_NE(here[0].id, AllEdits(ReadCode("if (i < m) f();\n"))[0].id);
}

TEST(Edits, IdsAreUniqueAlsoOnEqualLines) {
  std::set<std::string> ids;
  const auto edits = AllEdits(ReadCode("if (a < b) c();\nif (a < b) c();\n"));
  for (const Edit& edit : edits) ids.insert(edit.id);
  EXPECT_EQ(ids.size(), edits.size());
}

TEST(Edits, LinesBelowKeepTheirNumbers) {
  const std::string source = "void F() { f(a,\n    b); }\n";
  for (const Edit& edit : AllEdits(ReadCode(source))) {
    const std::string edited = Applied(edit, source);
    EXPECT_EQ(std::count(edited.begin(), edited.end(), '\n'), 2) << edit.what;
  }
}

TEST(Edits, SayWhereAndWhat) {
  const Edit edit = AllEdits(ReadCode("int n;\n  x = i < n;\n"))[0];
  EXPECT_EQ(edit.line, 2);
  EXPECT_EQ(edit.column, 9);
  EXPECT_EQ(edit.what, "'<' -> '<='");
  EXPECT_EQ(edit.source_line, "x = i < n;");
}

TEST(Edits, AnyBytesAreRead) {
  for (const std::string source : {"", ")}](", "\"", "a ? b", "f(", "-", "x[", "R\"(", "#\\"}) {
    AllEdits(ReadCode(source));
  }
}

}  // namespace
}  // namespace padproof
