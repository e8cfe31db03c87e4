// Tensor cores as nvcuda::wmma: m16n16k16, m32n8k16 and m8n32k16 of half and bfloat16. Under nvcc
// this is the toolkit's mma.h. Kernels include this next to simt.h.
//
// CUDA leaves three things open, and the host build decides each against the kernel:
//
//   which lane holds which element   a permutation drawn from the schedule's seed, one for each
//                                    fragment type; fragments have as many elements as on sm_90,
//                                    so half inputs come in copies, of which any one is used
//   memory order among the lanes     none, as for shuffles. A lane may load before the others have
//                                    come (forward and warp_lag order), or only when the first ones
//                                    have gone on (reverse); random order draws. It stores when all
//                                    have come, others may have gone on by then. So a tile needs
//                                    __syncwarp between plain accesses and these
//   order of the sum                 ((c + a_0 b_0) + a_1 b_1) + ... in float, each product exact;
//                                    a half accumulator is rounded once, at the end. Devices add in
//                                    groups and truncate: results differ from a device's in the
//                                    last bits
//
// Reported with the caller's line: a pointer that is not 32-byte aligned, a leading dimension that
// is not a multiple of 8 (half, bfloat16) or 4 (float), lanes with different arguments, a warp that
// is not whole.

#pragma once

#include "harness/simt/simt.h"

#if defined(__CUDACC__)

#include <mma.h>

#else

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "harness/base/random.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

// For bookkeeping, which is no access of a kernel's thread: the race checker, whose hooks are those
// of ThreadSanitizer, must not see it. MemorySanitizer does see all that moves values.
#if !defined(PADPROOF_SIMT_UNTRACED)
#define PADPROOF_SIMT_UNTRACED __attribute__((noinline, no_sanitize("thread")))
#endif

namespace wmma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major, mem_col_major };

// ---- fragments ----------------------------------------------------------------------------------

template <int m, int n, int k>
inline constexpr bool kIsShape =
    k == 16 && ((m == 16 && n == 16) || (m == 32 && n == 8) || (m == 8 && n == 32));

template <class Use, class T, class Layout>
inline constexpr bool kIsFragment =
    std::is_same_v<Use, accumulator>
        ? std::is_void_v<Layout> && (std::is_same_v<T, float> || std::is_same_v<T, __half>)
        : (std::is_same_v<Use, matrix_a> || std::is_same_v<Use, matrix_b>) &&
              (std::is_same_v<Layout, row_major> || std::is_same_v<Layout, col_major>) &&
              (std::is_same_v<T, __half> || std::is_same_v<T, __nv_bfloat16>);

template <class Use, int m, int n, int k, class T, class Layout = void>
struct fragment {
  static_assert(kIsShape<m, n, k>, "padproof simt: no such shape of fragment is emulated");
  static_assert(kIsFragment<Use, T, Layout>, "padproof simt: no such fragment is emulated");

  using element_type = T;
  using storage_element_type = T;
  static constexpr int kRows = std::is_same_v<Use, matrix_b> ? k : m;
  static constexpr int kColumns = std::is_same_v<Use, matrix_a> ? k : n;
  static constexpr bool kIsHalfInput =
      !std::is_same_v<Use, accumulator> && std::is_same_v<T, __half>;
  static constexpr int num_elements = kIsHalfInput ? 16 : kRows * kColumns / 32;
  static constexpr int num_storage_elements = num_elements;

  storage_element_type x[num_elements];
};

/// Where a fragment's elements are: slot s is x[s / 32] of lane s % 32.
template <class Fragment>
struct Mapping {
  static constexpr int kSlots = 32 * Fragment::num_elements;
  static constexpr int kElements = Fragment::kRows * Fragment::kColumns;
  struct Position {
    uint8_t row, column;
  };
  struct Slot {
    uint8_t lane, index;
  };

  Position held[32][Fragment::num_elements];  // by x[index] of a lane
  Slot slot_of[kElements];                    // one that holds element row * kColumns + column
  uint32_t seed;
  bool drawn;
};

/// Tells apart the types that have different mappings.
template <class Use, int m, int n, int k, class T, class Layout>
constexpr uint64_t IdentityOf(const fragment<Use, m, n, k, T, Layout>*) {
  const auto place = [](bool first, bool second) { return first ? 0u : second ? 1u : 2u; };
  const uint32_t use = place(std::is_same_v<Use, matrix_a>, std::is_same_v<Use, matrix_b>);
  const uint32_t type = place(std::is_same_v<T, float>, std::is_same_v<T, __half>);
  const uint32_t layout = place(std::is_same_v<Layout, row_major>, std::is_same_v<Layout, void>);
  return HashOf({use, type, layout, uint64_t{m}, uint64_t{n}});
}

