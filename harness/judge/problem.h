// A problem: the tensors of one case in guarded buffers, ready for launches.

#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "harness/case/case.h"
#include "harness/case/values.h"
#include "harness/judge/kernel.h"

namespace padproof {

/// What outputs, workspace and, on the SIMT layer, fresh memory hold before a launch. Both read as
/// numbers no kernel computes.
enum class Prefill : int { nan_pattern, finite_pattern };

constexpr uint8_t PrefillByte(Prefill prefill) {
  return prefill == Prefill::nan_pattern ? 0xFF : 0x42;  // 0x42..: 48.6 in f32, 3.13 in f16
}

/// What belongs to nobody between the rows of a tensor: NaN in every storage type.
inline constexpr uint8_t kGapByte = 0xFF;

/// On either side of a buffer: a store one row past the end stays inside it.
inline constexpr size_t kGuardBytes = 1024;

/// An element by its meaning: b, h, token (real index, not slot), d.
struct Index {
  int b, h, i, d;
};

class Problem {
 public:
  /// Inputs per the case (values in real tokens, c.fill in pads); outputs hold `prefill`.
  explicit Problem(const Case& c, Prefill prefill = Prefill::nan_pattern);

  const Case& c() const { return case_; }
  Dtype DtypeOf(Operand op) const { return op == Operand::lse ? Dtype::f32 : case_.dtype; }
  int Columns(Operand op) const;  // elements a row, pads included
  int RealColumns(Operand op, int b) const;
  int Heads(Operand op) const { return HasKeyHeads(op) ? case_.heads_kv() : case_.heads; }
  int Slots(Operand op, int b) const;        // rows of sequence b, pads included
  int RealRows(Operand op, int b) const;     // real tokens of sequence b
  int Slot(Operand op, int b, int i) const;  // slot of real token i
  bool IsReal(Operand op, int b, int slot) const;
  /// The same of one element: a bias has columns of padded keys.
  bool IsReal(Operand op, int b, int slot, int d) const;

  /// Whether slot `slot` of page `page` of the pool holds a real key.
  bool IsRealInPage(int page, int slot) const;

  /// Query `row` of those that read head `head_kv` of K and V, which count head by head.
  Index QueryAt(int b, int head_kv, int row, int d = 0) const;

  /// By slot.
  uint32_t Bits(Operand op, int b, int h, int slot, int d) const;
  void SetBits(Operand op, int b, int h, int slot, int d, uint32_t bits);
  /// By real token: the exact stored value, or the value rounded to the storage type.
  double Real(Operand op, const Index& at) const;
  uint32_t BitsAt(Operand op, const Index& at) const {
    return Bits(op, at.b, at.h, Slot(op, at.b, at.i), Column(op, at));
  }
  void SetBitsAt(Operand op, const Index& at, uint32_t bits) {
    SetBits(op, at.b, at.h, Slot(op, at.b, at.i), Column(op, at), bits);
  }
  void SetReal(Operand op, const Index& at, double value);

  /// Bits of a row of a tensor, element by element.
  struct StoredRow {
    const uint8_t* begin;
    size_t step;  // bytes
    Dtype dtype;
    uint32_t operator[](int d) const {
      uint32_t bits = 0;
      std::memcpy(&bits, begin + static_cast<size_t>(d) * step, SizeOf(dtype));
      return bits;
    }
  };
  /// The real elements of a real token's row.
  StoredRow Row(Operand op, int b, int h, int i) const;

  /// Whether real query `at.i` of head `at.h` sees real key `j`: the mask tensor's word, if there
  /// is one.
  bool Keeps(const Index& at, int j) const;
  /// What is added to the score of that pair; 0 for one that a mask tensor hides.
  double BiasAt(const Index& at, int j) const;
  /// Makes sequence `b` of this problem's mask tensor say what sequence `from_b` of another's does;
  /// both have the same tokens, in their own slots.
  void CopyMask(int b, const Problem& from, int from_b);

  /// Whether dropout drops the weight of real query `at.i` of head `at.h` for real key `j`: what
  /// SetDropped said, else no.
  bool IsDropped(const Index& at, int j) const;
  void SetDropped(const Index& at, int j, bool dropped);

  /// Paged: puts pages of K and V elsewhere in the pool, another order for another salt, and says
  /// so in the block table.
  void MovePages(uint64_t salt);

  /// Gives real tokens of the inputs another content, where `which` says so: what a pad of that
  /// place would hold under `fill`.
  void FillTokens(Fill fill, const std::function<bool(Operand op, const Index& at)>& which);

  /// Refills the pads of the inputs (Q, K, V, dO, bias) with another content.
  void FillPads(Fill fill);
  /// Refills the pads of one operand only (O and LSE included).
  void FillPads(Operand op, Fill fill);
  /// Fills an operand whole, pads included, with its prefill pattern.
  void PrefillOutput(Operand op, Prefill prefill);

  /// Views for the kernel. `tensors` not used in this direction have null data.
  AttentionArgs Args(bool backward);
  void* PrepareWorkspace(size_t bytes);

  /// Bytes outside the buffers that changed since construction: "" or "out: 4 bytes before ...".
  std::string BrokenGuard() const;
  /// Copy of an operand's raw bytes, for comparisons; empty if this case has no such tensor.
  std::vector<uint8_t> Bytes(Operand op) const;
  /// Raw bytes of the mask tensor; empty if the case has none.
  std::vector<uint8_t> MaskBytes() const;
  /// seqused_q, seqused_k, leftpad_q, leftpad_k, cu_seqlens_q, cu_seqlens_k, block_table as the
  /// kernel left them.
  std::array<std::vector<int32_t>, 7> lengths() const;
  /// The slopes of ALiBi and the sinks, likewise.
  std::array<std::vector<float>, 2> head_numbers() const;

