#include "reference/emulation/families.h"

#include <array>
#include <cmath>

#include "harness/base/random.h"

namespace padproof::reference {
namespace {

constexpr std::array<std::string_view, kFamilies> kNames{"randn",
                                                         "logits_30",
                                                         "logits_1e4",
                                                         "qk_cancellation",
                                                         "pv_cancellation",
                                                         "subnormal",
                                                         "near_max",
                                                         "equal_logits",
                                                         "increasing",
                                                         "decreasing",
                                                         "one_hot",
                                                         "coherent_p",
                                                         "mixed_magnitudes",
                                                         "long_tail",
                                                         "constant_v",
                                                         "massive_dimension",
                                                         "coherent_accumulation",
                                                         "tiny_logits",
                                                         "two_peaks"};

/// Fills one head; numbers are drawn in a fixed order and stored rounded.
class Filler {
 public:
  Filler(const HeadShape& shape, uint64_t seed) : random_(seed), shape_(shape) {
    head_.len_q = shape.len_q;
    head_.len_k = shape.n;
    head_.dim = head_.dim_v = shape.dim;
    head_.dtype = shape.dtype;
    head_.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(shape.dim)));
    for (int i = 0; i < shape.len_q; ++i) {
      head_.visible.push_back({0, random_.Chance(80) ? shape.n : random_.Between(0, shape.n)});
    }
    Normal(head_.q, shape.len_q, 1);
    Normal(head_.k, shape.n, 1);
    Normal(head_.v, shape.n, 1);
    const int exponent = random_.OneOf({0, 0, 0, 10, -14, -120});
    Normal(head_.d_o, shape.len_q, std::ldexp(1.0, exponent));
  }

  void Fill(Family family);
  Head Take() {
    for (std::vector<double>* m : {&head_.q, &head_.k, &head_.v, &head_.d_o}) {
      for (double& x : *m) x = Stored(x);
    }
    return std::move(head_);
  }

 private:
  double Uniform() { return std::ldexp(static_cast<double>(random_.Next() >> 11), -53); }
  double Gauss() {  // near enough: the sum of twelve uniforms
    double sum = -6;
    for (int k = 0; k < 12; ++k) sum += Uniform();
    return sum;
  }
  double Sign() { return random_.Chance(50) ? 1 : -1; }
  double Stored(double x) const {
    const double most = FactsOf(shape_.dtype).max_finite;
    x = std::fmin(std::fmax(x, -most), most);
    return Decode(shape_.dtype, Encode(shape_.dtype, x));
  }
  void Normal(std::vector<double>& m, int rows, double size) {
    m.clear();
    for (int at = 0; at < rows * shape_.dim; ++at) m.push_back(size * Gauss());
  }
  double& K(int j, int c) { return head_.k[static_cast<size_t>(j * shape_.dim + c)]; }
  template <class Value>
  void FillV(Value value) {
    for (int j = 0; j < shape_.n; ++j) {
      for (int c = 0; c < shape_.dim; ++c) {
        head_.v[static_cast<size_t>(j * shape_.dim + c)] = value(j, c);
      }
    }
  }
  void Scale(std::vector<double>& m, double by) {
    for (double& x : m) x *= by;
  }

  /// Logits `logit(j)`, nearly exact in any storage type: the first channels of K hold the logit,
  /// the remainder, and its remainder; Q is 1 there and 0 elsewhere.
  template <class Logit>
  void SetLogits(Logit logit) {
    const int parts = std::min(3, shape_.dim);
    for (size_t at = 0; at < head_.q.size(); ++at) {
      head_.q[at] = static_cast<int>(at % static_cast<size_t>(shape_.dim)) < parts ? 1 : 0;
    }
    for (int j = 0; j < shape_.n; ++j) {
      double left = logit(j) / head_.scale;
      for (int c = 0; c < parts; ++c) left -= K(j, c) = Stored(left);
    }
  }
  /// Random directions with logits of about `size`; the keys at the top are near copies.
  void NearTies(double size) {
    Scale(head_.q, std::sqrt(size));
    Scale(head_.k, std::sqrt(size));
    const int copies = std::min(shape_.n, 1 + random_.Between(0, 7));
    for (int copy = 0; copy < copies; ++copy) {
      const int j = random_.Between(0, shape_.n - 1);
      for (int c = 0; c < shape_.dim; ++c) {
        K(j, c) = head_.q[static_cast<size_t>(c)] * (1 + 0x1p-9 * Gauss() / shape_.dim);
      }
    }
  }

