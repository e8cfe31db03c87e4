// Kernels that break out of every frame: a plugin for the tests of the worker processes.

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <vector>

#include "harness/judge/kernel.h"

namespace padproof {
namespace {

// Writes zeros everywhere, which is right for no law but ends well.
Status Zeros(const AttentionArgs& args) {
  const int64_t count = args.o.size[0] * args.o.size[1] * args.o.size[2] * args.o.size[3];
  for (int64_t e = 0; e < count; ++e) static_cast<float*>(args.o.data)[e] = 0;
  return kOk;
}

// Each misbehaves from three keys on, so that shrinking has something to find.
bool Provoked(const AttentionArgs& args) { return args.seqlen_k >= 3; }

Status Segfault(const AttentionArgs& args) {
  if (Provoked(args)) std::raise(SIGSEGV);
  return Zeros(args);
}
Status Abort(const AttentionArgs& args) {
  if (Provoked(args)) std::abort();
  return Zeros(args);
}
Status Exit(const AttentionArgs& args) {
  if (Provoked(args)) std::exit(0);
  return Zeros(args);
}
Status Hang(const AttentionArgs& args) {
  for (volatile bool on = Provoked(args); on;) {
  }
  return Zeros(args);
}
// Computes for 0.2 s of processor time, however long that takes.
Status Busy(const AttentionArgs& args) {
  const std::clock_t start = std::clock();
  while (Provoked(args) && std::clock() - start < CLOCKS_PER_SEC / 5) {
  }
  return Zeros(args);
}
// Hangs from five keys on, and takes longer with fewer than a hang is shrunk with.
Status Slow(const AttentionArgs& args) {
  while (args.seqlen_k >= 5) pause();
  if (Provoked(args)) usleep(1'050'000);
  return Zeros(args);
}
Status Sleep(const AttentionArgs& args) {
  while (Provoked(args)) pause();
  return Zeros(args);
}
// Leaves a copy of its process behind at every call; the copy returns like the process itself.
Status Fork(const AttentionArgs& args) {
  static_cast<void>(fork());
  return Zeros(args);
}
// The same, and what it leaves behind does not end by itself.
Status ForkAndDie(const AttentionArgs& args) {
  if (!Provoked(args)) return Zeros(args);
  if (fork() == 0) {
    while (true) pause();
  }
  std::raise(SIGSEGV);
  return kOk;
}
Status Throw(const AttentionArgs& args) {
  if (Provoked(args)) throw std::runtime_error("thrown by a kernel");
  return Zeros(args);
}
Status EatMemory(const AttentionArgs& args) {
  if (Provoked(args)) {
    std::vector<std::unique_ptr<char[]>> eaten;
    for (;;) eaten.emplace_back(new char[size_t{1} << 32]);  // never touched: address space only
  }
  return Zeros(args);
}
// Nothing to see but for UBSan.
Status Overflow(const AttentionArgs& args) {
  volatile int32_t most = INT32_MAX;
  if (Provoked(args)) most = most + 1;
  return Zeros(args);
}
Status Shout(const AttentionArgs& args) {
  std::printf("{\"error\":\"a kernel that prints must not be taken for an answer\"}\n");
  std::fflush(stdout);
  return Zeros(args);
}
Status CloseEverything(const AttentionArgs& args) {
  if (Provoked(args)) {
    for (int fd = 0; fd < 1024; ++fd) close(fd);
  }
  return Zeros(args);
}
Status Reject(const AttentionArgs& args) {
  if (Provoked(args)) return {StatusCode::rejected, "three keys are too many"};
  return Zeros(args);
}
Status FailToLaunch(const AttentionArgs& args) {
  if (Provoked(args)) return {StatusCode::failed, "invalid configuration argument"};
  return Zeros(args);
}
// One corner of a tile, a pad, a mask and lengths at once.
Status Corner(const AttentionArgs& args) {
  const int len_q = args.seqused_q[0], len_k = args.seqused_k[0];
  const bool corner = args.batch == 1 && args.mask == Mask::causal_br && len_k == 4 &&
                      args.seqlen_k == 5 && len_q > len_k;
  if (corner) std::raise(SIGSEGV);
  return Zeros(args);
}

constexpr KernelTraits kSmallTiles{
    .masks = SetOf(Mask::none, Mask::causal_br), .tile_q = 4, .tile_k = 4};

PADPROOF_KERNEL(
    {.name = "misbehaving.corner", .backend = "cpu", .traits = kSmallTiles, .forward = Corner});
PADPROOF_KERNEL({.name = "misbehaving.segfault", .backend = "cpu", .forward = Segfault});
PADPROOF_KERNEL({.name = "misbehaving.abort", .backend = "cpu", .forward = Abort});
PADPROOF_KERNEL({.name = "misbehaving.exit", .backend = "cpu", .forward = Exit});
PADPROOF_KERNEL({.name = "misbehaving.fork", .backend = "cpu", .forward = Fork});
PADPROOF_KERNEL({.name = "misbehaving.fork_and_die", .backend = "cpu", .forward = ForkAndDie});
PADPROOF_KERNEL({.name = "misbehaving.hang", .backend = "cpu", .forward = Hang});
PADPROOF_KERNEL({.name = "misbehaving.busy", .backend = "cpu", .forward = Busy});
PADPROOF_KERNEL({.name = "misbehaving.sleep", .backend = "cpu", .forward = Sleep});
PADPROOF_KERNEL({.name = "misbehaving.slow", .backend = "cpu", .forward = Slow});
PADPROOF_KERNEL({.name = "misbehaving.throw", .backend = "cpu", .forward = Throw});
PADPROOF_KERNEL({.name = "misbehaving.memory", .backend = "cpu", .forward = EatMemory});
PADPROOF_KERNEL({.name = "misbehaving.overflow", .backend = "cpu", .forward = Overflow});
PADPROOF_KERNEL({.name = "misbehaving.shout", .backend = "cpu", .forward = Shout});
PADPROOF_KERNEL({.name = "misbehaving.close", .backend = "cpu", .forward = CloseEverything});
PADPROOF_KERNEL({.name = "misbehaving.reject", .backend = "cpu", .forward = Reject});
PADPROOF_KERNEL({.name = "misbehaving.launch", .backend = "cpu", .forward = FailToLaunch});

}  // namespace
}  // namespace padproof
