// Edits of lengths, offsets and pages: they read as they print, and which numbers are wrong.

#include "harness/judge/metadata.h"

#include <gtest/gtest.h>

#include "harness/judge/problem.h"
#include "harness/judge/testing/problem_test_util.h"

namespace padproof {
namespace {

std::string WrongAfter(const char* line, const char* edits) {
  Problem problem(Read(line));
  AttentionArgs args = problem.Args(false);
  const auto parsed = ParseMetadataEdits(edits);
  if (!parsed) return parsed.error().message;
  for (const MetadataEdit& edit : *parsed) Apply(edit, args);
  return WhyWrong(args);
}

TEST(Metadata, ReadsAsItPrints) {
  const MetadataEdits edits{{Metadata::seqused_k, 0, -1}, {Metadata::block_table, 12, 2147483647}};
  EXPECT_EQ(Print(edits), "seqused_k[0]=-1 block_table[12]=2147483647");
  const auto read = ParseMetadataEdits("  seqused_k[0]=-1\tblock_table[12]=2147483647 ");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, edits);
}

TEST(Metadata, RefusesWhatIsNoEdit) {
  for (const char* text : {"", "seqused_k", "seqused_k[0]", "seqused_k[-1]=0", "lens[0]=1",
                           "seqused_k[0]=2147483648", "seqused_k[0]=1x", "seqused_k[]=1"}) {
    const auto read = ParseMetadataEdits(text);
    ASSERT_FALSE(read) << text;
    EXPECT_NE(read.error().message.find("expected ARRAY[INDEX]=VALUE"), std::string::npos);
  }
}

TEST(Metadata, PaddedLengthsStayInTheirSlots) {
  const char* line = "lens_q=2,1 lens_k=3,2 pad_k=2 dim=1";
  EXPECT_EQ(WrongAfter(line, "seqused_k[1]=5"), "");
  EXPECT_EQ(WrongAfter(line, "seqused_k[1]=6"), "seqused_k[1] is not from 0 to seqlen");
  EXPECT_EQ(WrongAfter(line, "seqused_q[0]=-1"), "seqused_q[0] is not from 0 to seqlen");
  EXPECT_EQ(WrongAfter(line, "leftpad_k[0]=2"), "");
  EXPECT_EQ(WrongAfter(line, "leftpad_k[0]=3"), "leftpad_k[0] leaves no room");
  EXPECT_EQ(WrongAfter(line, "leftpad_k[0]=2147483647"), "leftpad_k[0] leaves no room");
}

TEST(Metadata, OffsetsStayInOrderAndInTheBuffer) {
  const char* line = "lens_q=2,1 lens_k=3,2 dim=1 layout=thd";
  EXPECT_EQ(WrongAfter(line, "seqused_k[0]=1"), "");
  EXPECT_EQ(WrongAfter(line, "cu_seqlens_k[0]=-1"), "cu_seqlens_k[0] is negative");
  EXPECT_EQ(WrongAfter(line, "cu_seqlens_k[1]=6"), "cu_seqlens_k[1] is behind the buffer");
  EXPECT_EQ(WrongAfter(line, "cu_seqlens_k[2]=2 seqused_k[1]=0"), "cu_seqlens_k[2] decreases");
  EXPECT_EQ(WrongAfter(line, "cu_seqlens_q[1]=1"), "seqused_q[0] reaches into the next sequence");
}

TEST(Metadata, OnlyPagesInUseMustBeThere) {
  const char* line = "lens_q=1,1 lens_k=5,2 dim=1 layout=paged:4";
  EXPECT_EQ(WrongAfter(line, "block_table[3]=-5"), "");
  EXPECT_EQ(WrongAfter(line, "block_table[1]=-1"), "block_table[1] is no page");
  EXPECT_EQ(WrongAfter(line, "block_table[2]=1000"), "block_table[2] is no page");
}

}  // namespace
}  // namespace padproof
