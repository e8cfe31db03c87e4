// Host side of CUDA's atomics and fences. One thread runs at a time, so a plain read and write is
// an atomic operation. Compiled, and instrumented, with the kernel; kernels include simt.h.
//
// Every atomic passes through ReadModifyWrite and every fence through OrderMemory: there checkers
// of races listen. The scopes (_block, _system) differ in nothing else.
//
// An atomic on a vector is one on each element, as CUDA documents: a whole __half2 or float4 is
// not atomic. Not modelled: on a device float atomics in global memory flush subnormal numbers.

#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "harness/simt/collectives.h"
#include "harness/simt/half.h"
#include "harness/simt/runtime.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

#if defined(SIMT_RACE) || defined(SIMT_TSAN)
/// `device`: for all blocks; else (_block) for the threads of one.
void EnterAtomic(const void* address, size_t bytes, bool device);
void LeaveAtomic(const void* address, size_t bytes);
/// Fences reach the whole device, or the block.
void Fence(bool device);

/// Lives while the plain accesses of one atomic are made.
class AtomicScope {
 public:
  PADPROOF_SIMT_INLINE AtomicScope(const void* address, size_t bytes, bool device)
      : address_(address), bytes_(bytes) {
    EnterAtomic(address, bytes, device);
  }
  PADPROOF_SIMT_INLINE ~AtomicScope() { LeaveAtomic(address_, bytes_); }
  AtomicScope(const AtomicScope&) = delete;
  AtomicScope& operator=(const AtomicScope&) = delete;

 private:
  const void* address_;
  size_t bytes_;
};

PADPROOF_SIMT_INLINE void OrderMemory(bool device) { Fence(device); }
#else
struct AtomicScope {
  PADPROOF_SIMT_INLINE AtomicScope(const void* /*address*/, size_t /*bytes*/, bool /*device*/) {}
};

PADPROOF_SIMT_INLINE void OrderMemory(bool /*device*/) {}
#endif

/// Replaces *address by update(old) and returns the old value.
template <class T, class Update>
PADPROOF_SIMT_INLINE T ReadModifyWrite(bool device, T* address, Update update) {
  [[maybe_unused]] const AtomicScope scope(address, sizeof(T), device);
  const T old = *address;
  *address = update(old);
  return old;
}

/// Threads go on from one collective to the next, but a loop around an atomic or a fence may wait
/// for a lock or a flag.
PADPROOF_SIMT_INLINE void CountRepeat(Site where) {
  if (++current.repeats >= kRepeatsATurn) Yield(where);
}

/// A device faults. sizeof, not alignof: the host may ask for less of long long.
template <class T>
PADPROOF_SIMT_INLINE void BeforeAtomic(const T* address, Site where) {
  CountRepeat(where);
  if (reinterpret_cast<uintptr_t>(address) % sizeof(T) != 0) {
    ReportAndAbort("the address of an atomic operation is misaligned", where);
  }
}

template <class T>
PADPROOF_SIMT_INLINE T AtomicSum(bool device, T* address, T value) {
  // Signed sums wrap, as on the device.
  if constexpr (std::is_same_v<T, int>) {
    return ReadModifyWrite(device, address, [value](int old) {
      return static_cast<int>(static_cast<unsigned>(old) + static_cast<unsigned>(value));
    });
  } else {
    return ReadModifyWrite(device, address, [value](T old) -> T { return old + value; });
  }
}

/// The previous elements, one after another: another thread may come between.
PADPROOF_SIMT_INLINE __half2 AtomicSum(bool device, __half2* a, __half2 v) {
  const __half x = AtomicSum(device, &a->x, v.x);
  return {x, AtomicSum(device, &a->y, v.y)};
}
PADPROOF_SIMT_INLINE __nv_bfloat162 AtomicSum(bool device, __nv_bfloat162* a, __nv_bfloat162 v) {
  const __nv_bfloat16 x = AtomicSum(device, &a->x, v.x);
  return {x, AtomicSum(device, &a->y, v.y)};
}
PADPROOF_SIMT_INLINE float2 AtomicSum(bool device, float2* a, float2 v) {
  const float x = AtomicSum(device, &a->x, v.x);
  return {x, AtomicSum(device, &a->y, v.y)};
}
PADPROOF_SIMT_INLINE float4 AtomicSum(bool device, float4* a, float4 v) {
  const float x = AtomicSum(device, &a->x, v.x), y = AtomicSum(device, &a->y, v.y),
              z = AtomicSum(device, &a->z, v.z);
  return {x, y, z, AtomicSum(device, &a->w, v.w)};
}

