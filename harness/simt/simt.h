// One CUDA C++ kernel source, two builds: nvcc for the device, any C++20 compiler for the host.
//
// A kernel file includes this header only, puts its kernels and device functions into an anonymous
// namespace (both builds may be linked into one binary), and uses plain CUDA names plus
//
//   SIMT_SHARED(name, type)          float (&name)[16][32] = ...: SIMT_SHARED(name, float[16][32]);
//   SIMT_DYNAMIC_SHARED(T, name)     T* name: the launch's dynamic shared memory
//   padproof::simt::launch(kernel, grid, block, dynamic_bytes, stream, arguments...)
//   padproof::simt::AllowDynamicShared(kernel, bytes)    needed once above 48 KiB, up to 227 KiB
//   padproof::simt::ApplySchedule(args)    what the case asks of its launches (a device ignores it)
//   padproof::simt::ErrorText(error)       in words

#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/case/enums.h"

#if defined(__CUDACC__)

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <utility>

namespace padproof::simt {
inline namespace device_build {

template <class T>
struct TypeIdentity {
  using Type = T;
};

inline void ApplySchedule(Order, uint32_t, uint32_t = 0) {}
template <class Args>
void ApplySchedule(const Args&) {}

template <class... Parameters>
cudaError_t AllowDynamicShared(void (*kernel)(Parameters...), size_t bytes) {
  return cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                              cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
}

/// Enqueues the kernel and returns what is wrong with the launch itself, which cudaGetLastError
/// then gives too; errors of its execution surface when the stream is synchronised.
template <class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t dynamic_bytes,
                   cudaStream_t stream, Arguments&&... arguments) {
  const auto enqueue = [&](Parameters... bound) {
    void* addresses[] = {static_cast<void*>(&bound)..., nullptr};
    return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, addresses,
                            dynamic_bytes, stream);
  };
  return enqueue(std::forward<Arguments>(arguments)...);
}

inline const char* ErrorText(cudaError_t error) { return cudaGetErrorString(error); }

}  // namespace device_build
}  // namespace padproof::simt

#define SIMT_SHARED(name, ...) \
  __shared__ typename ::padproof::simt::TypeIdentity<__VA_ARGS__>::Type name

#define SIMT_DYNAMIC_SHARED(T, name)                                        \
  extern __shared__ __align__(16) unsigned char padproof_dynamic_shared_[]; \
  T* name = reinterpret_cast<T*>(padproof_dynamic_shared_)

#else  // the host

#include <utility>

#include "harness/simt/atomics.h"
#include "harness/simt/collectives.h"
#include "harness/simt/host_api.h"
#include "harness/simt/math_functions.h"
#include "harness/simt/qualifiers.h"
#include "harness/simt/runtime.h"

#define threadIdx (::padproof::simt::ThreadIdx())
#define blockIdx (::padproof::simt::BlockIdx())
#define blockDim (::padproof::simt::BlockDim())
#define gridDim (::padproof::simt::GridDim())

#define SIMT_SHARED(name, ...)                                                            \
  static constinit ::padproof::simt::SharedArray name##_shared_array_{                    \
      #name, sizeof(typename ::padproof::simt::TypeIdentity<__VA_ARGS__>::Type),          \
      alignof(typename ::padproof::simt::TypeIdentity<__VA_ARGS__>::Type),                \
      ::padproof::simt::Site::current()};                                                 \
  auto& name = *static_cast<typename ::padproof::simt::TypeIdentity<__VA_ARGS__>::Type*>( \
      ::padproof::simt::SharedData(name##_shared_array_))

#define SIMT_DYNAMIC_SHARED(T, name) \
  T* name = static_cast<T*>(::padproof::simt::current.dynamic_shared)

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

template <class T>
struct TypeIdentity {
  using Type = T;
};

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kKernelHasAsan = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kKernelHasAsan = true;
#else
inline constexpr bool kKernelHasAsan = false;
#endif
#else
inline constexpr bool kKernelHasAsan = false;
#endif

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
inline constexpr bool kKernelHasMsan = true;
#else
inline constexpr bool kKernelHasMsan = false;
#endif
#else
inline constexpr bool kKernelHasMsan = false;
#endif

PADPROOF_SIMT_INLINE const uint3& ThreadIdx() { return current.lane->thread_idx; }
PADPROOF_SIMT_INLINE const uint3& BlockIdx() { return current.block_idx; }
PADPROOF_SIMT_INLINE const dim3& BlockDim() { return current.block_dim; }
PADPROOF_SIMT_INLINE const dim3& GridDim() { return current.grid_dim; }

PADPROOF_SIMT_INLINE void* SharedData(SharedArray& array) {
  return array.block_epoch == current.block_epoch ? array.data : AllocateShared(array);
}

/// Order in which the launches that follow on this OS thread run blocks and threads; `preempt` as
/// Options::preempt_every.
inline void ApplySchedule(Order order, uint32_t seed, uint32_t preempt = 0) {
  CurrentOptions().order = order;
  CurrentOptions().seed = seed;
  CurrentOptions().preempt_every = preempt;
}

/// The same as a case asks for it in the arguments of its call (AttentionArgs), and what fresh
/// shared and device memory holds.
template <class Args>
void ApplySchedule(const Args& args) {
  ApplySchedule(args.schedule_order, args.schedule_seed, args.schedule_preempt);
  CurrentOptions().fill = static_cast<unsigned char>(args.fresh_memory);
}

template <class... Parameters>
cudaError_t AllowDynamicShared(void (*kernel)(Parameters...), size_t bytes) {
  return Record(SetDynamicSharedLimit(reinterpret_cast<const void*>(kernel), bytes));
}

/// Runs every block to its end. A failure is noted for cudaGetLastError too. Divergence is reported
/// on stderr and aborts; see README.md.
template <class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t dynamic_bytes,
                   cudaStream_t stream, Arguments&&... arguments) {
  if (const cudaError_t error = CheckStream(stream); error != cudaSuccess) return error;
  const auto bind = [kernel](Parameters... bound) { return [=] { kernel(bound...); }; };
  auto thread = bind(std::forward<Arguments>(arguments)...);
  const auto run_thread = [](void* closure) { (*static_cast<decltype(thread)*>(closure))(); };
  return Record(Launch({run_thread, &thread, reinterpret_cast<const void*>(kernel), grid, block,
                        dynamic_bytes, kKernelHasAsan, kKernelHasMsan}));
}

inline const char* ErrorText(cudaError_t error) { return cudaGetErrorString(error); }

}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop

#include "harness/simt/unsupported.h"  // last: its macros refuse words

#endif