template <class Fragment>
PADPROOF_SIMT_UNTRACED void DrawMapping(Mapping<Fragment>& mapping, uint32_t seed) {
  using M = Mapping<Fragment>;
  uint16_t slots[M::kSlots];
  for (int i = 0; i < M::kSlots; i++) slots[i] = static_cast<uint16_t>(i);
  Random random(HashOf({seed, IdentityOf(static_cast<const Fragment*>(nullptr))}));
  for (uint32_t i = M::kSlots; i > 1; i--) std::swap(slots[i - 1], slots[random.Below(i)]);
  for (int i = 0; i < M::kSlots; i++) {
    const int element = i % M::kElements;
    const auto lane = static_cast<uint8_t>(slots[i] % 32);
    const auto index = static_cast<uint8_t>(slots[i] / 32);
    mapping.slot_of[element] = {lane, index};
    mapping.held[lane][index] = {static_cast<uint8_t>(element / Fragment::kColumns),
                                 static_cast<uint8_t>(element % Fragment::kColumns)};
  }
  mapping.seed = seed;
  mapping.drawn = true;
}

/// What the running block has to know of its launch. One launch at a time runs, so one is enough.
struct LaunchFacts {
  uint64_t block_epoch;
  uint32_t seed;
  Order order;
};
inline constinit LaunchFacts launch_facts{};

PADPROOF_SIMT_UNTRACED inline void UpdateLaunchFacts() {
  launch_facts = {current.block_epoch, CurrentOptions().seed, CurrentOptions().order};
}
PADPROOF_SIMT_INLINE const LaunchFacts& FactsOfLaunch() {
  if (launch_facts.block_epoch != current.block_epoch) UpdateLaunchFacts();
  return launch_facts;
}

template <class Fragment>
PADPROOF_SIMT_INLINE const Mapping<Fragment>& MappingOf() {
  static constinit Mapping<Fragment> mapping{};
  const uint32_t seed = FactsOfLaunch().seed;
  if (!mapping.drawn || mapping.seed != seed) DrawMapping(mapping, seed);
  return mapping;
}

template <class Use, int m, int n, int k, class T, class Layout>
PADPROOF_SIMT_INLINE void fill_fragment(fragment<Use, m, n, k, T, Layout>& f,
                                        const std::type_identity_t<T>& value) {
  for (auto& element : f.x) element = value;
}

// ---- loads and stores ---------------------------------------------------------------------------

PADPROOF_SIMT_UNTRACED inline bool DrawLoadsEarly(Site where) {
  const uint3& block = current.block_idx;
  return HashOf({launch_facts.seed, current.lane->thread, block.x, block.y, block.z, where.line(),
                 where.column()}) &
         1;
}
/// Whether this lane loads before the others are there. See the top of this file.
PADPROOF_SIMT_INLINE bool LoadsEarly(Site where) {
  const Order order = FactsOfLaunch().order;
  return order == Order::random ? DrawLoadsEarly(where) : order != Order::reverse;
}

PADPROOF_SIMT_UNTRACED inline void CheckArguments(const Lane* warp, uint32_t slot, uint32_t members,
                                                  Site where) {
  if (members != kFullMask) {
    ReportAndAbort("a matrix operation needs all 32 lanes of its warp", where);
  }
  for (int i = 1; i < 32; i++) {
    if (warp[i].in[slot] != warp[0].in[slot] || warp[i].source != warp[0].source) {
      ReportAndAbort("lanes of one warp load or store different matrices", where);
    }
  }
}

template <class T>
PADPROOF_SIMT_INLINE void CheckMatrix(const T* matrix, unsigned ldm, Site where) {
  if (reinterpret_cast<uintptr_t>(matrix) % 32 != 0) {
    ReportAndAbort("the matrix of a load or store is not aligned to 32 bytes", where);
  }
  if (ldm % (16 / sizeof(T)) != 0) {
    ReportAndAbort("the leading dimension of a load or store is not a multiple of 16 bytes", where);
  }
}

PADPROOF_SIMT_INLINE void Meet(const void* matrix, unsigned ldm, layout_t layout, Site where) {
  const uint32_t form = ldm * 2 + (layout == mem_col_major);
  Collective(kFullMask, reinterpret_cast<uintptr_t>(matrix), form, where,
             [where](Lane* warp, uint32_t slot, uint32_t members) {
               CheckArguments(warp, slot, members, where);
             });
}