inline namespace toolkit_names {

PADPROOF_SIMT_INLINE void __threadfence(PADPROOF_SIMT_SITE) {
  CountRepeat(where);
  OrderMemory(/*device=*/true);
}
PADPROOF_SIMT_INLINE void __threadfence_block(PADPROOF_SIMT_SITE) {
  CountRepeat(where);
  OrderMemory(/*device=*/false);
}
PADPROOF_SIMT_INLINE void __threadfence_system(PADPROOF_SIMT_SITE) {
  CountRepeat(where);
  OrderMemory(/*device=*/true);
}

// ---- the overloads that CUDA has, and no others: a kernel must not compile here alone -----------

#define PADPROOF_SIMT_ATOMIC_IN_SCOPE(name, T, is_device, operation)     \
  PADPROOF_SIMT_INLINE T name(T* address, T value, PADPROOF_SIMT_SITE) { \
    constexpr bool device = is_device;                                   \
    BeforeAtomic(address, where);                                        \
    return operation;                                                    \
  }
#define PADPROOF_SIMT_ATOMIC_OPERATION(name, T, operation)         \
  PADPROOF_SIMT_ATOMIC_IN_SCOPE(name, T, true, operation)          \
  PADPROOF_SIMT_ATOMIC_IN_SCOPE(name##_block, T, false, operation) \
  PADPROOF_SIMT_ATOMIC_IN_SCOPE(name##_system, T, true, operation)
#define PADPROOF_SIMT_ATOMIC(name, T, update) \
  PADPROOF_SIMT_ATOMIC_OPERATION(             \
      name, T,                                \
      ReadModifyWrite(device, address, [value]([[maybe_unused]] T old) -> T { return update; }))
#define PADPROOF_SIMT_ATOMIC_ADD(T) \
  PADPROOF_SIMT_ATOMIC_OPERATION(atomicAdd, T, AtomicSum(device, address, value))
#define PADPROOF_SIMT_ATOMICS_OF_INTEGER(T)                     \
  PADPROOF_SIMT_ATOMIC(atomicMax, T, old < value ? value : old) \
  PADPROOF_SIMT_ATOMIC(atomicMin, T, value < old ? value : old) \
  PADPROOF_SIMT_ATOMIC(atomicAnd, T, old& value)                \
  PADPROOF_SIMT_ATOMIC(atomicOr, T, old | value)                \
  PADPROOF_SIMT_ATOMIC(atomicXor, T, old ^ value)

PADPROOF_SIMT_ATOMIC_ADD(int)
PADPROOF_SIMT_ATOMIC_ADD(unsigned)
PADPROOF_SIMT_ATOMIC_ADD(unsigned long long)
PADPROOF_SIMT_ATOMIC_ADD(float)
PADPROOF_SIMT_ATOMIC_ADD(double)
PADPROOF_SIMT_ATOMIC_ADD(__half)
PADPROOF_SIMT_ATOMIC_ADD(__nv_bfloat16)
PADPROOF_SIMT_ATOMIC_ADD(__half2)
PADPROOF_SIMT_ATOMIC_ADD(__nv_bfloat162)
PADPROOF_SIMT_ATOMIC_ADD(float2)
PADPROOF_SIMT_ATOMIC_ADD(float4)
PADPROOF_SIMT_ATOMIC(atomicSub, int,
                     static_cast<int>(static_cast<unsigned>(old) - static_cast<unsigned>(value)))
PADPROOF_SIMT_ATOMIC(atomicSub, unsigned, old - value)
PADPROOF_SIMT_ATOMIC(atomicExch, int, value)
PADPROOF_SIMT_ATOMIC(atomicExch, unsigned, value)
PADPROOF_SIMT_ATOMIC(atomicExch, unsigned long long, value)
PADPROOF_SIMT_ATOMIC(atomicExch, float, value)
PADPROOF_SIMT_ATOMICS_OF_INTEGER(int)
PADPROOF_SIMT_ATOMICS_OF_INTEGER(unsigned)
PADPROOF_SIMT_ATOMICS_OF_INTEGER(long long)
PADPROOF_SIMT_ATOMICS_OF_INTEGER(unsigned long long)
// Counters that wrap: value is the last number before 0, or the one to start again from.
PADPROOF_SIMT_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
PADPROOF_SIMT_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)
#undef PADPROOF_SIMT_ATOMICS_OF_INTEGER
#undef PADPROOF_SIMT_ATOMIC_ADD
#undef PADPROOF_SIMT_ATOMIC
#undef PADPROOF_SIMT_ATOMIC_OPERATION
#undef PADPROOF_SIMT_ATOMIC_IN_SCOPE

#define PADPROOF_SIMT_ATOMIC_CAS_IN_SCOPE(name, T, is_device)                         \
  PADPROOF_SIMT_INLINE T name(T* address, T compare, T value, PADPROOF_SIMT_SITE) {   \
    BeforeAtomic(address, where);                                                     \
    return ReadModifyWrite(is_device, address,                                        \
                           [=](T old) -> T { return old == compare ? value : old; }); \
  }
#define PADPROOF_SIMT_ATOMIC_CAS(T)                            \
  PADPROOF_SIMT_ATOMIC_CAS_IN_SCOPE(atomicCAS, T, true)        \
  PADPROOF_SIMT_ATOMIC_CAS_IN_SCOPE(atomicCAS_block, T, false) \
  PADPROOF_SIMT_ATOMIC_CAS_IN_SCOPE(atomicCAS_system, T, true)
PADPROOF_SIMT_ATOMIC_CAS(int)
PADPROOF_SIMT_ATOMIC_CAS(unsigned)
PADPROOF_SIMT_ATOMIC_CAS(unsigned long long)
PADPROOF_SIMT_ATOMIC_CAS(unsigned short)
#undef PADPROOF_SIMT_ATOMIC_CAS
#undef PADPROOF_SIMT_ATOMIC_CAS_IN_SCOPE

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
