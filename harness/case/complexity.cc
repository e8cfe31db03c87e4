// Decides which of two cases is the simpler one to a person.

#include <utility>

#include "harness/case/simplify.h"
#include "harness/case/values.h"

namespace padproof {
namespace {

uint64_t RankOfLen(int len) { return len >= 2 ? static_cast<uint64_t>(len) : len == 1 ? 0 : 1; }

/// By plainness to a person; among fills that no arithmetic may touch, NaN is the plainest.
uint64_t RankOfFill(Fill fill) {
  switch (fill) {
    case Fill::nan:
      return static_cast<uint64_t>(Fill::inf);
    case Fill::inf:
      return static_cast<uint64_t>(Fill::nan);
    default:
      return static_cast<uint64_t>(fill);
  }
}

/// Of so many pairs in a hundred: none, then half of them, which shows in the smallest shapes.
uint64_t RankOfHalf(int percent) {
  return percent == 0 ? 0 : percent == 50 ? 1 : static_cast<uint64_t>(percent) + 1;
}

/// A warp that lags is told in one sentence, a random order in none.
uint64_t RankOfOrder(Order order) {
  switch (order) {
    case Order::warp_lag:
      return static_cast<uint64_t>(Order::random);
    case Order::random:
      return static_cast<uint64_t>(Order::warp_lag);
    default:
      return static_cast<uint64_t>(order);
  }
}

/// Never is the plainest; then, the rarer a thread is preempted, the shorter the story.
uint64_t RankOfPreempt(uint32_t preempt) {
  return preempt == 0 ? 0 : (uint64_t{1} << 32) - preempt;
}

/// Sequences read best longest first.
bool IsBefore(const Case& c, size_t a, size_t b) {
  return std::pair(c.lens_k[a], c.lens_q[a]) > std::pair(c.lens_k[b], c.lens_q[b]);
}

uint64_t Inversions(const Case& c) {
  uint64_t count = 0;
  for (size_t b = 1; b < c.lens_q.size(); ++b) {
    for (size_t a = 0; a < b; ++a) count += IsBefore(c, b, a) ? 1 : 0;
  }
  return count;
}

}  // namespace

std::array<uint64_t, kComplexity> ComplexityOf(const Case& c) {
  const auto reach = [](int r) { return static_cast<uint64_t>(r + 1); };  // no bound is simplest
  uint64_t lens = 0;
  for (int len : c.lens_q) lens += RankOfLen(len);
  for (int len : c.lens_k) lens += RankOfLen(len);
  const auto pads = static_cast<uint64_t>(c.pad_q + c.pad_k);
  lens += pads + (c.pad_q > 0 ? 1 : 0) + (c.pad_k > 0 ? 1 : 0);  // a token less is no gain
  return {static_cast<uint64_t>(c.batch()),
          static_cast<uint64_t>(c.mask_form),
          RankOfHalf(c.holes),
          static_cast<uint64_t>(c.mask),
          reach(c.window.left) + reach(c.window.right),
          static_cast<uint64_t>(c.bias),
          c.scale == 100 ? 1u : static_cast<uint64_t>(c.scale) << 1,
          static_cast<uint64_t>(c.softcap),
          c.sink ? 1u : 0u,
          RankOfHalf(c.dropout),
          static_cast<uint64_t>(c.splits),
          static_cast<uint64_t>(c.group),
          static_cast<uint64_t>(c.heads),
          static_cast<uint64_t>(c.dim_v),
          static_cast<uint64_t>(c.dim),
          c.backward ? 1u : 0u,
          lens,
          pads,
          static_cast<uint64_t>(c.pad_q),
          static_cast<uint64_t>(c.pad_side),
          static_cast<uint64_t>(c.layout),
          static_cast<uint64_t>(c.page_size),
          static_cast<uint64_t>(c.strides),
          static_cast<uint64_t>(c.strided == kAllOperands ? kOperands : c.strided),
          static_cast<uint64_t>(c.dtype),
          RankOfPreempt(c.schedule.preempt),
          (RankOfOrder(c.schedule.order) << 32) + c.schedule.seed,
          static_cast<uint64_t>(c.values),
          RankOfFill(c.fill),
          c.seed,
          Inversions(c)};
}

}  // namespace padproof