  void FillLogits(Family family);
  void FillValues(Family family);
  void FillSubnormal();
  void FillCoherentP();
  void FillCoherentSums();

  Random random_;
  HeadShape shape_;
  Head head_;
};

void Filler::FillSubnormal() {
  const double tiny = random_.Chance(50) ? FactsOf(shape_.dtype).min_normal : 0x1p-126;
  const int what = random_.Between(1, 7);
  if ((what & 1) != 0) Scale(head_.v, tiny / 4);
  if ((what & 2) != 0) Scale(head_.q, tiny / 4);
  if ((what & 4) != 0) Scale(head_.k, tiny / 4);
  if ((what & 2) == 0 && (what & 4) != 0 && random_.Chance(50)) Scale(head_.q, 0x1p12);
}

// All weights but one just beside a tie of the storage type, in the frame of that one.
void Filler::FillCoherentP() {
  const double unit =
      FactsOf(shape_.dtype == Dtype::f32 ? Dtype::bf16 : shape_.dtype).unit_roundoff;
  // Numbers of the type are u apart in [1/2, 1), and ties halfway.
  const int below = static_cast<int>(1 / unit);
  const int odd = 2 * random_.Between(below / 2, below - 1) + 1;
  const double weight = odd * unit / 2 * (1 + 0x1p-22 * random_.Between(-8, 8)), drift = Uniform();
  const int peak = random_.Chance(50) ? 0 : random_.Between(0, shape_.n - 1);
  SetLogits([&](int j) { return (j == peak ? 0.0 : std::log(weight)) + drift; });
  const bool coherent = random_.Chance(50);
  FillV([&](int, int) { return coherent ? 1 + Uniform() : Gauss(); });
}

// Equal addends; or one product and many just below the last bit that a tensor core keeps beside
// it.
void Filler::FillCoherentSums() {
  const double value = 1 + Uniform(), part = 1 + Uniform();
  const bool cut_off = random_.Chance(50);
  const double big = random_.OneOf({1, 2, 4, 8}), below = std::ldexp(0.99, -random_.Between(0, 2));
  for (size_t at = 0; at < head_.q.size(); ++at) {
    const bool first = at % static_cast<size_t>(shape_.dim) == 0;
    head_.q[at] = cut_off ? (first ? big : 0x1p-11) : part;
  }
  for (size_t at = 0; at < head_.k.size(); ++at) {
    const bool first = at % static_cast<size_t>(shape_.dim) == 0;
    head_.k[at] = cut_off ? (first ? big : big * big * 0x1p-12 * below) : part / 3;
  }
  FillV([&](int, int) { return value; });
}

