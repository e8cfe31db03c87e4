// A case: a small value that prints on one line, from which everything else is computed.
//
//   lens_q=1 lens_k=17 pad_k=1 dim=1 fill=nan
//
// `lens_q`, `lens_k` and `dim` are always printed; every other field only when it is not at its
// default, so that a minimal case is a short line. Text round-trips exactly.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/check.h"
#include "harness/case/enums.h"

namespace padproof {

/// Keys that a query sees around its own position; -1: as far as there are keys.
struct Window {
  int left = -1, right = -1;
  bool operator==(const Window&) const = default;
};

inline constexpr int kAllOperands = -1;

struct Case {
  std::vector<int> lens_q;  // real queries of each sequence, from 0; its size is the batch
  std::vector<int> lens_k;  // real keys of each sequence, from 0
  int pad_q = 0;            // padded query slots beyond the longest sequence; packed: see PadSide
  int pad_k = 0;            // padded key slots, likewise
  PadSide pad_side = PadSide::right;
  int heads = 1;  // of Q
  int group = 1;  // query heads that share a head of K and V; in text heads=HEADS:HEADS_KV
  int dim = 1;    // head dimension of Q and K
  int dim_v = 0;  // of V and O, if another one; in text dim=DIM:DIM_V
  Mask mask = Mask::none;
  Window window;  // of Mask::window_*; in text mask=window:LEFT,RIGHT:tl|br
  MaskForm mask_form = MaskForm::lengths;
  int holes = 0;  // pairs in a hundred that the mask tensor hides besides
  Bias bias = Bias::none;
  int scale = 0;      // softmax_scale in hundredths; 0: 1/sqrt(dim)
  int softcap = 0;    // 0: none
  bool sink = false;  // a sink a head
  int dropout = 0;    // weights in a hundred that are dropped
  int splits = 0;     // blocks that share the keys of a query; 0: as many as the kernel likes
  Layout layout = Layout::bhsd;
  int page_size = 0;  // of Layout::paged: slots of a page; in text layout=paged:PAGE_SIZE
  Strides strides = Strides::contiguous;
  int strided = kAllOperands;  // the Operand that has them; in text strides=STRIDES:OPERAND
  Dtype dtype = Dtype::f32;    // storage of Q, K, V, O and their gradients
  Values values = Values::normal;
  Fill fill = Fill::zero;
  bool backward = false;  // also run and judge the gradients
  Schedule schedule;      // in text forward, reverse, random:SEED, warp_lag:SEED; see Parse
  uint64_t seed = 0;      // of every value

  bool operator==(const Case&) const = default;

  int batch() const { return static_cast<int>(lens_q.size()); }
  bool packed() const { return layout == Layout::thd; }
  bool paged() const { return layout == Layout::paged; }
  int pages() const;         // paged: that each sequence has of K and V, those of pads included
  int most_slots_q() const;  // of a sequence: longest real length + pad_q
  int most_slots_k() const;  // likewise; paged: whole pages
  int seqlen_q() const;      // what a kernel is told: slots a sequence; packed: longest real length
  int seqlen_k() const;
  int heads_kv() const { return heads / group; }
  int value_dim() const { return dim_v != 0 ? dim_v : dim; }
};

/// Limits that Validate enforces; they keep one case under about a second on one core.
inline constexpr int kMaxBatch = 64;
inline constexpr int kMaxLen = 4096;
inline constexpr int kMaxPad = 4096;
inline constexpr int kMaxPageSize = 256;
inline constexpr int kMaxHeads = 64;
inline constexpr int kMaxDim = 256;
inline constexpr int kMaxScale = 400;
inline constexpr int kMaxSoftcap = 1000;
inline constexpr int kMaxHoles = 99;
inline constexpr int kMaxDropout = 90;
inline constexpr int kMaxSplits = 128;
inline constexpr int64_t kMaxElements = int64_t{1}
                                        << 24;  // of the largest tensor, and of B*H*Sq*Sk

/// The canonical line.
std::string Print(const Case& c);
/// As it reads after `schedule=`.
std::string Print(const Schedule& schedule);

/// Reads a line. Fields may come in any order, each once. An error names the field, its column and
/// what is allowed there. Parse(Print(c)) == c for every valid c, and Parse validates.
///
/// A schedule reads ORDER[:SEED][,preempt:N]: random:7, warp_lag:0, forward:7,preempt:4. The seed
/// stands exactly where something is drawn: with random and warp_lag, and with preempt in any
/// order. `warp_lag` alone, as older lines have it, is read as warp_lag:0.
Result<Case> Parse(std::string_view line);

/// An empty string, or what is wrong and what is allowed.
std::string Validate(const Case& c);

// ---- geometry -----------------------------------------------------------------------------------

/// The slots of one sequence, pads included.
struct Region {
  int begin = 0;  // packed: the slot of the buffer that its slot 0 is; else 0
  int slots = 0;
  int leftpad = 0;  // slots before its first real token
};
Region RegionQ(const Case& c, int b);
Region RegionK(const Case& c, int b);

/// Slot of real token `i` of sequence `b` (left pads come first).
int SlotQ(const Case& c, int b, int i);
int SlotK(const Case& c, int b, int j);
bool IsRealQ(const Case& c, int b, int slot);
bool IsRealK(const Case& c, int b, int slot);

/// Keys first .. last - 1.
struct KeyRange {
  int first = 0, last = 0;
  bool operator==(const KeyRange&) const = default;
};

/// The keys that the mask lets real query `i` of sequence `b` see, but for holes.
KeyRange VisibleKeys(const Case& c, int b, int i);
/// Whether real query `i` of query head `h` sees real key `j`, holes included.
bool Sees(const Case& c, int b, int h, int i, int j);
/// True when it sees none.
bool SeesNothing(const Case& c, int b, int h, int i);

bool HasPads(const Case& c);      // some sequence has a padded query or key slot
bool HasEmptyRow(const Case& c);  // some real query sees no key

}  // namespace padproof
