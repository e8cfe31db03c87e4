// Device memory on the host: allocating, freeing, copying, device variables, and that a write
// outside device memory is reported by the name of the allocation.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "harness/simt/host_test_util.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

__device__ int counter = 5;
__constant__ float table[8];
__device__ __constant__ float unused_by_kernels[2] = {1, 2};

__global__ void Scale(const float* in, float* out, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) out[i] = in[i] * table[i % 8];
  if (i == 0) counter++;
}

__global__ void StoreAt(char* data, long long offset) { data[offset] = 1; }

using HostMemoryTest = HostTest;

// ---- memory -------------------------------------------------------------------------------------

TEST_F(HostMemoryTest, AKernelComputesOnDeviceMemory) {
  std::vector<float> in(100), out(100), factors = {1, 2, 3, 4, 5, 6, 7, 8};
  std::iota(in.begin(), in.end(), 0.0f);
  float* device_in = Device(100);
  float* device_out = Device(100);
  EXPECT_OK(cudaMemcpy(device_in, in.data(), 400, cudaMemcpyHostToDevice));
  EXPECT_OK(cudaMemcpyToSymbol(table, factors.data(), 32));
  int before = 0, after = 0;
  EXPECT_OK(cudaMemcpyFromSymbol(&before, counter, sizeof before));
  EXPECT_OK(simt::launch(Scale, 4, 32, 0, nullptr, device_in, device_out, 100));
  EXPECT_OK(simt::launch(Scale, 4, 32, 0, nullptr, device_in, device_out, 100));
  EXPECT_OK(cudaMemcpy(out.data(), device_out, 400, cudaMemcpyDeviceToHost));
  EXPECT_OK(cudaMemcpyFromSymbol(&after, counter, sizeof after));
  for (int i = 0; i < 100; i++) EXPECT_EQ(out[i], static_cast<float>(i) * factors[i % 8]);
  EXPECT_EQ(after, before + 2);
  EXPECT_OK(cudaFree(device_in));
  EXPECT_OK(cudaFree(device_out));
}

TEST_F(HostMemoryTest, FreshMemoryIsAlignedAndFilled) {
  const unsigned char fill = simt::CurrentOptions().fill;
  simt::CurrentOptions().fill = 0x5A;
  auto* data = Device<unsigned char>(1001);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 256, 0u);
  for (int i = 0; i < 1001; i++) ASSERT_EQ(data[i], 0x5A) << i;
  simt::CurrentOptions().fill = fill;
}

TEST_F(HostMemoryTest, OnlyWhatWasAllocatedSoCanBeFreedOnce) {
  float* device = Device(4);
  float *pinned = nullptr, *managed = nullptr;
  EXPECT_OK(cudaMallocHost(&pinned, 16));
  EXPECT_OK(cudaMallocManaged(&managed, 16));
  EXPECT_EQ(cudaFree(device + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(pinned), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeHost(device), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeHost(managed), cudaErrorInvalidValue);
  float of_the_host[4] = {};
  EXPECT_EQ(cudaFree(of_the_host), cudaErrorInvalidValue);
  EXPECT_OK(cudaFree(device));
  EXPECT_EQ(cudaFree(device), cudaErrorInvalidValue);
  EXPECT_OK(cudaFreeHost(pinned));
  EXPECT_OK(cudaFree(managed));
  EXPECT_OK(cudaFree(nullptr));
  EXPECT_OK(cudaFreeHost(nullptr));
}

TEST_F(HostMemoryTest, SizesAndFlagsThatADeviceRefuses) {
  int unchanged = 0;
  int* pointer = &unchanged;
  EXPECT_EQ(cudaMalloc(&pointer, size_t{1} << 60), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&pointer, SIZE_MAX), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMallocHost(&pointer, SIZE_MAX), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMallocManaged(&pointer, 0), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMallocManaged(&pointer, 4, 3), cudaErrorInvalidValue);
  EXPECT_EQ(cudaHostAlloc(&pointer, 4, 8), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMalloc(static_cast<int**>(nullptr), 4), cudaErrorInvalidValue);
  EXPECT_EQ(pointer, &unchanged);
  EXPECT_OK(cudaMalloc(&pointer, 0));
  EXPECT_EQ(pointer, nullptr);
}

