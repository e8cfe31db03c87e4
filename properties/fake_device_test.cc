// Every .cu kernel by way of a device: over a fake one each law says the same as on the host, to
// the last digit, since the same code ran on the same bytes.

#include <gtest/gtest.h>

#include "harness/drivers/device_rows.h"
#include "harness/drivers/kernel_info.h"
#include "harness/drivers/loaded_kernels.h"
#include "harness/drivers/paths.h"
#include "harness/drivers/random_cases.h"
#include "harness/judge/property.h"

namespace padproof {
namespace {

constexpr int kCases = 8;  // a law and a row

std::string Told(const Verdict& v) {
  const Failure& f = v.failure;
  std::string text = std::to_string(static_cast<int>(v.outcome)) + " " + v.reason + " " + f.kind +
                     " " + f.where + " " + f.expected + " " + f.got + " " + f.extent;
  for (const Closeness& close : v.closeness) {
    char ratio[64];
    std::snprintf(ratio, sizeof ratio, " %s %.17g", close.region.c_str(), close.worst);
    text += ratio;
  }
  return text;
}

const std::vector<const KernelRow*>& FakeRows() {
  static const auto rows = RowsOf(ExecutableDirectory() + "/tests/fake_cuda.so");
  static const bool started = rows && StartDevice(*(*rows)[0]->device);
  EXPECT_TRUE(started);
  return *rows;
}

TEST(FakeDevice, EveryCudaSourceIsThere) {
  size_t host = 0;
  const auto rows = RowsOf("");
  ASSERT_TRUE(rows);
  for (const KernelRow* row : *rows) host += TakesSchedule(row->backend);
  EXPECT_EQ(FakeRows().size(), host);
  for (const KernelRow* row : FakeRows()) EXPECT_NE(HostTwin(*row), nullptr) << row->name;
}

TEST(FakeDevice, LawsSayWhatTheySayOnTheHost) {
  int held = 0;
  for (const KernelRow* row : FakeRows()) {
    const KernelRow* twin = HostTwin(*row);
    ASSERT_NE(twin, nullptr);
    const KernelInfo info = Describe(*row, "");
    // Atomics come in one order on the SIMT layer, which lets laws compare bits there.
    const auto may_differ = [&](const Verdict& device) {
      return row->traits.promises.determinism != Determinism::both &&
             device.outcome == Outcome::not_applicable;
    };
    for (const Property* law : Properties()) {
      const bool compares_both = law->with_host_twin_only;
      for (int n = 0; n < kCases; ++n) {
        const uint64_t stream = HashOf({HashOf(info.id), HashOf(law->name)});
        Case c = DrawCase(DomainOf(info), stream, n, 100 * n / kCases);
        Random random(HashOf({stream, static_cast<uint64_t>(n), 1}));
        PrepareFor(*law, c, row->traits, random);
        c.schedule = {};
        const Verdict device = Judge(*law, *row, c);
        held += Held(device.outcome);
        if (compares_both) {
          EXPECT_NE(device.outcome, Outcome::fails) << info.id << " " << Print(c);
        } else if (!law->scheduled_only && !law->on_host_only && !may_differ(device)) {
          EXPECT_EQ(Told(device), Told(Judge(*law, *twin, c)))
              << law->name << " " << info.id << " " << Print(c);
        }
      }
    }
  }
  EXPECT_GT(held, 1000);
}

LaunchFunction forward;

TEST(FakeDevice, HostAgreementSeesAnotherResult) {
  const Property* law = FindProperty("host_agreement");
  ASSERT_NE(law, nullptr);
  const Case c = *Parse("lens_q=3 lens_k=5 dim=4 pad_k=1");
  for (const KernelRow* row : FakeRows()) {
    if (std::string_view(row->name) != "flash_fwd") continue;
    const Verdict right = Judge(*law, *row, c);
    EXPECT_EQ(right.outcome, Outcome::holds) << Told(right);
    KernelRow wrong = *row;
    forward = row->forward;
    wrong.forward = [](const AttentionArgs& args) {
      AttentionArgs other = args;
      other.softmax_scale *= 1.0001f;
      return forward(other);
    };
    const Verdict verdict = Judge(*law, wrong, c);
    EXPECT_EQ(verdict.outcome, Outcome::fails) << Told(verdict);
    EXPECT_EQ(Judge(*law, *HostTwin(*row), c).outcome, Outcome::not_applicable);
  }
}

}  // namespace
}  // namespace padproof
