// The host side of the runtime API besides memory: errors, streams, events, the device and the
// attributes of kernels: what it does, and what it refuses with which code.

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "harness/simt/host_test_util.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

template <int kCopy>  // what is allowed to a kernel stays allowed: each test has its own
__global__ void UseDynamic(int* out) {
  SIMT_DYNAMIC_SHARED(int, dynamic);
  dynamic[0] = 7;
  *out = dynamic[0];
}

__global__ void Nothing() {}

using HostApiTest = HostTest;

// ---- errors -------------------------------------------------------------------------------------

TEST_F(HostApiTest, EveryErrorHasItsNameAndText) {
  EXPECT_STREQ(cudaGetErrorName(cudaSuccess), "cudaSuccess");
  EXPECT_STREQ(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
  EXPECT_STREQ(cudaGetErrorName(cudaErrorIllegalAddress), "cudaErrorIllegalAddress");
  EXPECT_EQ(cudaErrorIllegalAddress, 700);
  EXPECT_STREQ(cudaGetErrorString(cudaErrorUnknown), "unknown error");
  EXPECT_STREQ(cudaGetErrorString(static_cast<cudaError_t>(12345)), "unrecognized error code");
}

TEST_F(HostApiTest, LastErrorStaysUntilItIsReadOnce) {
  EXPECT_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
  EXPECT_OK(cudaSetDevice(0));
  EXPECT_OK(simt::launch(Nothing, 1, 1, 0, nullptr));
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaFree(this), cudaErrorInvalidValue);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(HostApiTest, LastErrorIsOfTheCallingThread) {
  EXPECT_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
  cudaError_t of_other = cudaErrorUnknown;
  std::thread([&] { of_other = cudaGetLastError(); }).join();
  EXPECT_EQ(of_other, cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
}

// ---- streams and events -------------------------------------------------------------------------

TEST_F(HostApiTest, ADestroyedStreamIsRefusedEverywhere) {
  cudaStream_t stream = nullptr;
  int* device = Device<int>(1);
  EXPECT_OK(cudaStreamCreate(&stream));
  EXPECT_OK(cudaMemsetAsync(device, 0, 4, stream));
  EXPECT_OK(cudaStreamSynchronize(stream));
  EXPECT_OK(cudaStreamDestroy(stream));
  const cudaError_t gone = cudaErrorInvalidResourceHandle;
  EXPECT_EQ(cudaStreamDestroy(stream), gone);
  EXPECT_EQ(cudaStreamSynchronize(stream), gone);
  EXPECT_EQ(cudaStreamQuery(stream), gone);
  EXPECT_EQ(cudaMemsetAsync(device, 0, 4, stream), gone);
  EXPECT_EQ(cudaMemcpyAsync(device, device, 0, cudaMemcpyDefault, stream), gone);
  EXPECT_EQ(cudaMallocAsync(&device, 4, stream), gone);
  EXPECT_EQ(cudaFreeAsync(device, stream), gone);
  cudaStream_t next = nullptr;
  EXPECT_OK(cudaStreamCreate(&next));
  EXPECT_NE(next, stream) << "a new handle must not revive an old one";
  EXPECT_EQ(cudaGetLastError(), gone);
}

TEST_F(HostApiTest, StreamsKeepTheirFlagsAndPriority) {
  cudaStream_t stream = nullptr;
  unsigned flags = 7;
  int priority = 7, least = 7, greatest = 7;
  EXPECT_OK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  EXPECT_LT(greatest, least);
  EXPECT_OK(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, greatest - 1));
  EXPECT_OK(cudaStreamGetFlags(stream, &flags));
  EXPECT_OK(cudaStreamGetPriority(stream, &priority));
  EXPECT_EQ(flags, cudaStreamNonBlocking);
  EXPECT_EQ(priority, greatest);
  EXPECT_EQ(cudaStreamCreateWithFlags(&stream, 2), cudaErrorInvalidValue);
  EXPECT_OK(cudaStreamSynchronize(nullptr));
  EXPECT_OK(cudaStreamSynchronize(cudaStreamPerThread));
  EXPECT_EQ(cudaStreamDestroy(nullptr), cudaErrorInvalidResourceHandle);
  bool called = false;
  EXPECT_OK(cudaLaunchHostFunc(stream, [](void* p) { *static_cast<bool*>(p) = true; }, &called));
  EXPECT_TRUE(called);
}

TEST_F(HostApiTest, TimeBetweenEventsIsPositiveAndNeedsBothRecorded) {
  cudaEvent_t start = nullptr, end = nullptr, untimed = nullptr;
  float ms = -1;
  EXPECT_OK(cudaEventCreate(&start));
  EXPECT_OK(cudaEventCreate(&end));
  EXPECT_OK(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming));
  EXPECT_EQ(cudaEventCreateWithFlags(&untimed, 8), cudaErrorInvalidValue);
  EXPECT_EQ(cudaEventCreateWithFlags(&untimed, cudaEventInterprocess), cudaErrorInvalidValue);
  EXPECT_OK(cudaEventRecord(start));
  EXPECT_EQ(cudaEventElapsedTime(&ms, start, end), cudaErrorInvalidResourceHandle);
  EXPECT_OK(cudaEventRecord(end));
  EXPECT_OK(cudaEventRecord(untimed));
  EXPECT_EQ(cudaEventElapsedTime(&ms, start, untimed), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(ms, -1);
  EXPECT_OK(cudaEventElapsedTime(&ms, start, end));
  EXPECT_GT(ms, 0);
  EXPECT_OK(cudaEventElapsedTime(&ms, start, start));
  EXPECT_GT(ms, 0);
  EXPECT_OK(cudaStreamWaitEvent(nullptr, end));
  EXPECT_OK(cudaEventDestroy(end));
  EXPECT_EQ(cudaEventSynchronize(end), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaStreamWaitEvent(nullptr, end), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventRecord(end), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventDestroy(end), cudaErrorInvalidResourceHandle);
}

// ---- the device and its kernels -----------------------------------------------------------------

TEST_F(HostApiTest, PropertiesAndAttributesAgree) {
  cudaDeviceProp p;
  std::memset(static_cast<void*>(&p), 0, sizeof p);
  EXPECT_OK(cudaGetDeviceProperties(&p, 0));
  EXPECT_EQ(cudaGetDeviceProperties(&p, 1), cudaErrorInvalidDevice);
  EXPECT_STREQ(p.name, "padproof SIMT (host)");
  const auto attribute = [](cudaDeviceAttr which) {
    int value = -1;
    EXPECT_OK(cudaDeviceGetAttribute(&value, which, 0));
    return value;
  };
  EXPECT_EQ(attribute(cudaDevAttrComputeCapabilityMajor), 9);
  EXPECT_EQ(attribute(cudaDevAttrMultiProcessorCount), p.multiProcessorCount);
  EXPECT_EQ(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin), 227 * 1024);
  EXPECT_EQ(attribute(cudaDevAttrMaxGridDimX), p.maxGridSize[0]);
  EXPECT_EQ(attribute(cudaDevAttrCooperativeLaunch), 0);
  int value = -1;
  EXPECT_EQ(cudaDeviceGetAttribute(&value, static_cast<cudaDeviceAttr>(9999), 0),
            cudaErrorInvalidValue);
  EXPECT_EQ(value, -1);
}