TEST_F(HostMemoryTest, MemoryInUseIsCounted) {
  size_t free_before = 0, free_between = 0, free_after = 0, total = 0;
  EXPECT_OK(cudaMemGetInfo(&free_before, &total));
  float* data = Device(1000);
  EXPECT_OK(cudaMemGetInfo(&free_between, &total));
  EXPECT_OK(cudaFree(data));
  EXPECT_OK(cudaMemGetInfo(&free_after, &total));
  EXPECT_EQ(free_before - free_between, 4000u);
  EXPECT_EQ(free_after, free_before);
  EXPECT_EQ(total, cudaDeviceProp{}.totalGlobalMem);
}

TEST_F(HostMemoryTest, PointersTellWhatTheyAre) {
  float* device = Device(4);
  float *pinned = nullptr, *managed = nullptr, host[4] = {};
  EXPECT_OK(cudaMallocHost(&pinned, 16));
  EXPECT_OK(cudaMallocManaged(&managed, 16));
  const auto type_of = [](const void* pointer) {
    cudaPointerAttributes attributes;
    EXPECT_OK(cudaPointerGetAttributes(&attributes, pointer));
    return attributes.type;
  };
  EXPECT_EQ(type_of(device + 3), cudaMemoryTypeDevice);
  EXPECT_EQ(type_of(device + 4), cudaMemoryTypeUnregistered);
  EXPECT_EQ(type_of(pinned), cudaMemoryTypeHost);
  EXPECT_EQ(type_of(managed), cudaMemoryTypeManaged);
  EXPECT_EQ(type_of(host), cudaMemoryTypeUnregistered);
  EXPECT_OK(cudaHostRegister(host, sizeof host, cudaHostRegisterDefault));
  EXPECT_EQ(type_of(host), cudaMemoryTypeHost);
  EXPECT_EQ(cudaHostRegister(host, 4, 0), cudaErrorHostMemoryAlreadyRegistered);
  EXPECT_OK(cudaHostUnregister(host));
  EXPECT_EQ(cudaHostUnregister(host), cudaErrorHostMemoryNotRegistered);
  EXPECT_EQ(type_of(host), cudaMemoryTypeUnregistered);
}

TEST_F(HostMemoryTest, LiveAllocationsAreListedWithTheirOrigin) {
  float* data = Device(10);
  const unsigned line = __LINE__ + 2;
  char* second = nullptr;
  EXPECT_OK(cudaMalloc(&second, 77));
  std::map<const void*, simt::DeviceAllocation> known;
  simt::ForEachDeviceAllocation([&](const simt::DeviceAllocation& a) { known[a.data] = a; });
  ASSERT_EQ(known.count(data), 1u);
  ASSERT_EQ(known.count(second), 1u);
  EXPECT_EQ(known[second].bytes, 77u);
  EXPECT_EQ(known[second].where.line(), line);
  EXPECT_NE(std::string(known[second].where.file_name()).find("host_memory_test"),
            std::string::npos);
  EXPECT_OK(cudaFree(second));
  known.clear();
  simt::ForEachDeviceAllocation([&](const simt::DeviceAllocation& a) { known[a.data] = a; });
  EXPECT_EQ(known.count(second), 0u);
}

// ---- copies -------------------------------------------------------------------------------------

TEST_F(HostMemoryTest, CopiesPastTheEndAreRefusedAndCopyNothing) {
  auto* device = Device<char>(10);
  char host[32] = {};
  EXPECT_OK(cudaMemset(device, 1, 10));
  EXPECT_EQ(cudaMemset(device, 2, 11), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(device + 5, 2, 6), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(device + 10, 2, 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device, host, 11, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device + 9, host, 2, cudaMemcpyDefault), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host, device, SIZE_MAX, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host, device + 1, 10, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  for (int i = 0; i < 10; i++) EXPECT_EQ(device[i], 1);
  EXPECT_EQ(std::count(host, host + 32, 0), 32);
  EXPECT_OK(cudaMemcpy(host, device + 1, 9, cudaMemcpyDeviceToHost));
  EXPECT_EQ(std::count(host, host + 32, 1), 9);
  EXPECT_OK(cudaMemcpy(nullptr, nullptr, 0, cudaMemcpyDeviceToHost));
}

TEST_F(HostMemoryTest, EachSideOfACopyIsWhereItsDirectionSays) {
  int* device = Device<int>(4);
  int host[4] = {1, 2, 3, 4}, other[4] = {};
  EXPECT_EQ(cudaMemcpy(device, host, 16, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host, other, 16, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device, host, 16, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device, host, 16, cudaMemcpyHostToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(host, 0, 16), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device, nullptr, 16, cudaMemcpyDefault), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device, host, 16, static_cast<cudaMemcpyKind>(5)),
            cudaErrorInvalidMemcpyDirection);
  EXPECT_OK(cudaMemcpy(device, host, 16, cudaMemcpyDefault));
  EXPECT_OK(cudaMemcpy(other, device, 16, cudaMemcpyDefault));
  EXPECT_EQ(std::vector<int>(other, other + 4), (std::vector<int>{1, 2, 3, 4}));
  int* managed = nullptr;
  EXPECT_OK(cudaMallocManaged(&managed, 16));
  EXPECT_OK(cudaMemcpy(managed, host, 16, cudaMemcpyHostToDevice));
  EXPECT_OK(cudaMemcpy(managed, host, 16, cudaMemcpyHostToHost));
}

