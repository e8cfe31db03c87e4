// The toolkit's header names in include/: a file that includes them compiles on the host, the
// numbers in them are the toolkit's, and what is not emulated is refused by one line that names the
// header.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "harness/simt/compile_test_util.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

/// As an #include spells them.
std::vector<std::string> Headers(bool refused) {
  const fs::path root = fs::path(PADPROOF_SOURCE_DIRECTORY) / "harness/simt/include";
  std::vector<std::string> headers;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file() || entry.path().extension() == ".md") continue;
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    const bool has_error = text.str().find("#error") != std::string::npos;
    if (has_error == refused) headers.push_back(fs::relative(entry, root).string());
  }
  std::sort(headers.begin(), headers.end());
  return headers;
}

std::string IncludeAll(const std::vector<std::string>& headers) {
  std::string source;
  for (const std::string& header : headers) source += "#include <" + header + ">\n";
  return source;
}

/// How kernel libraries spell declarations.
constexpr const char* kThirdParty = R"(
#include <cuda_runtime.h>
__device__ int counter;
__constant__ float table[64];
static __device__ int static_counter = 3;
static __constant__ float static_table[2] = {1, 2};
__constant__ static const float constants[2] = {1, 2};
__device__ __constant__ int both = 7;
__managed__ int managed;
__device__ __managed__ int device_managed;
struct __align__(16) Wide { float x[4]; };
struct __builtin_align__(8) Narrow { float x[2]; };
template <class T> __device__ __forceinline__ T Same(T x) { return x; }
__device__ __noinline__ float NotInlined(float x) { return Same(x); }
static __device__ __inline__ float Inlined(float x) { return x; }
__host__ __device__ constexpr int Both(int x) { return x; }
template <int N>
__global__ void __launch_bounds__(128, 2) Kernel(float* __restrict__ out,
                                                 const __grid_constant__ Wide in) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  auto lambda = [=] __device__(float x) { return x + static_cast<float>(N); };
  out[i] = NotInlined(in.x[0]) + table[i % 64] + static_table[0] + both + CUDART_PI_F +
           Both(managed) + lambda(1.0f) + constants[1] + Inlined(1.0f);
  atomicAdd(&counter, 1);
  device_managed = static_counter;
}
void Host(float* p) {
  cudaStream_t stream = 0;
  cudaFuncSetAttribute(Kernel<1>, cudaFuncAttributeMaxDynamicSharedMemorySize, 1 << 16);
  cudaFuncSetAttribute((const void*)Kernel<1>, cudaFuncAttributePreferredSharedMemoryCarveout, 100);
  cudaDeviceProp properties;
  cudaGetDeviceProperties(&properties, 0);
  int blocks = properties.multiProcessorCount;
  cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, Kernel<1>, 128, 0);
  padproof::simt::launch(Kernel<1>, dim3(1), dim3(128), 0, stream, p, Wide{});
  static_assert(CUDART_VERSION >= 12000);
}
)";

TEST(IncludeTest, AThirdPartyFileCompilesWithoutAWarning) {
  EXPECT_EQ(Compile(HostCompiler() + "-Wshadow ", kThirdParty).output, "");
}

TEST(IncludeTest, EmulatedHeadersComeInAnyOrder) {
  std::vector<std::string> headers = Headers(false);
  EXPECT_EQ(std::count(headers.begin(), headers.end(), "cooperative_groups/reduce.h"), 1);
  std::string source = IncludeAll(headers);
  std::reverse(headers.begin(), headers.end());
  for (const std::string& first : {source, IncludeAll(headers)}) {
    EXPECT_EQ(
        Compile(HostCompiler(), first + "__global__ void K(__half* p) { p[threadIdx.x] = p[0]; }")
            .output,
        "");
  }
}

TEST(IncludeTest, EachRefusedHeaderSaysSo) {
  const std::vector<std::string> headers = Headers(true);
  EXPECT_EQ(std::count(headers.begin(), headers.end(), "cuda/barrier"), 1);
  const std::string output = Compile(HostCompiler(), IncludeAll(headers)).output;
  for (const std::string& header : headers) {
    const size_t at = output.find("(<" + header + ">) not emulated");
    ASSERT_NE(at, std::string::npos) << header;
    const size_t line = output.rfind('\n', at) + 1;
    EXPECT_NE(output.substr(line, at - line).find("error"), std::string::npos) << header;
  }
}

// ---- against the toolkit, where there is one ----------------------------------------------------

#if defined(PADPROOF_CUDA_INCLUDE_DIR)
constexpr const char* kToolkit = PADPROOF_CUDA_INCLUDE_DIR;
#else
constexpr const char* kToolkit = "";
#endif
/// "name = number," for each enumerator of ours, from the text of host_api_types.h.
std::string AssertionsOnEnumerators() {
  std::ifstream file(std::string(PADPROOF_SOURCE_DIRECTORY) + "/harness/simt/host_api_types.h");
  std::string assertions;
  for (std::string line; std::getline(file, line);) {
    const size_t name = line.find_first_not_of(' '), equals = line.find(" = ");
    const bool enumerator = name == 2 && line.compare(2, 4, "cuda") == 0 && line.back() == ',' &&
                            equals != std::string::npos;
    if (!enumerator) continue;
    assertions += "static_assert(int(" + line.substr(2, equals - 2) +
                  ") == " + line.substr(equals + 3, line.size() - equals - 4) + ");\n";
  }
  return assertions;
}

TEST(IncludeToolkitTest, NumbersAreTheToolkits) {
  if (*kToolkit == '\0') GTEST_SKIP() << "no CUDA Toolkit";
  const std::string assertions = AssertionsOnEnumerators();
  ASSERT_GT(std::count(assertions.begin(), assertions.end(), '\n'), 50);
  const std::string source =
      "#include <cuda_runtime_api.h>\n"
      "#define PADPROOF_SIMT_ERROR(name, number, text) static_assert(int(name) == number);\n"
      "#include \"harness/simt/error_codes.inc\"\n" +
      assertions;
  const Compilation compilation =
      Compile(std::string(PADPROOF_CXX_COMPILER " -x c++ -fsyntax-only -std=c++20 -I") +
                  PADPROOF_SOURCE_DIRECTORY + " -isystem " + kToolkit + " ",
              source);
  EXPECT_TRUE(compilation.ok) << compilation.output;
}

}  // namespace
}  // namespace padproof