TEST_F(HostApiTest, DynamicSharedMemoryIsAllowedByAttribute) {
  int* out = Device<int>(1);
  const int bytes = 100 << 10;
  EXPECT_EQ(simt::launch(UseDynamic<0>, 1, 1, bytes, nullptr, out), cudaErrorInvalidValue);
  const auto max_dynamic = cudaFuncAttributeMaxDynamicSharedMemorySize;
  EXPECT_EQ(cudaFuncSetAttribute(UseDynamic<0>, max_dynamic, 228 << 10), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFuncSetAttribute(UseDynamic<0>, max_dynamic, -1), cudaErrorInvalidValue);
  cudaFuncAttributes attributes;
  EXPECT_OK(cudaFuncGetAttributes(&attributes, UseDynamic<0>));
  EXPECT_EQ(attributes.maxDynamicSharedSizeBytes, 48 << 10);
  EXPECT_OK(cudaFuncSetAttribute(UseDynamic<0>, max_dynamic, bytes));
  EXPECT_OK(cudaFuncGetAttributes(&attributes, UseDynamic<0>));
  EXPECT_EQ(attributes.maxDynamicSharedSizeBytes, bytes);
  EXPECT_OK(simt::launch(UseDynamic<0>, 1, 1, bytes, nullptr, out));
  EXPECT_EQ(*out, 7);
}

