// What is a token, what is none, and what no edit may touch.

#include "harness/mutants/tokens.h"

#include <gtest/gtest.h>

#include <string>

namespace padproof {
namespace {

std::string Texts(const std::vector<Token>& tokens) {
  std::string text;
  for (const Token& token : tokens) text += (text.empty() ? "" : " ") + std::string(token.text);
  return text;
}

/// The tokens that edits may touch.
std::string Free(std::string_view source) {
  std::string text;
  for (const Token& token : Tokenize(source)) {
    if (!token.fixed) text += (text.empty() ? "" : " ") + std::string(token.text);
  }
  return text;
}

TEST(Tokens, CommentsAndDirectivesAreNone) {
  EXPECT_EQ(Texts(Tokenize("a // b\n/* c\n */ d\n#define E \\\n  f\ng")), "a d g");
  EXPECT_EQ(Texts(Tokenize("  #if 1\nx #y")), "x # y") << "a directive starts its line";
  EXPECT_EQ(Texts(Tokenize("a /* never closed")), "a");
}

TEST(Tokens, LiteralsAreWhole) {
  EXPECT_EQ(Texts(Tokenize(R"c("a \" // b" 'c' '\'' 1)c")), R"c("a \" // b" 'c' '\'' 1)c");
  EXPECT_EQ(Texts(Tokenize("R\"x(a )\" b)x\" c")), "R\"x(a )\" b)x\" c");
  EXPECT_EQ(Tokenize("0x1p-24f+1.5e-3f-1'000u").size(), 5u);
  EXPECT_EQ(Texts(Tokenize("\"never closed")), "\"never closed");
}

TEST(Tokens, MarksAreTheLongest) {
  EXPECT_EQ(Texts(Tokenize("a<<=b->c<=d!=e&&f::g++>h")), "a <<= b -> c <= d != e && f :: g ++ > h");
}

TEST(Tokens, PlacesAreThoseOfEditors) {
  const auto tokens = Tokenize("a\n  bc d");
  EXPECT_EQ(tokens[1].line, 2);
  EXPECT_EQ(tokens[1].column, 3);
  EXPECT_EQ(tokens[2].column, 6);
  EXPECT_EQ(tokens[2].at, 7u);
}

TEST(Tokens, BracketsKnowTheirPartners) {
  const auto tokens = Tokenize("f(a[1]) {}");
  EXPECT_EQ(tokens[1].partner, 6);
  EXPECT_EQ(tokens[3].partner, 5);
  EXPECT_EQ(tokens[5].partner, 3);
  EXPECT_EQ(Tokenize(")")[0].partner, -1);
}

TEST(Tokens, TemplatesAreFixedAndComparisonsAreNot) {
  EXPECT_EQ(Free("Load<Tile, 3>(x < y, z > 1)"), "Load ( x < y , z > 1 )");
  EXPECT_EQ(Free("if (i<n && j>m)"), "if ( i < n && j > m )");
  EXPECT_EQ(Free("A<B<C>> d"), "A d");
  EXPECT_EQ(Free("for (i = 0; i<n; ++i)"), "for ( i = 0 ; i < n ; ++ i )");
}

TEST(Tokens, WhatAKernelSaysAboutItselfIsFixed) {
  EXPECT_EQ(Free("a(); PADPROOF_KERNEL({.name = \"a\", .n = 1});"), "a ( ) ; ;");
  EXPECT_EQ(Free("constexpr KernelTraits T(int n) { t.x = n; return t; } b"), "constexpr b");
  EXPECT_EQ(Free("static_assert(1 == 1); [[nodiscard]] int a;"), "; int a ;");
}

}  // namespace
}  // namespace padproof
