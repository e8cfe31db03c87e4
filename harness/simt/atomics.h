// Host side of CUDA's atomics and fences. One thread runs at a time, so a plain read and write is
// an atomic operation. Compiled, and instrumented, with the kernel; kernels include simt.h.

#pragma once

#include "harness/simt/runtime.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

template <class T, class Update>
PADPROOF_SIMT_INLINE T ReadModifyWrite(T* address, Update update) {
  const T old = *address;
  *address = update(old);
  return old;
}

}  // namespace host_build
}  // namespace padproof::simt

inline void __threadfence() {}
inline void __threadfence_block() {}

// The overloads that CUDA has, and no others: a kernel must not compile here alone.
#define PADPROOF_SIMT_ATOMIC(name, T, update)                              \
  inline T name(T* address, T value) {                                     \
    return padproof::simt::ReadModifyWrite(                                \
        address, [value]([[maybe_unused]] T old) -> T { return update; }); \
  }
#define PADPROOF_SIMT_ATOMICS_OF_INTEGER(T)                     \
  PADPROOF_SIMT_ATOMIC(atomicMax, T, old < value ? value : old) \
  PADPROOF_SIMT_ATOMIC(atomicMin, T, value < old ? value : old) \
  PADPROOF_SIMT_ATOMIC(atomicAnd, T, old& value)                \
  PADPROOF_SIMT_ATOMIC(atomicOr, T, old | value)                \
  PADPROOF_SIMT_ATOMIC(atomicXor, T, old ^ value)

// Signed sums wrap, as on the device.
PADPROOF_SIMT_ATOMIC(atomicAdd, int, static_cast<int>(static_cast<unsigned>(old) + value))
PADPROOF_SIMT_ATOMIC(atomicAdd, unsigned, old + value)
PADPROOF_SIMT_ATOMIC(atomicAdd, unsigned long long, old + value)
PADPROOF_SIMT_ATOMIC(atomicAdd, float, old + value)
PADPROOF_SIMT_ATOMIC(atomicAdd, double, old + value)
PADPROOF_SIMT_ATOMIC(atomicSub, int, static_cast<int>(static_cast<unsigned>(old) - value))
PADPROOF_SIMT_ATOMIC(atomicSub, unsigned, old - value)
PADPROOF_SIMT_ATOMIC(atomicExch, int, value)
PADPROOF_SIMT_ATOMIC(atomicExch, unsigned, value)
PADPROOF_SIMT_ATOMIC(atomicExch, unsigned long long, value)
PADPROOF_SIMT_ATOMIC(atomicExch, float, value)
PADPROOF_SIMT_ATOMICS_OF_INTEGER(int)
PADPROOF_SIMT_ATOMICS_OF_INTEGER(unsigned)
PADPROOF_SIMT_ATOMICS_OF_INTEGER(long long)
PADPROOF_SIMT_ATOMICS_OF_INTEGER(unsigned long long)
#undef PADPROOF_SIMT_ATOMICS_OF_INTEGER
#undef PADPROOF_SIMT_ATOMIC

#define PADPROOF_SIMT_ATOMIC_CAS(T)                                         \
  inline T atomicCAS(T* address, T compare, T value) {                      \
    return padproof::simt::ReadModifyWrite(                                 \
        address, [=](T old) -> T { return old == compare ? value : old; }); \
  }
PADPROOF_SIMT_ATOMIC_CAS(int)
PADPROOF_SIMT_ATOMIC_CAS(unsigned)
PADPROOF_SIMT_ATOMIC_CAS(unsigned long long)
PADPROOF_SIMT_ATOMIC_CAS(unsigned short)
#undef PADPROOF_SIMT_ATOMIC_CAS
#pragma GCC visibility pop