/// Calls `access(x[i], offset of its element in the matrix)` for the elements of this lane.
template <class Fragment, class Access>
PADPROOF_SIMT_INLINE void ForEachElement(Fragment& f, unsigned ldm, layout_t layout,
                                         Access access) {
  const auto& held = MappingOf<std::remove_const_t<Fragment> >().held[LaneIndex()];
  for (int i = 0; i < Fragment::num_elements; i++) {
    const size_t row = held[i].row, column = held[i].column;
    access(f.x[i], layout == mem_row_major ? row * ldm + column : column * ldm + row);
  }
}

template <class Fragment, class T>
PADPROOF_SIMT_INLINE void Load(Fragment& f, const T* matrix, unsigned ldm, layout_t layout,
                               Site where) {
  CheckMatrix(matrix, ldm, where);
  const bool early = LoadsEarly(where);
  if (!early) Meet(matrix, ldm, layout, where);
  ForEachElement(f, ldm, layout, [matrix](T& x, size_t offset) { x = matrix[offset]; });
  if (early) Meet(matrix, ldm, layout, where);
}

template <class Use, int m, int n, int k, class T, class Layout>
  requires(!std::is_same_v<Use, accumulator>)
PADPROOF_SIMT_INLINE void load_matrix_sync(fragment<Use, m, n, k, T, Layout>& f,
                                           const std::type_identity_t<T>* matrix, unsigned ldm,
                                           PADPROOF_SIMT_SITE) {
  Load(f, matrix, ldm, std::is_same_v<Layout, row_major> ? mem_row_major : mem_col_major, where);
}

template <int m, int n, int k, class T>
PADPROOF_SIMT_INLINE void load_matrix_sync(fragment<accumulator, m, n, k, T>& f,
                                           const std::type_identity_t<T>* matrix, unsigned ldm,
                                           layout_t layout, PADPROOF_SIMT_SITE) {
  Load(f, matrix, ldm, layout, where);
}

template <int m, int n, int k, class T>
PADPROOF_SIMT_INLINE void store_matrix_sync(std::type_identity_t<T>* matrix,
                                            const fragment<accumulator, m, n, k, T>& f,
                                            unsigned ldm, layout_t layout, PADPROOF_SIMT_SITE) {
  CheckMatrix(matrix, ldm, where);
  Meet(matrix, ldm, layout, where);
  ForEachElement(f, ldm, layout, [matrix](const T& x, size_t offset) { matrix[offset] = x; });
}

// ---- multiplication -----------------------------------------------------------------------------

// Nothing below indexes by what a kernel can choose, so checks of addresses would only cost time.
// These functions use builtins alone: g++ inlines no checked function into an unchecked one.
#define PADPROOF_SIMT_UNCHECKED \
  __attribute__((no_sanitize("thread"), no_sanitize("address"), no_sanitize("undefined")))

using Vector4 [[gnu::vector_size(16)]] = float;  // quick at every level of optimisation

PADPROOF_SIMT_UNCHECKED inline float Widened(float value) { return value; }
PADPROOF_SIMT_UNCHECKED inline float Widened(__nv_bfloat16 value) {
  return __builtin_bit_cast(float, uint32_t{__builtin_bit_cast(uint16_t, value)} << 16);
}
/// Exact, without a branch: moves the exponent by a product, which subnormals need as well.
PADPROOF_SIMT_UNCHECKED inline float Widened(__half value) {
  const uint32_t bits = __builtin_bit_cast(uint16_t, value);
  const uint32_t moved = (bits & 0x7fff) << 13;
  const float finite = __builtin_bit_cast(float, moved) * 0x1p112f;
  const uint32_t top = (0u - (moved >= 0x0f800000u)) & 0x7f800000u;  // infinity or NaN
  return __builtin_bit_cast(
      float, __builtin_bit_cast(uint32_t, finite) | top | (moved & top) | (bits & 0x8000) << 16);
}
PADPROOF_SIMT_UNCHECKED inline void Narrow(float value, float& to) { to = value; }
PADPROOF_SIMT_UNCHECKED inline void Narrow(float value, __half& to) { to = __half(value); }

/// c += a b
template <int m, int n, int k>
__attribute__((noinline)) PADPROOF_SIMT_UNCHECKED void MultiplyAdd(const float (&a)[m * k],
                                                                   const Vector4 (&b)[k * n / 4],
                                                                   Vector4 (&c)[m * n / 4]) {
  constexpr int kVectors = n / 4;
  constexpr int kRows = 8 / kVectors;  // at once: eight sums hide the latency of an addition
  for (int row = 0; row < m; row += kRows) {
    Vector4 sum[8];
#pragma GCC unroll 8
    for (int s = 0; s < 8; s++) sum[s] = c[row * kVectors + s];
    for (int i = 0; i < k; i++) {
#pragma GCC unroll 8
      for (int s = 0; s < 8; s++) {
        const float factor = a[(row + s / kVectors) * k + i];
        sum[s] += Vector4{factor, factor, factor, factor} * b[i * kVectors + s % kVectors];
      }
    }
#pragma GCC unroll 8
    for (int s = 0; s < 8; s++) c[row * kVectors + s] = sum[s];
  }
}

