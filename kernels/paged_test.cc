// The checked entry point of paged kernels: a block table is read as far as it will be followed,
// and refused where it leads out of the pool.

#include <gtest/gtest.h>

#include <climits>
#include <functional>
#include <string>

#include "harness/judge/kernel_registry.h"
#include "harness/judge/problem.h"

namespace padproof {
namespace {

/// What each row that takes pages says to a call of 2 sequences of 5 and 2 keys, in pages of 2,
/// after `edit`; "ok", or the reason.
std::vector<std::string> Answers(const std::function<void(AttentionArgs&, int32_t* table)>& edit) {
  const auto c = Parse("lens_q=1,1 lens_k=5,2 pad_k=1 dim=2 layout=paged:2");
  std::vector<std::string> answers;
  for (const KernelRow* row : RegisteredKernels()) {
    if (!row->traits.layouts.Has(Layout::paged)) continue;
    Problem problem(*c);
    AttentionArgs args = problem.Args(false);
    std::vector<int32_t> table = problem.lengths()[6];
    args.block_table = table.data();
    edit(args, table.data());
    const Status status = row->forward(args);
    answers.push_back(status.code == StatusCode::ok         ? "ok"
                      : status.code == StatusCode::rejected ? status.reason
                                                            : "failed");
  }
  return answers;
}

void ExpectEach(const std::string& answer,
                const std::function<void(AttentionArgs&, int32_t* table)>& edit) {
  const std::vector<std::string> answers = Answers(edit);
  EXPECT_GE(answers.size(), 2u);
  for (const std::string& got : answers) EXPECT_EQ(got, answer);
}

TEST(PagedEntry, TakesATableThatLeadsIntoThePool) {
  ExpectEach("ok", [](AttentionArgs&, int32_t*) {});
  ExpectEach("ok", [](AttentionArgs&, int32_t* table) { table[3] = table[0]; });  // shared
}

TEST(PagedEntry, DoesNotLookAtEntriesThatAreNotUsed) {
  for (int32_t poison : {-1, 6, INT_MAX, INT_MIN}) {
    ExpectEach("ok", [=](AttentionArgs&, int32_t* table) { table[4] = table[5] = poison; });
  }
}

TEST(PagedEntry, RefusesATableThatLeadsOutOfThePool) {
  for (int used : {0, 1, 2, 3}) {
    for (int32_t page : {-1, INT_MAX, INT_MIN}) {
      ExpectEach("block_table leads out of the pool",
                 [=](AttentionArgs&, int32_t* table) { table[used] = page; });
    }
    ExpectEach("block_table leads out of the pool", [=](AttentionArgs& args, int32_t* table) {
      table[used] = static_cast<int32_t>(args.k.size[0]);
    });
  }
}

TEST(PagedEntry, RefusesSizesThatDoNotFit) {
  for (int32_t size : {0, -1}) {
    ExpectEach("page_size must be 1 or more",
               [=](AttentionArgs& args, int32_t*) { args.page_size = size; });
  }
  ExpectEach("q, k or v is null or has another shape",
             [](AttentionArgs& args, int32_t*) { args.page_size = 3; });
  ExpectEach("max_pages pages must hold seqlen_k keys and fewer than 2^31",
             [](AttentionArgs& args, int32_t*) { args.max_pages = 2; });
  ExpectEach("block_table is null",
             [](AttentionArgs& args, int32_t*) { args.block_table = nullptr; });
  const int32_t used[] = {7, 2};  // of 3 pages of 2
  ExpectEach("seqused_k and leftpad_k must be given, not negative, and fit into seqlen_k",
             [&](AttentionArgs& args, int32_t*) { args.seqused_k = used; });
  const int32_t left[] = {1, 0};
  ExpectEach("keys in pages have no left pads",
             [&](AttentionArgs& args, int32_t*) { args.leftpad_k = left; });
}

TEST(PagedEntry, OtherKernelsRefusePages) {
  Problem problem(*Parse("lens_q=1 lens_k=1 dim=2 layout=paged:1"));
  const AttentionArgs args = problem.Args(false);
  int asked = 0;
  for (const KernelRow* row : RegisteredKernels()) {
    if (row->traits.layouts.Has(Layout::paged) || row->forward == nullptr) continue;
    ++asked;
    EXPECT_EQ(row->forward(args).code, StatusCode::rejected) << row->name;
  }
  EXPECT_GE(asked, 5);
}

}  // namespace
}  // namespace padproof
