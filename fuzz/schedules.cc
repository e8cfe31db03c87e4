// schedules: what must hold in whatever order blocks and threads run. Every case names an order;
// with PADPROOF_RACE=ON threads are stopped between memory accesses too, and a race ends the run.

#include "fuzz/target.h"

namespace padproof {
namespace {

void OrderIt(Case& c, const Domain&, Random& random) {
  if (c.schedule.order == Order::forward) {
    c.schedule.order = random.OneOf({Order::reverse, Order::random, Order::warp_lag});
  }
  if (random.Chance(30)) c.schedule.preempt = random.OneOf({1u, 2u, 4u, 8u, 32u, 128u});
  c.schedule.seed = c.schedule.Draws() ? random.Below(1000) : 0;
}

}  // namespace

const FuzzTarget& Target() {
  static const FuzzTarget target{
      .kernels = "*@simt",
      .laws = {"schedule_invariance", "determinism", "fully_written", "history_invariance",
               "oracle_agreement", "gradient_agreement", "guards_intact"},
      .bend = OrderIt};
  return target;
}

}  // namespace padproof