/// The fragments of one lane.
template <class A, class B, class C, class D>
struct Operands {
  const A* a;
  const B* b;
  const C* c;
  D* d;
};

/// The matrix that the lanes hold together.
template <auto kMember, class Fragment, class Operands>
__attribute__((noinline)) PADPROOF_SIMT_UNCHECKED void Gather(const Mapping<Fragment>& mapping,
                                                              const Operands* const (&lanes)[32],
                                                              float* matrix) {
  using T = typename Fragment::element_type;
  constexpr int kElements = Mapping<Fragment>::kElements;
  const T* x[32];
  for (int i = 0; i < 32; i++) x[i] = (lanes[i]->*kMember)->x;
  T narrow[kElements];
  for (int i = 0; i < kElements; i++) {
    narrow[i] = x[mapping.slot_of[i].lane][mapping.slot_of[i].index];
  }
  for (int i = 0; i < kElements; i++) matrix[i] = Widened(narrow[i]);
}

template <int m, int n, int k, class A, class B, class C, class D>
__attribute__((noinline)) PADPROOF_SIMT_UNCHECKED void Multiply(const Lane* warp, uint32_t slot,
                                                                const Mapping<A>& of_a,
                                                                const Mapping<B>& of_b,
                                                                const Mapping<C>& of_c,
                                                                const Mapping<D>& of_d) {
  using O = Operands<A, B, C, D>;
  const O* lanes[32];
  for (int i = 0; i < 32; i++) lanes[i] = reinterpret_cast<const O*>(warp[i].in[slot]);
  float a[m * k];
  Vector4 b[k * n / 4], c[m * n / 4];
  Gather<&O::a>(of_a, lanes, a);
  Gather<&O::b>(of_b, lanes, reinterpret_cast<float*>(b));
  Gather<&O::c>(of_c, lanes, reinterpret_cast<float*>(c));
  MultiplyAdd<m, n, k>(a, b, c);
  for (int i = 0; i < m * n; i++) {
    Narrow(c[i / 4][i % 4], lanes[of_d.slot_of[i].lane]->d->x[of_d.slot_of[i].index]);
  }
}

/// d = a b + c; `d` may be `c`. The toolkit has a parameter `satf` for integers only.
template <int m, int n, int k, class T, class LayoutA, class LayoutB, class TC, class TD>
PADPROOF_SIMT_INLINE void mma_sync(fragment<accumulator, m, n, k, TD>& d,
                                   const fragment<matrix_a, m, n, k, T, LayoutA>& a,
                                   const fragment<matrix_b, m, n, k, T, LayoutB>& b,
                                   const fragment<accumulator, m, n, k, TC>& c,
                                   PADPROOF_SIMT_SITE) {
  static_assert(
      std::is_same_v<T, __half> || (std::is_same_v<TC, float> && std::is_same_v<TD, float>),
      "bfloat16 is summed in float only");
  using A = fragment<matrix_a, m, n, k, T, LayoutA>;
  using B = fragment<matrix_b, m, n, k, T, LayoutB>;
  using C = fragment<accumulator, m, n, k, TC>;
  using D = fragment<accumulator, m, n, k, TD>;
  const Operands<A, B, C, D> mine{&a, &b, &c, &d};
  // Out of the way first: nothing that hooks of loads may interrupt happens while lanes wait.
  const Mapping<A>& of_a = MappingOf<A>();
  const Mapping<B>& of_b = MappingOf<B>();
  const Mapping<C>& of_c = MappingOf<C>();
  const Mapping<D>& of_d = MappingOf<D>();
  Collective(kFullMask, reinterpret_cast<uintptr_t>(&mine), 0, where,
             [&](const Lane* warp, uint32_t slot, uint32_t members) {
               if (members != kFullMask) {
                 ReportAndAbort("a matrix operation needs all 32 lanes of its warp", where);
               }
               Multiply<m, n, k>(warp, slot, of_a, of_b, of_c, of_d);
             });
}

#undef PADPROOF_SIMT_UNCHECKED

}  // namespace wmma
}  // namespace host_build
}  // namespace padproof::simt

namespace nvcuda {
namespace wmma = ::padproof::simt::wmma;
}
#pragma GCC visibility pop

#endif
