// The way of one call to a device and back, on a fake one.

#include "harness/device/device_call.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "harness/case/generate.h"
#include "harness/device/testing/fake_device.h"

namespace padproof {
namespace {

constexpr const char* kLines[] = {
    "lens_q=2 lens_k=3 pad_k=1 dim=4 heads=2 sink=true bias=alibi",
    "lens_q=3,1 lens_k=2,5 pad_q=1 dim=3 layout=thd dtype=f16 backward=true",
    "lens_q=2 lens_k=3 dim=4 mask_form=additive dtype=bf16 strides=row_padded",
    "lens_q=2 lens_k=3 dim=4 bias=dense backward=true strides=offset",
    "lens_q=2,1 lens_k=5,3 dim=4 layout=paged:2",
    "lens_q=1 lens_k=0 dim=1"};

Case Line(const char* line) {
  const auto c = Parse(line);
  EXPECT_TRUE(c) << line << ": " << c.error().message;
  return *c;
}

/// What the argument arrays and tensors of one call hold, from the guard before each on.
struct Seen {
  std::vector<const void*> pointers;
  std::vector<std::vector<uint8_t>> bytes;
};

Seen Look(const AttentionArgs& a) {
  Seen seen;
  const auto look = [&](const void* data) {
    seen.pointers.push_back(data);
    seen.bytes.emplace_back();
    if (data == nullptr) return;
    // The guard before it holds no data of another buffer; views may begin an element later.
    const auto* first = static_cast<const uint8_t*>(data) - kGuardBytes + 64;
    seen.bytes.back().assign(first, first + 2 * (kGuardBytes - 64));
  };
  for (const Tensor& t :
       {a.q, a.k, a.v, a.o, a.lse, a.d_o, a.dq, a.dk, a.dv, a.attn_mask, a.attn_bias, a.dbias}) {
    look(t.data);
  }
  for (const int32_t* lengths : {a.seqused_q, a.seqused_k, a.leftpad_q, a.leftpad_k, a.cu_seqlens_q,
                                 a.cu_seqlens_k, a.block_table}) {
    look(lengths);
  }
  look(a.alibi_slopes);
  look(a.sink);
  look(a.workspace);
  return seen;
}

Seen seen;
size_t o_bytes;

// Looks at everything, and writes O and the workspace.
Status LookAndWrite(const AttentionArgs& a) {
  seen = Look(a);
  std::memset(a.o.data, 0x3C, o_bytes);
  static_cast<uint8_t*>(a.workspace)[0] = 1;
  return kOk;
}

KernelRow Row(LaunchFunction forward) {
  KernelRow row{.name = "row", .backend = "cuda", .forward = forward, .backward = forward};
  row.device = &fake_device::Table();
  return row;
}

class DeviceCallTest : public testing::Test {
 protected:
  void SetUp() override { fake_device::Reset(); }
  void TearDown() override {
    EXPECT_EQ(fake_device::Allocations(), 0);
    fake_device::Reset();
  }
};

TEST_F(DeviceCallTest, EveryBufferIsThereByteForByte) {
  static const KernelRow row = OnDevice(Row(LookAndWrite));
  for (const char* line : kLines) {
    const Case c = Line(line);
    Problem problem(c);
    AttentionArgs args = problem.Args(c.backward);
    args.workspace = problem.PrepareWorkspace(2 * kGuardBytes);
    const Seen host = Look(args);
    const auto inputs = problem.Bytes(Operand::q);
    o_bytes = c.strides == Strides::contiguous ? problem.Bytes(Operand::o).size() : 0;
    const Called called = Call(row, problem, args, c.backward);
    EXPECT_EQ(called.code, StatusCode::ok) << called.reason;
    for (size_t n = 0; n < host.pointers.size(); ++n) {
      EXPECT_EQ(seen.pointers[n] == nullptr, host.pointers[n] == nullptr) << line << " " << n;
      if (host.pointers[n] == nullptr) continue;
      EXPECT_NE(seen.pointers[n], host.pointers[n]) << line << " " << n;
      EXPECT_EQ(reinterpret_cast<uintptr_t>(seen.pointers[n]) % 64,
                reinterpret_cast<uintptr_t>(host.pointers[n]) % 64);
      // As far as both are sure to lie within the buffer and its guards.
      EXPECT_TRUE(std::equal(host.bytes[n].begin(), host.bytes[n].begin() + kGuardBytes,
                             seen.bytes[n].begin()))
          << line << " " << n;
    }
    EXPECT_EQ(problem.BrokenGuard(), "") << line;
    EXPECT_EQ(problem.Bytes(Operand::q), inputs) << line;
    if (o_bytes > 0) {
      EXPECT_EQ(problem.Bytes(Operand::o), std::vector<uint8_t>(o_bytes, 0x3C)) << line;
    }
    EXPECT_EQ(static_cast<const uint8_t*>(args.workspace)[0], 1) << "the workspace comes back";
  }
}

TEST_F(DeviceCallTest, DevicePointersAreNothingToTheHost) {
  Problem problem(Line(kLines[0]));
  const DeviceCall call(fake_device::Table(), problem.Memory());
  const auto* q = static_cast<const uint8_t*>(call.Moved(problem.Args(false)).q.data);
  EXPECT_DEATH(std::exit(*q), "");
  const fake_device::Running running;
  EXPECT_EQ(*q, problem.Bytes(Operand::q)[0]);
}

TEST_F(DeviceCallTest, FreshMemoryIsPoisonedAndEndsWhereItEnds) {
  const DeviceTable& device = fake_device::Table();
  void* data = nullptr;
  ASSERT_EQ(device.allocate(&data, 8192), 0);
  {
    const fake_device::Running running;
    auto* bytes = static_cast<uint8_t*>(data);
    EXPECT_EQ(bytes[0], 0xA5);
    EXPECT_EQ(bytes[8191], 0xA5);
    EXPECT_DEATH(bytes[8192] = 0, "");
    EXPECT_DEATH(bytes[-1] = 0, "");
  }
  EXPECT_EQ(device.release(data), 0);
}

TEST_F(DeviceCallTest, WhatTheDeviceSaysIsAFinding) {
  static const KernelRow silent = OnDevice(Row([](const AttentionArgs&) {
    fake_device::LeaveError(fake_device::kInvalidConfiguration);
    return kOk;
  }));
  static const KernelRow told = OnDevice(Row([](const AttentionArgs&) {
    fake_device::LeaveError(fake_device::kInvalidConfiguration);
    return Status{StatusCode::failed, "too many threads"};
  }));
  static const KernelRow rejects = OnDevice(
      Row([](const AttentionArgs&) { return Status{StatusCode::rejected, "no such dim"}; }));
  Problem problem(Line(kLines[0]));
  const AttentionArgs args = problem.Args(false);
  const Called silently = Call(silent, problem, args, false);
  EXPECT_EQ(silently.code, StatusCode::failed);
  EXPECT_EQ(silently.reason, "cudaErrorInvalidConfiguration (9) was left by the call");
  EXPECT_EQ(Call(told, problem, args, false).reason,
            "cudaErrorInvalidConfiguration (9) was left by the call: too many threads");
  const Called rejected = Call(rejects, problem, args, false);
  EXPECT_EQ(rejected.code, StatusCode::rejected) << "the error before it is not its own";
  EXPECT_EQ(rejected.reason, "no such dim");
  EXPECT_FALSE(DeviceIsLost());
}

TEST_F(DeviceCallTest, ALostDeviceIsLostForGood) {
  static const KernelRow astray = OnDevice(Row([](const AttentionArgs&) {
    fake_device::Lose(fake_device::kIllegalAddress);
    return kOk;
  }));
  const auto call = [] {
    Problem problem(Line(kLines[0]));
    const Called called = Call(astray, problem, problem.Args(false), false);
    std::fprintf(stderr, "%d %s", static_cast<int>(called.code), called.reason.c_str());
    std::_Exit(DeviceIsLost() ? 7 : 0);
  };
  EXPECT_EXIT(call(), testing::ExitedWithCode(7),
              "2 cudaErrorIllegalAddress \\(700\\) while the kernel ran");
}

TEST_F(DeviceCallTest, NothingIsSaidOfAKernelThatNeverRan) {
  static const KernelRow row = OnDevice(Row([](const AttentionArgs&) { return kOk; }));
  Problem problem(Line(kLines[0]));
  const auto refusal = [&](const AttentionArgs& args) -> std::string {
    try {
      Call(row, problem, args, false);
    } catch (const DeviceError& error) {
      return error.what();
    }
    return "ran";
  };
  AttentionArgs args = problem.Args(false);
  EXPECT_EQ(refusal(args), "ran");
  fake_device::FailNextUpload(fake_device::kInvalidConfiguration);
  EXPECT_EQ(refusal(args), "the device: cudaErrorInvalidConfiguration (9) copying the case to it");
  fake_device::LeaveError(fake_device::kInvalidConfiguration);
  EXPECT_EQ(refusal(args),
            "the device: cudaErrorInvalidConfiguration (9) was left over before the call");
  args.workspace = problem.PrepareWorkspace(fake_device::kMemoryBytes);
  EXPECT_NE(refusal(args).find("cudaErrorMemoryAllocation (2) allocating "), std::string::npos);
  EXPECT_FALSE(DeviceIsLost());
}

}  // namespace
}  // namespace padproof
