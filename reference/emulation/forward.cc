// Forward of an emulated kernel: scores, online softmax over tiles, P V, and how partial softmaxes
// become one.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "reference/emulation/kernel.h"

namespace padproof::reference {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLog2E = 1.44269504f;

bool AreNeighbours(const std::vector<int>& keys) {
  return std::abs(keys.back() - keys.front()) + 1 == static_cast<int>(keys.size());
}

}  // namespace

EmulatedKernel::EmulatedKernel(const Emulation& e, const Head& head, uint64_t noise)
    : e_(e),
      head_(head),
      dim_(head.dim),
      dim_v_(head.dim_v),
      math_(e, head.dtype, noise),
      order_(noise + 1),
      q_(Read(head.q, head.dim)),
      k_(Read(head.k, head.dim)),
      v_(Read(head.v, head.dim_v)),
      o_(Read(head.o, head.dim_v)),
      d_o_(Read(head.d_o, head.dim_v)) {
  if (prescaled()) {
    for (float& x : q_.data) {
      x = math_.Mul(x, scale());
      if (e.scaling == Scaling::q_in_storage) x = math_.RoundToStorage(x);
    }
  }
  qk_q_ = Operand(q_);
  qk_k_ = Operand(k_);
  pv_v_ = Operand(v_);
  dp_d_o_ = Operand(d_o_);
}

Matrix EmulatedKernel::Read(const std::vector<double>& values, int columns) const {
  Matrix m{columns, {}};
  m.data.assign(values.begin(), values.end());
  return m;
}

Matrix EmulatedKernel::Operand(Matrix m) const {
  for (float& x : m.data) x = math_.RoundOperand(x);
  return m;
}

float EmulatedKernel::unit() const {
  if (e_.scaling != Scaling::folded) return 1;
  return head_.softcap > 0 ? cap() : scale();
}

float EmulatedKernel::ScoreOf(int i, int key) {
  const bool capped = head_.softcap > 0, biased = !head_.bias.empty();
  float bias = 0;
  if (biased) {
    bias = static_cast<float>(head_.bias[at(i, key)]);
    if (unit() != 1) bias = math_.Flush(bias / unit());
  }
  const bool first = biased && e_.bias_first && !capped && e_.scaling != Scaling::scores;
  float s = math_.Accumulate(first ? bias : 0, qk_q_.row(i), qk_k_.row(key), dim_);
  if (e_.scaling == Scaling::scores) s = math_.Mul(s, scale());
  s = Stored(s);
  if (capped) {
    if (e_.scaling == Scaling::folded) {
      s = math_.Mul(s, math_.Flush(scale() / cap()));
    } else {
      s = math_.Flush(s / cap());
    }
    tanh_ = Stored(math_.Tanh(Stored(s)));
    s = e_.scaling == Scaling::folded ? tanh_ : Stored(math_.Mul(tanh_, cap()));
  }
  return biased && !first ? Stored(math_.Add(s, bias)) : s;
}

std::vector<float> EmulatedKernel::ScoresOf(int i, const std::vector<int>& keys) {
  std::vector<float> scores;
  for (int key : keys) scores.push_back(ScoreOf(i, key));
  return scores;
}

float EmulatedKernel::SinkOf(int i) const {
  const float sink = static_cast<float>(head_.sink[static_cast<size_t>(i)]);
  return unit() == 1 ? sink : sink / unit();
}

void EmulatedKernel::BeginAtSink(PartialSoftmax& state, int i) const {
  state.max = SinkOf(i);
  state.sum = 1;
}

void EmulatedKernel::AddSink(PartialSoftmax& state, int i) {
  const float sink = SinkOf(i);
  if (std::isinf(state.max)) return BeginAtSink(state, i);
  if (e_.sink_shifts && sink > state.max) {
    Shift(state, Rescale(state.max, sink));
    state.max = sink;
  }
  state.sum = math_.Add(state.sum, Weight(sink, state.max, -1));
}

float EmulatedKernel::Dropped(int i, int key, float p) const {
  if (head_.dropped.empty()) return math_.RoundP(p);
  if (head_.dropped[at(i, key)] != 0) return 0;
  if (e_.drop_late) return math_.RoundP(p);
  if (e_.store_scores) p = math_.RoundP(p);
  return math_.RoundP(math_.Mul(p, keep()));
}

float EmulatedKernel::Weight(float score, float max, int key) {
  const float value = key < 0 ? 0 : v_.row(key)[0];
  if (e_.scaling == Scaling::folded) {
    return math_.Exp2(math_.Flush(std::fma(score, folded(), -math_.Mul(max, folded()))), key,
                      value);
  }
  return math_.Exp(math_.Add(score, -max), key, value);
}