  /// Calls get the seed of dropout with these bits flipped.
  void FlipDropoutSeed(uint64_t bits) { flipped_seed_bits_ = bits; }
  uint64_t flipped_seed_bits() const { return flipped_seed_bits_; }

  /// All memory that Args() points into, buffer by buffer with its guards: what a device needs a
  /// copy of. Addresses hold until PrepareWorkspace is called again.
  struct Stretch {
    uint8_t* begin;
    size_t bytes;
    enum class Written { never, by_forward, always } written;
  };
  std::vector<Stretch> Memory();

 private:
  // Data starts at a multiple of 64 bytes, as from any device or tensor allocator: libraries choose
  // their arithmetic by alignment, and the bits of two launches are compared.
  template <class T>
  struct AlignedAllocator {
    using value_type = T;
    AlignedAllocator() = default;
    template <class U>
    explicit AlignedAllocator(const AlignedAllocator<U>&) {}
    T* allocate(size_t n) {
      return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{64}));
    }
    void deallocate(T* p, size_t) { ::operator delete(p, std::align_val_t{64}); }
    bool operator==(const AlignedAllocator&) const { return true; }
  };
  using Bytes64 = std::vector<uint8_t, AlignedAllocator<uint8_t>>;

  struct Buffer {
    Bytes64 storage;  // guard, data, guard
    size_t bytes = 0;
  };
  static void Allocate(Buffer& buffer, size_t bytes);
  static std::string CheckGuard(const Buffer& buffer, const char* name);
  uint8_t* Data(Operand op);
  const uint8_t* Data(Operand op) const;
  const Region& RegionOf(Operand op, int b) const {
    return regions_[HasQueryRows(op) ? 0 : 1][static_cast<size_t>(b)];
  }
  int Column(Operand op, const Index& at) const {  // of its row in memory
    return HasKeyColumns(op) ? Slot(Operand::k, at.b, at.d) : at.d;
  }
  bool InPages(Operand op) const { return case_.paged() && !HasQueryRows(op); }
  void OrderPages(uint64_t salt);
  void FillSparePages(Operand op, Fill fill);  // of K or V, like pads
  void ForEachSpareRow(Operand op,
                       const std::function<void(int page, int h, int slot)>& visit) const;
  void BuildBlockTable();
  int BufferSlots(Operand op) const;  // of one batch entry; packed: of all sequences
  void Place(Operand op);
  void ForEachElement(Operand op, const std::function<void(size_t offset)>& visit) const;
  size_t Offset(Operand op, int b, int h, int slot, int d) const;
  size_t OffsetIn(Operand op, int entry, int h, int row, int d) const;  // of a placement's entry
  size_t StepOf(Operand op) const;  // bytes from one element of a row to the next
  Tensor View(Operand op);
  std::string BrokenGap(Operand op) const;
  /// row[0], row[1], ... from the element at b, h, slot, d of `first` on.
  template <class Content>
  void WriteRow(Operand op, const Index& first, int columns, const Content& row);
  void FillReal(Operand op);
  void BuildArrays();
  template <class T>
  void StoreArray(size_t which, const std::vector<T>& values);
  template <class T>
  const T* Array(size_t which) const;  // null where the case has none
  void BuildMask();
  void SetKeeps(const Index& at, int j, bool keep);
  void PlaceMask();
  /// From one row of so many elements to the next, where rows have gaps behind them.
  static int64_t PaddedRow(int64_t row) { return (row + 7) / 8 * 8 + 8; }
  size_t MaskElement() const;  // bytes
  size_t PairOf(const Index& at, int j) const;
  size_t MaskOffset(const Index& at, int j) const;
  Tensor MaskView();

  /// Where sequences, heads or queries share a part of the mask tensor, its stride is 0.
  struct MaskPlace {
    int heads = 0;    // that it has rows for
    int64_t row = 0;  // elements from one row to the next
    int64_t elements = 0;
    std::array<int64_t, 4> stride{};
  };

  Case case_;
  Prefill prefill_;
  MaskPlace mask_place_;
  std::array<std::vector<Region>, 2> regions_;  // of queries and of keys, by sequence
  std::vector<int32_t> pages_;                  // [batch, pages()] where each page lies in the pool
  std::vector<int32_t> spare_pages_;            // of the pool that no sequence has
  /// Sizes and strides [b, h, s, d] in elements; packed: one entry, all slots; in pages: an entry a
  /// page.
  struct Placement {
    std::array<int64_t, 4> size{}, stride{};
    int64_t shift = 0;     // elements before the first one
    int64_t elements = 0;  // from there to the last one, gaps included
    bool gaps = false;     // whether some belong to nobody
  };
  std::array<Placement, kOperands> places_;
  std::array<Buffer, kOperands> buffers_;
  Buffer workspace_, mask_;
  uint64_t flipped_seed_bits_ = 0;
  std::vector<bool> dropped_;  // by PairOf; empty: none
  // As lengths() says, then the slopes of ALiBi and the sink of each head.
  static constexpr size_t kBlockTable = 6, kLengths = 7, kSlopes = 7, kSink = 8, kArrays = 9;
  std::array<Buffer, kArrays> arrays_;
};

}  // namespace padproof
