// What is not emulated: the compiler says so in one line, at the line that asks for it, with the
// name and a remedy; what looks like it and is emulated compiles.

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "harness/simt/compile_test_util.h"

namespace padproof {
namespace {

struct Refusal {
  const char* name;    // as the message has it
  const char* remedy;  // part of the message
  const char* line;    // of a function body or, if it ends in '}', of a file
};

constexpr const char* kLaunch = "call padproof::simt::launch";

/// Refused where the word stands.
const std::vector<Refusal> kWords = {
    {"inline PTX (asm)", "needs a host branch", "asm volatile(\"mov.u32 %0, 5;\" : \"=r\"(r));"},
    {"inline PTX (asm)", "needs a host branch",
     "asm(\"cvta.to.shared.u64 %0, %1;\" : \"=l\"(l) : \"l\"(p));"},
    {"TMA (CUtensorMap)", "", "CUtensorMap map;"},
    {"cudaLaunchConfig_t", kLaunch, "cudaLaunchConfig_t config = {0};"},
    {"cudaLaunchAttribute", kLaunch, "cudaLaunchAttribute attributes[1];"},
    {"thread block clusters (__cluster_dims__)", "",
     "__global__ void __cluster_dims__(2, 1, 1) Clustered() {}"},
};

/// Refused where the function is called.
const std::vector<Refusal> kCalls = {
    {"__cvta_generic_to_shared", "host branch", "unsigned a = __cvta_generic_to_shared(p);"},
    {"__mbarrier_init", "", "__mbarrier_init(p, 1);"},
    {"cudaLaunchKernel", kLaunch, "cudaLaunchKernel((void*)Plain, dim3(1), dim3(1), args, 0, s0);"},
    {"cudaLaunchKernelEx", kLaunch, "cudaLaunchKernelEx(p, Plain);"},
    {"cudaLaunchKernelExC", kLaunch, "cudaLaunchKernelExC(p, (void*)Plain, args);"},
    {"cudaLaunchCooperativeKernel (grid-wide", "split the kernel",
     "cudaLaunchCooperativeKernel((void*)Plain, dim3(1), dim3(1), args);"},
    {"cuTensorMapEncodeTiled (TMA)", "", "cuTensorMapEncodeTiled(p, 1, 2);"},
    {"cudaGridDependencySynchronize", "", "cudaGridDependencySynchronize();"},
    {"cudaTriggerProgrammaticLaunchCompletion", "", "cudaTriggerProgrammaticLaunchCompletion();"},
    {"grid-wide synchronisation", "", "cooperative_groups::this_grid().sync();"},
    {"clusters", "", "cooperative_groups::this_cluster();"},
};

std::string SourceOf(const std::vector<Refusal>& refusals) {
  std::string source = "#include <cooperative_groups.h>\n__global__ void Plain() {}\n";
  for (const Refusal& refusal : refusals) {
    const std::string line = refusal.line;
    static int count = 0;
    source += line.back() == '}'
                  ? line + "\n"
                  : "void F" + std::to_string(count++) +
                        "(int* p, int r, long l, void** args, cudaStream_t s0) { " + line + " }\n";
  }
  return source;
}

/// Whether one line is an error and has all the texts.
bool HasError(const std::string& output, const std::vector<std::string>& texts) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const auto has = [&](const std::string& text) { return line.find(text) != std::string::npos; };
    if (has("error: ") && std::all_of(texts.begin(), texts.end(), has)) return true;
  }
  return false;
}

void ExpectRefused(const std::vector<Refusal>& refusals, bool at_its_line) {
  const std::string output = Compile(HostCompiler(), SourceOf(refusals)).output;
  for (size_t i = 0; i < refusals.size(); i++) {
    const auto& [name, remedy, line] = refusals[i];
    const std::string place = "snippet.cu:" + std::to_string(i + 3) + ":";
    EXPECT_TRUE(HasError(
        output, {"padproof simt: ", " not emulated", name, remedy, at_its_line ? place : ""}))
        << line << "\n"
        << output;
    EXPECT_NE(output.find(place), std::string::npos) << line << "\n" << output;
  }
}

TEST(UnsupportedTest, WordsAreRefusedAtTheirLine) { ExpectRefused(kWords, true); }

TEST(UnsupportedTest, CallsAreRefusedByTheirName) { ExpectRefused(kCalls, false); }

TEST(UnsupportedTest, WhatStandsBehindTheDevicesBranchCompiles) {
  const Compilation compilation = Compile(HostCompiler(), R"(
#include <cuda_runtime.h>
__device__ inline unsigned SharedAddress(const void* p) {
#if defined(__CUDA_ARCH__)
  unsigned r;
  asm volatile("mov.u32 %0, 5;" : "=r"(r));
  return r + __cvta_generic_to_shared(p);
#else
  return p == nullptr;
#endif
}
template <class T> __device__ void NeverCalled(T* p) { __cvta_generic_to_shared(p); }
#include <string>
#include <thread>
#include <vector>
#include <fstream>
#include <sys/stat.h>
)");
  EXPECT_TRUE(compilation.ok) << compilation.output;
  EXPECT_EQ(compilation.output, "");
}

TEST(UnsupportedTest, AFileMayKeepAsmForTheHost) {
  EXPECT_EQ(Compile(HostCompiler() + "-DSIMT_HOST_ASM ",
                    "#include <cuda_runtime.h>\nvoid F() { asm volatile(\"\" ::: \"memory\"); }\n")
                .output,
            "");
}

// Not in our words, but never in silence.
TEST(UnsupportedTest, ChevronsAndExternSharedAreErrorsToo) {
  const std::string output = Compile(HostCompiler(), R"(#include <cuda_runtime.h>
__global__ void K() {}
void F() { K<<<1, 32>>>(); }
__global__ void L() { extern __shared__ float d[]; d[0] = 1; }
)")
                                 .output;
  EXPECT_TRUE(HasError(output, {"snippet.cu:3:"})) << output;
  EXPECT_TRUE(HasError(output, {"snippet.cu:4:"})) << output;
}

}  // namespace
}  // namespace padproof