void Filler::FillLogits(Family family) {
  const double n = shape_.n;
  switch (family) {
    case Family::logits_30:
      return NearTies(30);
    case Family::logits_1e4:
      return NearTies(1e4);
    case Family::qk_cancellation:
      for (int c = 0; c + 1 < shape_.dim; c += 2) {
        for (int i = 0; i < shape_.len_q; ++i) {
          double* q = &head_.q[static_cast<size_t>(i * shape_.dim + c)];
          q[1] = q[0] *= 30;
        }
        for (int j = 0; j < shape_.n; ++j) {
          K(j, c) *= 30;
          K(j, c + 1) = -K(j, c) + 0.01 * K(j, c + 1);
        }
      }
      return;
    case Family::equal_logits:
      for (int j = 1; j < shape_.n; ++j) {
        for (int c = 0; c < shape_.dim; ++c) K(j, c) = K(0, c);
      }
      return;
    case Family::increasing:
    case Family::decreasing: {
      const double step = random_.OneOf({0.001, 0.05, 1.0, 8.0});
      const double sign = family == Family::increasing ? 1 : -1;
      return SetLogits([&](int j) { return sign * step * j + 0.1 * step * Gauss(); });
    }
    case Family::one_hot: {
      const int peak = random_.Between(0, shape_.n - 1);
      return SetLogits([&](int j) { return (j == peak ? 50.0 : 0.0) + Gauss(); });
    }
    case Family::long_tail:
      return SetLogits([&](int j) { return -100.0 * j / n + 0.1 * Gauss(); });
    case Family::massive_dimension: {
      const double size = random_.OneOf({30.0, 1000.0});
      const size_t channel = random_.Below(static_cast<uint32_t>(shape_.dim));
      const size_t dim = static_cast<size_t>(shape_.dim);
      for (size_t at = channel; at < head_.q.size(); at += dim) head_.q[at] *= size;
      for (size_t at = channel; at < head_.k.size(); at += dim)
        head_.k[at] = size * (1 + 0.01 * head_.k[at]);
      return;
    }
    case Family::tiny_logits:
      Scale(head_.q, 1e-4);
      return;
    case Family::two_peaks: {
      const int first = random_.Between(0, shape_.n - 1), second = random_.Between(0, shape_.n - 1);
      const double height = random_.OneOf({10.0, 40.0, 300.0});
      SetLogits([&](int j) { return j == first || j == second ? height : Gauss(); });
      return FillV([&](int j, int) {
        return (j == first ? 1000 : j == second ? -1000 : 1) * (1 + 0.001 * Gauss());
      });
    }
    default:
      return;
  }
}

void Filler::FillValues(Family family) {
  switch (family) {
    case Family::pv_cancellation:
      return FillV([&](int j, int) { return (j % 2 == 0 ? 1000 : -1000) * (1 + 0.001 * Gauss()); });
    case Family::near_max: {
      const double most = FactsOf(shape_.dtype).max_finite;
      const double size = random_.Chance(50) ? most : most / (512.0 * shape_.n);
      return FillV([&](int, int) { return Sign() * size * (0.9 + 0.1 * Uniform()); });
    }
    case Family::mixed_magnitudes:
      return FillV([&](int, int) { return Sign() * std::exp2(26.6 * (Uniform() - 0.5)); });
    case Family::constant_v: {
      const double value = random_.Chance(50) ? 1 : Gauss();
      if (random_.Chance(50)) NearTies(random_.OneOf({1.0, 30.0, 1e4}));
      return FillV([&](int, int) { return value; });
    }
    case Family::coherent_accumulation:
      return FillCoherentSums();
    default:
      return;
  }
}

void Filler::Fill(Family family) {
  if (shape_.n == 0) return;
  if (family == Family::subnormal) return FillSubnormal();
  if (family == Family::coherent_p) return FillCoherentP();
  FillLogits(family);
  FillValues(family);
}

}  // namespace

std::string_view NameOf(Family family) { return kNames[static_cast<size_t>(family)]; }

Head HeadOf(Family family, const HeadShape& shape, uint64_t seed) {
  Filler filler(shape, HashOf({static_cast<uint64_t>(family), seed}));
  filler.Fill(family);
  return filler.Take();
}

Head WithZeroKey(Head head) {
  head.k.insert(head.k.end(), static_cast<size_t>(head.dim), 0.0);
  head.v.insert(head.v.end(), static_cast<size_t>(head.dim_v), 0.0);
  ++head.len_k;
  for (KeyRange& keys : head.visible) ++keys.last;
  return head;
}

}  // namespace padproof::reference
