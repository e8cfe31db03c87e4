// Loads and stores with a cache hint, which are loads and stores here, of the types that CUDA has
// them for. Their addresses have to be aligned as everywhere.

#pragma once

#include <type_traits>

#include "harness/simt/half.h"
#include "harness/simt/runtime.h"
#include "harness/simt/types.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

template <class T, class... Types>
inline constexpr bool kIsOneOf = (std::is_same_v<T, Types> || ...);

template <class T>
concept CacheHinted =
    kIsOneOf<T, char, signed char, unsigned char, short, unsigned short, int, unsigned, long,
             unsigned long, long long, unsigned long long, float, double, __half, __half2,
             __nv_bfloat16, __nv_bfloat162> ||
    kIsOneOf<T, char2, uchar2, short2, ushort2, int2, uint2, longlong2, ulonglong2, float2, double2,
             char4, uchar4, short4, ushort4, int4, uint4, float4>;

inline namespace toolkit_names {

#define PADPROOF_SIMT_LOAD(name)                  \
  template <CacheHinted T>                        \
  PADPROOF_SIMT_INLINE T name(const T* address) { \
    return *address;                              \
  }
PADPROOF_SIMT_LOAD(__ldg)
PADPROOF_SIMT_LOAD(__ldca)
PADPROOF_SIMT_LOAD(__ldcg)
PADPROOF_SIMT_LOAD(__ldcs)
PADPROOF_SIMT_LOAD(__ldlu)
PADPROOF_SIMT_LOAD(__ldcv)
#undef PADPROOF_SIMT_LOAD

// The value may need a conversion, as for an overload.
#define PADPROOF_SIMT_STORE(name)                                             \
  template <CacheHinted T>                                                    \
  PADPROOF_SIMT_INLINE void name(T* address, std::type_identity_t<T> value) { \
    *address = value;                                                         \
  }
PADPROOF_SIMT_STORE(__stwb)
PADPROOF_SIMT_STORE(__stcg)
PADPROOF_SIMT_STORE(__stcs)
PADPROOF_SIMT_STORE(__stwt)
#undef PADPROOF_SIMT_STORE

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
