// Decides what is simpler than a case, and what a shrinking run tries first. Large steps come
// first and halve, so that a run needs few of them.

#include "harness/case/simplify.h"

#include <algorithm>
#include <array>
#include <utility>

#include "harness/case/generate.h"
#include "harness/case/values.h"

namespace padproof {
namespace {

/// Numbers to try instead of `n`, for which `least` is the plainest: it, then steps that halve.
std::vector<int> Smaller(int n, int least) {
  std::vector<int> values;
  for (int step = n - least; step > 0; step /= 2) values.push_back(n - step);
  return values;
}

std::vector<int> SimplerLens(int len) {
  if (len == 0) return {1};
  if (len == 1) return {};
  std::vector<int> values = Smaller(len, 1);
  values.insert(values.begin() + 1, 0);
  return values;
}

class Candidates {
 public:
  explicit Candidates(const Case& c) : from_(c), complexity_(ComplexityOf(c)) {}

  /// Adds `c` if it is simpler, valid and new.
  void Add(Case c) {
    if (c.dim_v == c.dim) c.dim_v = 0;
    DropUnused(c);
    const auto strided = static_cast<Operand>(c.strided);
    if (c.strided != kAllOperands && !HasTensor(c, strided)) c.strides = {};
    if (c.strides == Strides::contiguous) c.strided = kAllOperands;
    if (!(ComplexityOf(c) < complexity_) || !Validate(c).empty()) return;
    if (std::find(list_.begin(), list_.end(), c) == list_.end()) list_.push_back(c);
  }

  /// Adds the case with one field set to each of `values`.
  template <class T, class Values>
  void Set(T Case::* field, const Values& values) {
    for (const auto& value : values) {
      Case c = from_;
      c.*field = value;
      Add(c);
    }
  }

  std::vector<Case> Take() { return std::move(list_); }