TEST_F(HostMemoryTest, FreedMemoryIsNobodys) {
  int* device = Device<int>(4);
  int host[4] = {};
  EXPECT_OK(cudaFree(device));
  EXPECT_EQ(cudaMemcpy(device, host, 16, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(device, 0, 16), cudaErrorInvalidValue);
}

TEST_F(HostMemoryTest, RowsAreCopiedByTheirPitches) {
  char* device = nullptr;
  size_t pitch = 0;
  EXPECT_OK(cudaMallocPitch(&device, &pitch, 5, 3));
  EXPECT_EQ(pitch, 512u);
  const char text[] = "abcdeXfghijXklmno";
  char back[16] = {};
  EXPECT_OK(cudaMemcpy2D(device, pitch, text, 6, 5, 3, cudaMemcpyHostToDevice));
  EXPECT_OK(cudaMemcpy2D(back, 5, device, pitch, 5, 3, cudaMemcpyDeviceToHost));
  EXPECT_STREQ(back, "abcdefghijklmno");
  EXPECT_OK(cudaMemset2D(device, pitch, 'z', 2, 3));
  EXPECT_EQ(std::string(device + 2 * pitch, 5), "zzmno");
  EXPECT_EQ(cudaMemcpy2D(device, 4, text, 6, 5, 3, cudaMemcpyHostToDevice),
            cudaErrorInvalidPitchValue);
  EXPECT_EQ(cudaMemcpy2D(device, pitch, text, 4, 5, 3, cudaMemcpyHostToDevice),
            cudaErrorInvalidPitchValue);
  EXPECT_EQ(cudaMemcpy2D(back, 4, device, pitch, 5, 1, cudaMemcpyDeviceToHost),
            cudaErrorInvalidPitchValue);
  EXPECT_EQ(cudaMemset2D(device, 4, 0, 5, 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset2D(device, pitch, 0, 5, 4), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset2D(device, SIZE_MAX / 2, 0, 5, 4), cudaErrorInvalidValue);
}

// ---- device variables ---------------------------------------------------------------------------

TEST_F(HostMemoryTest, SymbolsHaveASizeAndABound) {
  float values[8] = {};
  size_t bytes = 0;
  EXPECT_OK(cudaGetSymbolSize(&bytes, table));
  EXPECT_EQ(bytes, 32u);
  EXPECT_EQ(cudaMemcpyToSymbol(table, values, 33), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyToSymbol(table, values, 8, 28), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyToSymbol(table, values, 1, SIZE_MAX), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyToSymbol(table, values, 4, 0, cudaMemcpyDeviceToHost),
            cudaErrorInvalidMemcpyDirection);
  EXPECT_EQ(cudaMemcpyFromSymbol(values, table, 4, 0, cudaMemcpyHostToDevice),
            cudaErrorInvalidMemcpyDirection);
  const float two = 2;
  EXPECT_OK(cudaMemcpyToSymbol(table, &two, 4, 12));
  EXPECT_OK(cudaMemcpyFromSymbol(values, table, 8, 8));
  EXPECT_EQ(values[1], 2.0f);
}

TEST_F(HostMemoryTest, TheAddressOfASymbolIsDeviceMemory) {
  float* address = nullptr;
  float values[2] = {3, 4}, back[2] = {};
  EXPECT_OK(cudaGetSymbolAddress(&address, unused_by_kernels));
  EXPECT_OK(cudaMemcpy(address, values, 8, cudaMemcpyHostToDevice));
  EXPECT_EQ(cudaMemcpy(address, values, 12, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_OK(cudaMemcpyFromSymbol(back, unused_by_kernels, 8));
  EXPECT_EQ(back[1], 4.0f);
  EXPECT_EQ(cudaMemcpy(back, address, 8, cudaMemcpyHostToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(address), cudaErrorInvalidValue);
  float* element = nullptr;
  EXPECT_OK(cudaGetSymbolAddress(&address, table));
  EXPECT_OK(cudaGetSymbolAddress(&element, table[2]));
  EXPECT_OK(cudaMemcpy(address + 3, values, 4, cudaMemcpyHostToDevice)) << "still of the whole";
}

TEST_F(HostMemoryTest, TheOtherEndOfASymbolCopyIsWhereItsDirectionSays) {
  float* device = Device(2);
  float host[2] = {5, 6};
  EXPECT_EQ(cudaMemcpyToSymbol(table, device, 8), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyFromSymbol(device, table, 8), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyToSymbol(table, host, 8, 0, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue);
  EXPECT_OK(cudaMemcpyToSymbol(table, host, 8));
  EXPECT_OK(cudaMemcpyFromSymbol(device, table, 8, 0, cudaMemcpyDeviceToDevice));
  EXPECT_EQ(device[1], 6.0f);
  EXPECT_OK(cudaMemcpyToSymbol(table, device, 8, 8, cudaMemcpyDefault));
  EXPECT_OK(cudaMemcpyFromSymbol(host, table, 4, 12, cudaMemcpyDefault));
  EXPECT_EQ(host[0], 6.0f);
}

// ---- writes outside device memory ---------------------------------------------------------------

#if defined(SIMT_ASAN)
#define EXPECT_REPORT(statement, own_text) EXPECT_DEATH(statement, "AddressSanitizer")
#else
#define EXPECT_REPORT(statement, own_text) EXPECT_DEATH(statement, own_text)
#endif

void StoreAndSynchronize(char* data, long long offset) {
  EXPECT_OK(simt::launch(StoreAt, 1, 1, 0, nullptr, data, offset));
  cudaDeviceSynchronize();
}

TEST_F(HostMemoryTest, AWriteInsideIsSilent) {
  auto* data = Device<char>(401);
  StoreAndSynchronize(data, 0);
  StoreAndSynchronize(data, 400);
}

using HostMemoryDeathTest = HostMemoryTest;

TEST_F(HostMemoryDeathTest, AWritePastTheEndNamesTheAllocation) {
  auto* data = Device<char>(401);
  EXPECT_REPORT(StoreAndSynchronize(data, 401),
                "a write past the end of device memory: bytes 401 to 401 of 401 bytes\n"
                "  allocated by cudaMalloc at .*host_memory_test.cc:[0-9]+:[0-9]+\n  found when");
  EXPECT_REPORT(StoreAndSynchronize(data, 401 + 100), "bytes 501 to 501 of 401 bytes");
}

TEST_F(HostMemoryDeathTest, AWriteBeforeTheStartIsReported) {
  auto* data = Device<char>(401);
  EXPECT_REPORT(StoreAndSynchronize(data, -1),
                "before the start of device memory: bytes -1 to -1 of 401 bytes");
}

TEST_F(HostMemoryDeathTest, AWriteToFreedMemoryIsReported) {
  auto* data = Device<char>(401);
  EXPECT_OK(cudaFree(data));
  EXPECT_REPORT(StoreAndSynchronize(data, 7),
                "a write to freed device memory: bytes 7 to 7 of 401 bytes");
}

TEST_F(HostMemoryDeathTest, FreeingLooksAtTheGuards) {
  auto* data = Device<char>(16);
  EXPECT_REPORT(
      {
        StoreAt(data, 16);
        cudaFree(data);
      },
      "past the end of device memory: bytes 16 to 16 of 16 bytes(.|\n)*found when it was freed");
}

TEST_F(HostMemoryDeathTest, TheEndOfTheProgramLooksAtTheGuards) {
  auto* data = Device<char>(16);
  EXPECT_REPORT(
      {
        StoreAt(data, 16);
        std::exit(0);
      },
      "found when the program ended");
}

#if !defined(SIMT_ASAN)
TEST_F(HostMemoryTest, FreedMemoryIsReadAsNaN) {
  float* data = Device(4);
  data[0] = 1;
  EXPECT_OK(cudaFree(data));
  EXPECT_NE(data[0], data[0]);
  float host[4] = {};
  EXPECT_EQ(cudaMemcpy(host, data, 16, cudaMemcpyDefault), cudaErrorInvalidValue);
}

TEST_F(HostMemoryTest, WhatIsBesideAnAllocationIsNobodys) {
  auto* device = Device<char>(10);
  const char host = 1;
  EXPECT_EQ(cudaMemcpy(device + 10, &host, 1, cudaMemcpyDefault), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device - 1, &host, 1, cudaMemcpyDefault), cudaErrorInvalidValue);
}
#endif

}  // namespace
}  // namespace padproof