float EmulatedKernel::Rescale(float from, float to) {
  if (from == to) return 1;
  if (e_.fused_rescale) {
    return math_.Exp2(math_.Flush(std::fma(from, folded(), -math_.Mul(to, folded()))));
  }
  const float gap = math_.Add(from, -to);
  return e_.scaling == Scaling::folded ? math_.Exp2(math_.Mul(gap, folded())) : math_.Exp(gap);
}

// Keys of each softmax: strided lanes, or contiguous ranges of whole tiles.
std::vector<std::vector<int>> EmulatedKernel::Ranges(const std::vector<int>& keys) const {
  const int parts = std::max(e_.lanes, e_.splits), n = keys.empty() ? 0 : keys.back() + 1;
  std::vector<std::vector<int>> ranges(static_cast<size_t>(parts));
  const int tile = e_.tile > 0 ? e_.tile : std::max(1, n);
  const int tiles = (n + tile - 1) / tile;
  for (int j : keys) {
    const int part = e_.lanes > 1 ? j % parts : j / tile * parts / tiles;
    ranges[static_cast<size_t>(part)].push_back(j);
  }
  if (e_.reverse) {
    for (std::vector<int>& range : ranges) std::reverse(range.begin(), range.end());
  }
  return ranges;
}

PartialSoftmax EmulatedKernel::Walk(int i, const std::vector<int>& keys, bool sink) {
  PartialSoftmax state;
  state.max = -kInfinity;
  state.acc.assign(static_cast<size_t>(dim_v_), 0.0f);
  const bool sink_first = e_.sink_first || e_.normalise_p;
  if (sink && sink_first) BeginAtSink(state, i);
  // Tiles are of the tensor, in whatever order; those of a strided lane are of its own keys.
  const int tile = e_.tile > 0 ? e_.tile : std::max(1, head_.len_k);
  const auto tile_of = [&](size_t at) {
    return (e_.lanes > 1 ? static_cast<int>(at) : keys[at]) / tile;
  };
  for (size_t first = 0, last = 0; first < keys.size(); first = last) {
    while (last < keys.size() && tile_of(last) == tile_of(first)) ++last;
    AddTile(state, i,
            {keys.begin() + static_cast<std::ptrdiff_t>(first),
             keys.begin() + static_cast<std::ptrdiff_t>(last)});
  }
  if (sink && !sink_first) AddSink(state, i);
  return state;
}

void EmulatedKernel::AddTile(PartialSoftmax& state, int i, const std::vector<int>& keys) {
  const std::vector<float> scores = ScoresOf(i, keys);
  const float max = std::max(state.max, *std::max_element(scores.begin(), scores.end()));
  if (std::isinf(state.max)) {
    state.max = max;
  } else {
    const float bits = e_.scaling == Scaling::folded ? math_.Mul(max - state.max, folded())
                                                     : math_.Mul(max - state.max, kLog2E);
    if (bits > static_cast<float>(e_.lag)) {
      Shift(state, Rescale(state.max, max));
      state.max = max;
    }
  }
  const size_t n = keys.size();
  std::vector<float> p(n), rounded(n);
  for (size_t at = 0; at < n; ++at) p[at] = Weight(scores[at], state.max, keys[at]);
  const int size = static_cast<int>(n);
  if (e_.normalise_p) {
    state.sum = math_.Total(state.sum, p.data(), size);
    for (size_t at = 0; at < n; ++at) {
      rounded[at] = Dropped(i, keys[at], math_.Flush(p[at] / state.sum));
    }
  } else {
    for (size_t at = 0; at < n; ++at) rounded[at] = math_.RoundP(p[at]);
    state.sum = math_.Total(state.sum, (e_.sum_rounded ? rounded : p).data(), size);
    for (size_t at = 0; at < n; ++at) rounded[at] = Dropped(i, keys[at], p[at]);
  }
  for (float& x : rounded) x = math_.RoundOperand(x);
  AddValues(state, keys, rounded);
}

