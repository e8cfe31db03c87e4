// A library that cannot be taken over is one line: the library, the row, what is wrong, what to do.

#include "harness/drivers/loaded_kernels.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "harness/drivers/paths.h"
#include "harness/drivers/worker.h"

namespace padproof {
namespace {

/// What a fresh worker says of the library that is wrong so; "" if it takes it.
std::string WhyRefused(const char* wrong) {
  setenv("PADPROOF_BAD_LIBRARY", wrong, 1);
  const std::string library = ExecutableDirectory() + "/tests/bad_library.so";
  Worker worker;
  const auto rows = worker.Load(library);
  unsetenv("PADPROOF_BAD_LIBRARY");
  if (rows) return {};
  const std::string& message = rows.error().message;
  EXPECT_EQ(message.rfind(library + ": ", 0), 0u) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  return message.substr(std::min(message.size(), library.size() + 2));
}

TEST(LoadedKernels, ABadTableIsRefused) {
  EXPECT_EQ(WhyRefused("nothing"), "");
  EXPECT_EQ(WhyRefused("no table"), "padproof_plugin() returns null instead of a table of rows");
  EXPECT_EQ(WhyRefused("no list"), "padproof_plugin() returns a count of rows and no rows");
  EXPECT_EQ(WhyRefused("no rows"),
            "no kernel is in it; link a file that says PADPROOF_KERNEL, see harness/README.md");
  EXPECT_NE(WhyRefused("version").find("; rebuild it"), std::string::npos);
}

TEST(LoadedKernels, ABadRowIsRefusedByNameOrNumber) {
  EXPECT_EQ(WhyRefused("no row"), "row 2: null; it must be a row");
  EXPECT_EQ(WhyRefused("no name").rfind("row 2: name is null; it must be ", 0), 0u);
  EXPECT_EQ(WhyRefused("no head dim"), "row second: dim_max is 0; it must be at least 1");
}

TEST(LoadedKernels, ALibraryThatEndsTheWorkerIsToldSo) {
  const std::string message = WhyRefused("dies");
  EXPECT_EQ(message.rfind("the worker that loaded it died: ", 0), 0u) << message;
  EXPECT_NE(message.find(", and said 'last words'; see in a debugger"), std::string::npos)
      << message;
}

TEST(LoadedKernels, ACommaSeparatesNoLibraries) {
  Worker worker;
  const auto rows = worker.Load("/nowhere/a.so,/nowhere/b.so");
  ASSERT_FALSE(rows);
  const std::string& message = rows.error().message;
  EXPECT_NE(message.find("; ':' separates libraries, ',' does not"), std::string::npos) << message;
}

}  // namespace
}  // namespace padproof
