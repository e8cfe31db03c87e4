// Rows on a device through worker processes: its errors are findings about the case in flight, and
// without a device every row is named and skipped.

#include "harness/drivers/device_rows.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "harness/drivers/catalogue.h"
#include "harness/drivers/paths.h"
#include "harness/drivers/worker.h"

namespace padproof {
namespace {

constexpr const char* kCalm = "lens_q=1 lens_k=2 dim=1";
constexpr const char* kProvoking = "lens_q=2 lens_k=7 dim=2 heads=2 pad_k=3 seed=5";

std::string Library(const std::string& name) {
  return ExecutableDirectory() + "/tests/" + name + ".so";
}

class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
  }
  ~Environment() { unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

struct Ended {
  std::string text;  // stdout and stderr
  int exit_code = -1;
};

Ended Padproof(const std::string& arguments) {
  Ended ended;
  FILE* pipe = popen((WorkerProgram() + " " + arguments + " 2>&1").c_str(), "r");
  char chunk[4096];
  for (size_t got; (got = fread(chunk, 1, sizeof chunk, pipe)) > 0;) ended.text.append(chunk, got);
  ended.exit_code = WEXITSTATUS(pclose(pipe));
  return ended;
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class DeviceRowsTest : public testing::Test {
 protected:
  KernelInfo Kernel(const std::string& variant) {
    const auto rows = worker_.Load(Library("misbehaving_device"));
    EXPECT_TRUE(rows) << rows.error().message;
    for (const KernelInfo& row : *rows) {
      if (row.name == "misbehaving_device." + variant) return row;
    }
    ADD_FAILURE() << "no kernel " << variant;
    return {};
  }
  void ExpectFinding(const std::string& variant, const char* law, const std::string& kind,
                     const std::string& words) {
    const KernelInfo kernel = Kernel(variant);
    const auto verdict = worker_.Judge(kernel, law, kProvoking, 5);
    ASSERT_TRUE(verdict) << variant << ": " << verdict.error().message;
    EXPECT_EQ(verdict->outcome, Outcome::fails) << variant;
    EXPECT_EQ(verdict->failure.kind, kind) << variant;
    const std::string told = verdict->failure.where + " " + verdict->failure.got;
    EXPECT_TRUE(Has(told, words)) << variant << ": " << told;
    const auto after = worker_.Judge(kernel, law, kCalm, 5);
    ASSERT_TRUE(after) << variant << ": " << after.error().message;
    EXPECT_EQ(after->outcome, Outcome::holds) << variant << " afterwards: " << after->failure.got;
  }

  Worker worker_;
};

TEST_F(DeviceRowsTest, ErrorsOfADeviceAreFindingsAndTheWorkerGoesOn) {
  const char* law = "guards_intact";
  EXPECT_EQ(Kernel("launch").device, "fake device");
  ExpectFinding("launch", law, kind::kLaunch, "cudaErrorInvalidConfiguration (9)");
  ExpectFinding("silent", law, kind::kLaunch, "cudaErrorInvalidConfiguration (9)");
  ExpectFinding("illegal", law, kind::kLaunch, "cudaErrorIllegalAddress (700)");
  ExpectFinding("rejected", law, kind::kLaunch, "cudaErrorIllegalAddress (700)");
  ExpectFinding("runs_away", law, kind::kCrash, "");
}

TEST_F(DeviceRowsTest, LawsSeeWhatAKernelDidToTheCopy) {
  ExpectFinding("past_end", "guards_intact", kind::kGuard, "out: byte 1 past its end");
  ExpectFinding("before_lengths", "guards_intact", kind::kGuard,
                "seqused_k: byte 3 before its start");
  ExpectFinding("changes_q", "inputs_unchanged", kind::kInput, "");
}

TEST_F(DeviceRowsTest, ADeviceThatIsFullSaysNothingAboutTheKernel) {
  const KernelInfo kernel = Kernel("greedy");
  const auto verdict = worker_.Judge(kernel, "guards_intact", kProvoking, 5);
  ASSERT_FALSE(verdict);
  EXPECT_TRUE(Has(verdict.error().message, "cudaErrorMemoryAllocation (2) allocating"))
      << verdict.error().message;
  EXPECT_EQ(worker_.Judge(kernel, "guards_intact", kCalm, 5)->outcome, Outcome::holds);
}

TEST_F(DeviceRowsTest, ARowThatExpectsADeviceBringsOne) {
  const auto rows = worker_.Load(Library("cuda_without_device"));
  ASSERT_FALSE(rows);
  EXPECT_TRUE(Has(rows.error().message, "cuda_without_device@cuda expects device memory"));
}

// "17179869184" or "unlimited"
std::string AddressSpaceOf(pid_t pid) {
  std::ifstream limits("/proc/" + std::to_string(pid) + "/limits");
  for (std::string line; std::getline(limits, line);) {
    std::istringstream words(line);
    std::string max, address, space, soft;
    if (words >> max >> address >> space >> soft && address == "address") return soft;
  }
  return "unknown";
}

TEST_F(DeviceRowsTest, OnlyAStartedDeviceLiftsTheMemoryLimit) {
  ASSERT_TRUE(worker_.Load(""));
  const std::string before = AddressSpaceOf(worker_.pid());
  Worker without;
  {
    const Environment none("PADPROOF_FAKE_DEVICES", "0");
    ASSERT_TRUE(without.Load(Library("misbehaving_device")));
  }
  EXPECT_EQ(AddressSpaceOf(without.pid()), before);
  ASSERT_TRUE(worker_.Load(Library("misbehaving_device")));
  EXPECT_EQ(AddressSpaceOf(worker_.pid()), AddressSpaceOf(getpid()));
}

TEST_F(DeviceRowsTest, WithoutADeviceEveryRowIsNamedAndSkipped) {
  const Environment plugin("PADPROOF_DEVICE_PLUGINS", Library("misbehaving_device"));
  const Environment none("PADPROOF_FAKE_DEVICES", "0");
  auto kernels = FindKernels("misbehaving_device*", worker_);
  ASSERT_TRUE(kernels) << kernels.error().message;
  const auto missing = TakeMissing(*kernels);
  EXPECT_TRUE(kernels->empty());
  EXPECT_EQ(missing.size(), 9u);
  EXPECT_EQ(SkippedLines(missing).rfind("skipped: no device: misbehaving_device.", 0), 0u);
  const auto verdict = worker_.Judge(missing[0], "guards_intact", kCalm, 5);
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().message, missing[0].id + ": skipped: no device");
  const std::string one = "--kernel misbehaving_device.launch@cuda",
                    named = "misbehaving_device.launch@cuda";
  for (const std::string& command :
       {"list " + one, "check " + one, std::string("doctor"),
        "replay 'guards_intact " + named + " lens_q=1 lens_k=2 dim=1'"}) {
    const Ended ended = Padproof(command);
    EXPECT_EQ(ended.exit_code, 0) << command << "\n" << ended.text;
    EXPECT_TRUE(Has(ended.text, named)) << command << "\n" << ended.text;
    EXPECT_TRUE(Has(ended.text, "no device")) << command << "\n" << ended.text;
    const Environment required("PADPROOF_REQUIRE_DEVICE", "1");
    const Ended red = Padproof(command);
    EXPECT_EQ(red.exit_code, 3) << command << "\n" << red.text;
    EXPECT_TRUE(Has(red.text, "padproof: PADPROOF_REQUIRE_DEVICE is set, and ")) << red.text;
  }
}

TEST_F(DeviceRowsTest, WithoutNvccEveryRowIsNamedAndSkipped) {
  const Environment plugin("PADPROOF_DEVICE_PLUGINS", "");
  auto kernels = FindKernels("*", worker_);
  ASSERT_TRUE(kernels) << kernels.error().message;
  size_t host = 0;
  for (const KernelInfo& kernel : *kernels) host += kernel.backend == "simt";
  const auto missing = TakeMissing(*kernels);
  EXPECT_EQ(missing.size(), host);
  for (const KernelInfo& kernel : missing) {
    EXPECT_EQ(kernel.id, kernel.name + "@cuda");
    EXPECT_EQ(kernel.missing.rfind("not built (", 0), 0u) << kernel.missing;
  }
  const Environment required("PADPROOF_REQUIRE_DEVICE", "1");
  EXPECT_EQ(Padproof("check --kernel flash_fwd@cuda").exit_code, 3);
  EXPECT_EQ(Padproof("list --kernel flash_fwd@simt").exit_code, 0) << "nothing is missing there";
}

}  // namespace
}  // namespace padproof
