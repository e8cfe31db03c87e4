// Rows on the fake device that go wrong in every way a device knows, from three keys on: a plugin
// for tests.

#include <cstdint>
#include <cstring>

#include "harness/device/testing/fake_device.h"
#include "harness/judge/kernel.h"

namespace padproof {
namespace {

using fake_device::kIllegalAddress;
using fake_device::kInvalidConfiguration;

bool Provoked(const AttentionArgs& args) { return args.seqlen_k >= 3; }

Status Zeros(const AttentionArgs& args) {
  const int64_t count = args.o.size[0] * args.o.size[1] * args.o.size[2] * args.o.size[3];
  for (int64_t e = 0; e < count; ++e) static_cast<float*>(args.o.data)[e] = 0;
  return kOk;
}
Status RefusedLaunch(const AttentionArgs& args) {
  if (!Provoked(args)) return Zeros(args);
  fake_device::LeaveError(kInvalidConfiguration);
  return {StatusCode::failed, "invalid configuration argument"};
}
// What a host function does that checks no launch.
Status RefusedInSilence(const AttentionArgs& args) {
  if (Provoked(args)) fake_device::LeaveError(kInvalidConfiguration);
  return Zeros(args);
}
Status IllegalAddress(const AttentionArgs& args) {
  if (Provoked(args)) fake_device::Lose(kIllegalAddress);
  return Zeros(args);
}
// An error that the checked entry point of a kernel would take for bad lengths.
Status RejectedByError(const AttentionArgs& args) {
  if (!Provoked(args)) return Zeros(args);
  fake_device::Lose(kIllegalAddress);
  return {StatusCode::rejected, "the lengths cannot be read"};
}
Status PastTheEnd(const AttentionArgs& args) {
  const int64_t count = args.o.size[0] * args.o.size[1] * args.o.size[2] * args.o.size[3];
  if (Provoked(args)) static_cast<float*>(args.o.data)[count] = 1;
  return Zeros(args);
}
Status BeforeTheLengths(const AttentionArgs& args) {
  if (Provoked(args)) const_cast<int32_t*>(args.seqused_k)[-1] = 0;
  return Zeros(args);
}
Status ChangesQ(const AttentionArgs& args) {
  if (Provoked(args)) std::memset(args.q.data, 0x11, 1);
  return Zeros(args);
}
// Writes on and on, beyond all that is mapped.
Status RunsAway(const AttentionArgs& args) {
  constexpr int kPageBytes = 4096;
  for (auto* at = static_cast<char*>(args.o.data); Provoked(args); at += kPageBytes) *at = 1;
  return Zeros(args);
}
size_t TooMuch(const AttentionArgs& args) {
  return Provoked(args) ? fake_device::kMemoryBytes + 1 : 16;
}

#define ROW(title, ...) \
  PADPROOF_KERNEL({.name = "misbehaving_device." title, .backend = "cuda", __VA_ARGS__})
ROW("launch", .forward = RefusedLaunch);
ROW("silent", .forward = RefusedInSilence);
ROW("illegal", .forward = IllegalAddress);
ROW("rejected", .forward = RejectedByError);
ROW("past_end", .forward = PastTheEnd);
ROW("before_lengths", .forward = BeforeTheLengths);
ROW("changes_q", .forward = ChangesQ);
ROW("runs_away", .forward = RunsAway);
ROW("greedy", .forward = Zeros, .workspace_bytes = TooMuch);
#undef ROW

}  // namespace
}  // namespace padproof