// Slots of masked keys between others hold zeros: sums by blocks keep their places.
void EmulatedKernel::AddValues(PartialSoftmax& state, const std::vector<int>& keys,
                               const std::vector<float>& weights) const {
  std::vector<float> column(keys.size()), p = weights;
  std::vector<int> places(keys.size());
  std::iota(places.begin(), places.end(), 0);
  if (e_.lanes == 1 && !AreNeighbours(keys)) {
    const int tile = e_.tile > 0 ? e_.tile : head_.len_k, first = keys.front() / tile * tile;
    p.assign(static_cast<size_t>(tile), 0.0f);
    for (size_t at = 0; at < keys.size(); ++at) {
      const int slot = keys[at] - first;
      places[at] = e_.reverse ? tile - 1 - slot : slot;
      p[static_cast<size_t>(places[at])] = weights[at];
    }
    column.assign(p.size(), 0.0f);
  }
  for (int c = 0; c < dim_v_; ++c) {
    for (size_t at = 0; at < keys.size(); ++at) {
      column[static_cast<size_t>(places[at])] = pv_v_.row(keys[at])[c];
    }
    float& acc = state.acc[static_cast<size_t>(c)];
    acc = math_.Accumulate(acc, p.data(), column.data(), static_cast<int>(p.size()));
  }
}

void EmulatedKernel::Shift(PartialSoftmax& state, float factor) const {
  state.sum = math_.Mul(state.sum, factor);
  for (float& x : state.acc) x = math_.Mul(x, factor);
}

void EmulatedKernel::MergeByMax(PartialSoftmax& all, PartialSoftmax other) {
  if (other.sum == 0) return;
  if (all.sum == 0) {
    all = std::move(other);
    return;
  }
  const float max = std::max(all.max, other.max);
  Shift(all, Rescale(all.max, max));
  Shift(other, Rescale(other.max, max));
  all.max = max;
  all.sum = math_.Add(all.sum, other.sum);
  for (size_t c = 0; c < all.acc.size(); ++c) all.acc[c] = math_.Add(all.acc[c], other.acc[c]);
}

float EmulatedKernel::LseOf(const PartialSoftmax& state) {
  return state.sum > 0 ? math_.Add(natural(state.max), math_.Log(state.sum)) : -kInfinity;
}

EmulatedRow EmulatedKernel::Store(const PartialSoftmax& state) {
  EmulatedRow row;
  const float inverse = state.sum > 0 ? 1.0f / state.sum : 0.0f;
  for (float x : state.acc) {
    float out = e_.normalise_p ? x : math_.Mul(x, inverse);
    if (e_.drop_late && !head_.dropped.empty()) out = math_.Mul(out, keep());
    row.out.push_back(Encode(head_.dtype, out));
  }
  row.lse = Encode(Dtype::f32, LseOf(state));
  return row;
}

// As FlashAttention-2 combines splits: each has stored a normalised O and an LSE in fp32, and
// weighs exp(LSE of the split - LSE of all), with no division at the end.
EmulatedRow EmulatedKernel::CombineByLse(const std::vector<PartialSoftmax>& parts) {
  std::vector<float> lse, weights;
  float max = -kInfinity;
  for (const PartialSoftmax& part : parts) max = std::max(max, lse.emplace_back(LseOf(part)));
  if (std::isinf(max)) return Store(parts[0]);
  for (float x : lse) {
    weights.push_back(std::isinf(x) ? 0.0f : math_.Exp(math_.Add(x, -max)));
  }
  const int size = static_cast<int>(parts.size());
  const float total = math_.Add(math_.Log(math_.Total(0, weights.data(), size)), max);
  PartialSoftmax all;
  all.acc.assign(static_cast<size_t>(dim_v_), 0.0f);
  for (size_t part = 0; part < parts.size(); ++part) {
    if (std::isinf(lse[part])) continue;
    const float weight = math_.Exp(math_.Add(lse[part], -total));
    const float inverse = 1.0f / parts[part].sum;
    for (size_t c = 0; c < all.acc.size(); ++c) {
      const float o = math_.Mul(parts[part].acc[c], inverse);
      all.acc[c] = math_.Add(all.acc[c], math_.Mul(weight, o));
    }
  }
  EmulatedRow row;
  const bool scaled = e_.drop_late && !head_.dropped.empty();
  for (float x : all.acc) {
    row.out.push_back(Encode(head_.dtype, scaled ? math_.Mul(x, keep()) : x));
  }
  row.lse = Encode(Dtype::f32, total);
  return row;
}

EmulatedRow EmulatedKernel::Forward(int i) {
  std::vector<PartialSoftmax> parts;
  for (const std::vector<int>& keys : Ranges(KeysOf(head_, i))) {
    // One part of several has the sink.
    const bool sink = !head_.sink.empty() && parts.empty();
    parts.push_back(Walk(i, keys, sink));
  }
  if (e_.combine == Combine::by_lse) return CombineByLse(parts);
  PartialSoftmax all = std::move(parts[0]);
  for (size_t part = 1; part < parts.size(); ++part) MergeByMax(all, std::move(parts[part]));
  return Store(all);
}

}  // namespace padproof::reference