TEST_F(HostApiTest, AnAttributeThatDoesNotExistIsRefused) {
  const auto carveout = cudaFuncAttributePreferredSharedMemoryCarveout;
  EXPECT_OK(cudaFuncSetAttribute(Nothing, carveout, cudaSharedmemCarveoutMaxShared));
  EXPECT_OK(cudaFuncSetAttribute(Nothing, carveout, cudaSharedmemCarveoutDefault));
  EXPECT_EQ(cudaFuncSetAttribute(Nothing, carveout, 101), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFuncSetAttribute(Nothing, carveout, -2), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFuncSetAttribute(Nothing, static_cast<cudaFuncAttribute>(7), 1),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaFuncSetAttribute(static_cast<const void*>(nullptr), carveout, 0),
            cudaErrorInvalidDeviceFunction);
  EXPECT_EQ(cudaFuncGetAttributes(nullptr, Nothing), cudaErrorInvalidValue);
}

TEST_F(HostApiTest, OccupancyFollowsItsRule) {
  int blocks = -1;
  const auto occupancy = [&](int threads, size_t bytes) {
    EXPECT_OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, Nothing, threads, bytes));
    return blocks;
  };
  EXPECT_EQ(occupancy(1024, 0), 2);
  EXPECT_EQ(occupancy(33, 0), 32);
  EXPECT_EQ(occupancy(100, 0), 16);
  EXPECT_EQ(occupancy(32, 0), 32);
  EXPECT_EQ(occupancy(32, 48 << 10), 4);
  EXPECT_EQ(occupancy(32, (48 << 10) + 1), 0);
  EXPECT_EQ(occupancy(1025, 0), 0);
  EXPECT_EQ(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, Nothing, 0, 0),
            cudaErrorInvalidValue);
}

TEST_F(HostApiTest, ALaunchIntoADestroyedStreamIsRefused) {
  cudaStream_t stream = nullptr;
  EXPECT_OK(cudaStreamCreate(&stream));
  EXPECT_OK(simt::launch(Nothing, 1, 1, 0, stream));
  EXPECT_OK(cudaStreamDestroy(stream));
  EXPECT_EQ(simt::launch(Nothing, 1, 1, 0, stream), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidResourceHandle);
}

TEST_F(HostApiTest, ARefusedLaunchRunsNothingAndIsTheLastError) {
  int* out = Device<int>(1);
  const int before = *out;
  const auto refused = [&](dim3 grid, dim3 block, size_t bytes) {
    const cudaError_t error = simt::launch(UseDynamic<1>, grid, block, bytes, nullptr, out);
    EXPECT_EQ(cudaPeekAtLastError(), error);
    EXPECT_EQ(cudaGetLastError(), error);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    EXPECT_EQ(*out, before);
    return error;
  };
  for (const dim3 block : {dim3(1025), dim3(0), dim3(1, 1, 65), dim3(32, 33), dim3(1, 1025)}) {
    EXPECT_EQ(refused(1, block, 4), cudaErrorInvalidConfiguration);
  }
  for (const dim3 grid : {dim3(0), dim3(0x80000000u), dim3(1, 65536), dim3(1, 1, 65536)}) {
    EXPECT_EQ(refused(grid, 1, 4), cudaErrorInvalidConfiguration);
  }
  EXPECT_EQ(refused(1, 1, (48 << 10) + 1), cudaErrorInvalidValue);
  EXPECT_EQ(simt::AllowDynamicShared(UseDynamic<1>, 228 << 10), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_OK(simt::launch(UseDynamic<1>, 1, 1, 4, nullptr, out));
  EXPECT_EQ(*out, 7);
}

TEST_F(HostApiTest, ResetFreesAndDestroys) {
  int* device = Device<int>(1);
  cudaStream_t stream = nullptr;
  EXPECT_OK(cudaStreamCreate(&stream));
  EXPECT_OK(cudaDeviceReset());
  EXPECT_EQ(cudaFree(device), cudaErrorInvalidValue);
  EXPECT_EQ(cudaStreamQuery(stream), cudaErrorInvalidResourceHandle);
}

}  // namespace
}  // namespace padproof