 private:
  const Case& from_;
  std::array<uint64_t, kComplexity> complexity_;
  std::vector<Case> list_;
};

/// Sequences [first, last) alone.
Case Part(const Case& c, size_t first, size_t last) {
  Case part = c;
  const auto cut = [=](const std::vector<int>& lens) {
    return std::vector<int>(lens.begin() + static_cast<std::ptrdiff_t>(first),
                            lens.begin() + static_cast<std::ptrdiff_t>(last));
  };
  part.lens_q = cut(c.lens_q);
  part.lens_k = cut(c.lens_k);
  return part;
}

void AddParts(const Case& c, Candidates& out) {
  const size_t batch = c.lens_q.size();
  if (batch < 2) return;
  for (size_t b = 0; b < batch; ++b) out.Add(Part(c, b, b + 1));
  // The pads that a longer neighbour caused, kept without the neighbour.
  for (size_t b = 0; b < batch && !c.packed(); ++b) {
    Case alone = Part(c, b, b + 1);
    alone.pad_q = c.seqlen_q() - c.lens_q[b];
    alone.pad_k = c.seqlen_k() - c.lens_k[b];
    out.Add(alone);
  }
  out.Add(Part(c, 0, batch / 2));
  out.Add(Part(c, batch / 2, batch));
  for (size_t b = 0; b < batch; ++b) {
    Case without = c;
    without.lens_q.erase(without.lens_q.begin() + static_cast<std::ptrdiff_t>(b));
    without.lens_k.erase(without.lens_k.begin() + static_cast<std::ptrdiff_t>(b));
    out.Add(without);
  }
}

/// Every field that is not about lengths, pads or fill at its plainest, in one step.
void AddPlain(const Case& c, Candidates& out) {
  Case plain{.lens_q = c.lens_q, .lens_k = c.lens_k, .pad_q = c.pad_q, .pad_k = c.pad_k};
  plain.fill = c.fill;
  plain.backward = c.backward;
  out.Add(plain);
  plain.dim = c.dim;  // what a kernel may insist on
  plain.dtype = c.dtype;
  out.Add(plain);
  if (!c.paged()) return;
  plain.layout = c.layout;
  plain.page_size = c.page_size;
  out.Add(plain);
}

void AddMasks(const Case& c, Candidates& out) {
  if (c.mask == Mask::none) return;
  out.Set(&Case::mask, std::array{Mask::none, Mask::causal_tl, Mask::causal_br});
  if (HasEmptyRow(c)) {  // a row that its mask empties may as well have no key
    Case keyless = c;
    keyless.mask = Mask::none;
    for (size_t b = 0; b < c.lens_q.size(); ++b) {
      const bool empty = c.lens_q[b] > 0 && SeesNothing(c, static_cast<int>(b), 0, 0);
      if (empty) keyless.lens_k[b] = 0;
    }
    out.Add(keyless);
  }
  if (!IsWindow(c.mask)) return;
  Case window = c;  // top-left, no bound, then reaches that halve
  window.mask = Mask::window_tl;
  out.Add(window);
  for (int Window::* side : {&Window::left, &Window::right}) {
    std::vector<int> reaches{-1};
    if (c.window.*side > 0) {
      for (int reach : Smaller(c.window.*side, 0)) reaches.push_back(reach);
    }
    for (int reach : reaches) {
      window = c;
      window.window.*side = reach;
      out.Add(window);
    }
  }
}

void AddFeatures(const Case& c, Candidates& out) {
  out.Set(&Case::mask_form, std::array{MaskForm::lengths, MaskForm::boolean});
  Case told = c;  // lengths know no holes
  told.mask_form = MaskForm::lengths;
  told.holes = 0;
  out.Add(told);
  out.Set(&Case::holes, std::array{0, 50, 10, 90});
  out.Set(&Case::bias, std::array{Bias::none, Bias::alibi, Bias::dense});
  out.Set(&Case::scale, std::array{0, 100});
  out.Set(&Case::softcap, std::array{0, 1});
  out.Set(&Case::sink, std::array{false});
  if (c.sink) {  // the second term of a row sum may as well be a key
    Case key = c;
    key.sink = false;
    ++key.lens_k.front();
    out.Add(key);
  }
  out.Set(&Case::dropout, std::array{0, 50});
  out.Set(&Case::splits, std::array{0, 1, 2, 3, c.splits / 2, c.splits - 1});
  out.Set(&Case::group, std::array{1});
  Case one = c;  // one head of K and V, or two
  for (int heads_kv : {1, 2}) {
    one.heads = std::min(c.group * heads_kv, c.heads);
    out.Add(one);
  }
  if (c.group > 2) {
    one.heads = one.group = 2;
    out.Add(one);
  }
}

void AddDims(const Case& c, Candidates& out) {
  std::vector<int> dims;
  // Powers of two first: kernels that insist on a multiple insist on one of those.
  for (int dim = 1; dim < c.dim; dim *= 2) dims.push_back(dim);
  if (c.dim % 2 == 1) dims.push_back(3);
  for (int dim : {c.dim / 2, c.dim - 8, c.dim - 1}) dims.push_back(std::max(dim, 1));
  out.Set(&Case::dim, dims);
  if (c.dim_v == 0) return;
  std::vector<int> dims_v{0};
  for (int dim = 1; dim < c.dim_v; dim *= 2) dims_v.push_back(dim);
  out.Set(&Case::dim_v, dims_v);
}

void AddLens(const Case& c, Candidates& out) {
  Case ones = c;
  std::fill(ones.lens_k.begin(), ones.lens_k.end(), 1);
  Case both = ones;
  std::fill(both.lens_q.begin(), both.lens_q.end(), 1);
  out.Add(both);
  out.Add(ones);
  for (size_t b = 0; b < c.lens_q.size(); ++b) {
    const int len_q = c.lens_q[b], len_k = c.lens_k[b];
    for (int len : SimplerLens(len_q)) {
      Case shorter = c;
      shorter.lens_q[b] = len;
      out.Add(shorter);
    }
    for (int len : SimplerLens(len_k)) {
      Case shorter = c;
      shorter.lens_k[b] = len;
      out.Add(shorter);
    }
    // Together, so that equality and the alignment of causal masks stay as they are.
    const int common = std::min(len_q, len_k);
    for (int left : Smaller(common, 0)) {
      Case shorter = c;
      shorter.lens_q[b] -= common - left;
      shorter.lens_k[b] -= common - left;
      out.Add(shorter);
    }
  }
}

void AddPads(const Case& c, Candidates& out) {
  Case none = c;
  none.pad_q = none.pad_k = 0;
  out.Add(none);
  for (int Case::* pad : {&Case::pad_q, &Case::pad_k}) {
    out.Set(pad, Smaller(c.*pad, 0));
    out.Set(pad, std::array{1});
    Case full = c;  // slots that need not be pads are tokens: one number says how many there are
    auto& lens = pad == &Case::pad_q ? full.lens_q : full.lens_k;
    *std::max_element(lens.begin(), lens.end()) += std::exchange(full.*pad, 0);
    out.Add(full);
  }
  Case keys = c;  // where either will do, padded keys say more than padded queries
  keys.pad_q = 0;
  keys.pad_k = c.pad_q + c.pad_k;
  out.Add(keys);
}

/// Contiguous, then plainer ones, and of one tensor: which one it is says where to look.
void AddStrides(const Case& c, Candidates& out) {
  out.Set(&Case::strides, std::array{Strides::contiguous, Strides::row_padded, Strides::offset});
  if (c.strides == Strides::contiguous) return;
  for (int op = 0; op < kOperands; ++op) out.Set(&Case::strided, std::array{op});
}

void AddSorted(const Case& c, Candidates& out) {
  std::vector<std::pair<int, int>> lens;  // key length first: see IsBefore
  for (size_t b = 0; b < c.lens_q.size(); ++b) lens.emplace_back(c.lens_k[b], c.lens_q[b]);
  std::sort(lens.rbegin(), lens.rend());
  Case sorted = c;
  for (size_t b = 0; b < lens.size(); ++b) {
    sorted.lens_k[b] = lens[b].first;
    sorted.lens_q[b] = lens[b].second;
  }
  out.Add(sorted);
}

/// A smaller shape told with other values: drawn numbers may need a long row or a wide head to show
/// what `increasing` shows in the first key of a second tile. The last resort, since it changes two
/// fields at once.
void AddRetold(const Case& c, Candidates& out) {
  for (Values values : {Values::increasing, Values::large}) {
    Case retold = c;
    retold.values = values;
    retold.seed = 0;
    for (int dim : {1, 2}) {
      Case narrow = retold;
      narrow.dim = dim;
      if (dim < c.dim) out.Add(narrow);
    }
    for (size_t b = 0; b < c.lens_k.size(); ++b) {
      for (int len : SimplerLens(c.lens_k[b])) {
        Case shorter = retold;
        shorter.lens_k[b] = len;
        out.Add(shorter);
        shorter.dim = 1;
        out.Add(shorter);
      }
    }
  }
}

/// Seeds are unrelated to each other, so there is no way down but short ones.
template <class T>
std::vector<T> Seeds(T seed) {
  std::vector<T> seeds{0, 1, 2};
  for (const T modulus : {10, 100, 1000}) seeds.push_back(seed % modulus);
  return seeds;
}

/// Every order with the same preemption, plainest first.
std::vector<Schedule> Orders(const Schedule& from, uint32_t preempt) {
  std::vector<Schedule> schedules;
  for (Order order : {Order::forward, Order::reverse, Order::warp_lag, Order::random}) {
    const Schedule unseeded{.order = order, .seed = 0, .preempt = preempt};
    if (!unseeded.Draws()) {
      schedules.push_back(unseeded);
      continue;
    }
    for (uint32_t seed : Seeds(from.seed)) schedules.push_back({order, seed, preempt});
    // The warp that lags is the seed modulo the block's warps, mostly a power of two: keep it.
    if (order != Order::warp_lag) continue;
    for (uint32_t warps : {4u, 8u, 32u}) schedules.push_back({order, from.seed % warps, preempt});
  }
  return schedules;
}

void AddSchedules(const Case& c, Candidates& out) {
  const Schedule& from = c.schedule;
  out.Set(&Case::schedule, Orders(from, 0));
  if (from.preempt == 0) return;
  for (uint32_t rarer : {64u, 16u, 8u, 4u, 2u}) {
    if (rarer > from.preempt)
      out.Set(&Case::schedule, std::array{Schedule{from.order, from.seed, rarer}});
  }
  for (Order order : {Order::forward, Order::reverse, Order::warp_lag}) {
    out.Set(&Case::schedule, std::array{Schedule{order, from.seed, from.preempt}});
  }
  out.Set(&Case::schedule, Orders(from, from.preempt));
}

}  // namespace

std::vector<Case> Simplify(const Case& c) {
  Candidates out(c);
  AddParts(c, out);
  AddPlain(c, out);
  AddMasks(c, out);
  AddFeatures(c, out);
  out.Set(&Case::heads, Smaller(c.heads, 1));
  AddDims(c, out);
  out.Set(&Case::backward, std::array{false});
  AddPads(c, out);
  out.Set(&Case::pad_side, std::array{PadSide::right, PadSide::left});
  out.Set(&Case::layout, std::array{Layout::bhsd, Layout::bshd});
  if (c.paged()) out.Set(&Case::page_size, Smaller(c.page_size, 1));
  AddStrides(c, out);
  out.Set(&Case::dtype, std::array{Dtype::f32, Dtype::f16});
  AddSchedules(c, out);
  out.Set(&Case::values, std::array{Values::normal});
  AddLens(c, out);
  out.Set(&Case::fill, std::array{Fill::zero, Fill::nan, Fill::noise, Fill::copy, Fill::hot,
                                  Fill::huge, Fill::inf});
  out.Set(&Case::seed, Seeds(c.seed));
  AddSorted(c, out);
  AddRetold(c, out);
  return out.Take();
}

}  // namespace padproof
