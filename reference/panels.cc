#include "reference/panels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace padproof::reference {
namespace {

// Vectors of the compiler: the same code at any instruction set, and no sum changes its order.
using Pair = double __attribute__((vector_size(16)));
using PairBits = int64_t __attribute__((vector_size(16)));
constexpr int kPairs = 4;  // at a time
constexpr int kWidth = 2 * kPairs;

inline Pair Load(const double* at) {
  Pair pair;
  std::memcpy(&pair, at, sizeof pair);
  return pair;
}
inline void Store(double* at, Pair pair) { std::memcpy(at, &pair, sizeof pair); }
inline Pair Both(double x) { return Pair{x, x}; }
inline Pair Abs(Pair x) {
  const PairBits magnitude = {INT64_MAX, INT64_MAX};
  return reinterpret_cast<Pair>(reinterpret_cast<PairBits>(x) & magnitude);
}
inline double Abs(double x) { return std::fabs(x); }
inline Pair Least(Pair a, Pair b) { return a < b ? a : b; }
inline Pair Most(Pair a, Pair b) { return a > b ? a : b; }

/// One panel: eight dot products side by side.
struct PanelSums {
  Pair value[kPairs] = {}, magnitude[kPairs] = {};
};

PanelSums MultiplyPanel(const double* panel, const double* x, int columns) {
  PanelSums sums;
  for (int t = 0; t < columns; ++t) {
    const Pair factor = Both(x[t]);
#pragma GCC unroll 4
    for (int l = 0; l < kPairs; ++l) {
      const Pair product = factor * Load(panel + t * kWidth + 2 * l);
      sums.value[l] += product;
      sums.magnitude[l] += Abs(product);
    }
  }
  return sums;
}

/// The same, with what bounds partial sums if blocks of products come in order.
PanelSums MultiplyInOrder(const double* panel, const double* x, int columns, Pair* partial) {
  PanelSums sums;
  Pair lowest[kPairs] = {}, highest[kPairs] = {}, largest[kPairs] = {};
  for (int t = 0; t < columns; t += kBlock) {
    const int size = std::min(kBlock, columns - t);
    PanelSums block;
    std::copy(sums.value, sums.value + kPairs, block.value);
    for (int k = 0; k < size; ++k) {
      const Pair factor = Both(x[t + k]);
#pragma GCC unroll 4
      for (int l = 0; l < kPairs; ++l) {
        const Pair product = factor * Load(panel + (t + k) * kWidth + 2 * l);
        block.value[l] += product;
        block.magnitude[l] += Abs(product);
      }
    }
#pragma GCC unroll 4
    for (int l = 0; l < kPairs; ++l) {
      sums.value[l] = block.value[l];
      sums.magnitude[l] += block.magnitude[l];
      lowest[l] = Least(lowest[l], block.value[l]);
      highest[l] = Most(highest[l], block.value[l]);
      largest[l] = Most(largest[l], block.magnitude[l]);
    }
  }
  for (int l = 0; l < kPairs; ++l) {
    partial[l] = Least(sums.magnitude[l], highest[l] - lowest[l] + largest[l]);
  }
  return sums;
}

/// Calls add.operator()<Lanes, kColumns>(c) for columns c .. c + kColumns Lanes: eight columns at a
/// time, then two, then one.
template <class Add>
void ByColumns(int columns, Add add) {
  int c = 0;
  for (; c + kWidth <= columns; c += kWidth) add.template operator()<Pair, kPairs>(c);
  for (; c + 2 <= columns; c += 2) add.template operator()<Pair, 1>(c);
  for (; c < columns; ++c) add.template operator()<double, 1>(c);
}

/// Columns c .. c + kColumns Lanes of AddRows.
template <class Lanes, int kColumns, int kSigned, int kAbsolute>
inline void AddColumns(const Rows& m, int c,
                       const std::array<const double*, kSigned + kAbsolute>& weights,
                       const std::array<double*, kSigned + kAbsolute>& sums) {
  constexpr int kSums = kSigned + kAbsolute, kStep = sizeof(Lanes) / sizeof(double);
  Lanes acc[kSums][kColumns];
#pragma GCC unroll 3
  for (int s = 0; s < kSums; ++s) {
#pragma GCC unroll 4
    for (int l = 0; l < kColumns; ++l) {
      std::memcpy(&acc[s][l], sums[static_cast<size_t>(s)] + c + kStep * l, sizeof(Lanes));
    }
  }
  for (int j = 0; j < m.count; ++j) {
    const double* row = m.matrix + static_cast<size_t>(m.index[j]) * static_cast<size_t>(m.columns);
#pragma GCC unroll 4
    for (int l = 0; l < kColumns; ++l) {
      Lanes x;
      std::memcpy(&x, row + c + kStep * l, sizeof x);
#pragma GCC unroll 3
      for (int s = 0; s < kSums; ++s) {
        const double weight = weights[static_cast<size_t>(s)][j];
        acc[s][l] += weight * (s < kSigned ? x : Abs(x));
      }
    }
  }
#pragma GCC unroll 3
  for (int s = 0; s < kSums; ++s) {
#pragma GCC unroll 4
    for (int l = 0; l < kColumns; ++l) {
      std::memcpy(sums[static_cast<size_t>(s)] + c + kStep * l, &acc[s][l], sizeof(Lanes));
    }
  }
}

template <class Lanes, int kColumns>
inline void AddColumnsAndMagnitudes(const Rows& m, int c, const double* weights, double* sums,
                                    double* magnitudes) {
  constexpr int kStep = sizeof(Lanes) / sizeof(double);
  Lanes sum[kColumns], magnitude[kColumns];
#pragma GCC unroll 4
  for (int l = 0; l < kColumns; ++l) {
    std::memcpy(&sum[l], sums + c + kStep * l, sizeof(Lanes));
    std::memcpy(&magnitude[l], magnitudes + c + kStep * l, sizeof(Lanes));
  }
  for (int j = 0; j < m.count; ++j) {
    const double* row = m.matrix + static_cast<size_t>(m.index[j]) * static_cast<size_t>(m.columns);
#pragma GCC unroll 4
    for (int l = 0; l < kColumns; ++l) {
      Lanes x;
      std::memcpy(&x, row + c + kStep * l, sizeof x);
      x *= weights[j];
      sum[l] += x;
      magnitude[l] += Abs(x);
    }
  }
#pragma GCC unroll 4
  for (int l = 0; l < kColumns; ++l) {
    std::memcpy(sums + c + kStep * l, &sum[l], sizeof(Lanes));
    std::memcpy(magnitudes + c + kStep * l, &magnitude[l], sizeof(Lanes));
  }
}

template <class Lanes, int kColumns, bool kKept>
inline void AddDeviationColumns(const Rows& m, int c, const double* weights, const double* kept,
                                const double* centre, double* sums) {
  constexpr int kStep = sizeof(Lanes) / sizeof(double);
  Lanes acc[kColumns], middle[kColumns];
#pragma GCC unroll 4
  for (int l = 0; l < kColumns; ++l) {
    std::memcpy(&acc[l], sums + c + kStep * l, sizeof(Lanes));
    std::memcpy(&middle[l], centre + c + kStep * l, sizeof(Lanes));
  }
  for (int j = 0; j < m.count; ++j) {
    const double* row = m.matrix + static_cast<size_t>(m.index[j]) * static_cast<size_t>(m.columns);
#pragma GCC unroll 4
    for (int l = 0; l < kColumns; ++l) {
      Lanes x;
      std::memcpy(&x, row + c + kStep * l, sizeof x);
      if (kKept) x *= kept[j];
      acc[l] += weights[j] * Abs(x - middle[l]);
    }
  }
#pragma GCC unroll 4
  for (int l = 0; l < kColumns; ++l) std::memcpy(sums + c + kStep * l, &acc[l], sizeof(Lanes));
}

}  // namespace

Panels::Panels(const std::vector<double>& matrix, int first, int last, int columns)
    : first_(first), columns_(columns) {
  const int panels = (last - first + kWidth - 1) / kWidth;
  const size_t size = static_cast<size_t>(columns) * kWidth;
  packed_ = std::make_unique_for_overwrite<double[]>(static_cast<size_t>(panels) * size);
  for (int panel = 0; panel < panels; ++panel) {
    double* to = packed_.get() + static_cast<size_t>(panel) * size;
    const int begin = first + panel * kWidth, rows = std::min(kWidth, last - begin);
    const double* from = matrix.data() + static_cast<size_t>(begin) * static_cast<size_t>(columns);
    if (rows < kWidth) std::fill_n(to, size, 0.0);
    for (int row = 0; row < rows; ++row, from += columns) {
      for (int t = 0; t < columns; ++t) to[t * kWidth + row] = from[t];
    }
  }
}

void Panels::Multiply(const double* x, int begin, int end, bool in_order, Dots& dots) const {
  const size_t rows = static_cast<size_t>(std::max(0, end - begin));
  dots.value.resize(rows);
  dots.magnitude.resize(rows);
  dots.partial.resize(in_order ? rows : 0);
  for (int panel = (begin - first_) / kWidth; first_ + panel * kWidth < end; ++panel) {
    const double* packed =
        packed_.get() + static_cast<size_t>(panel) * static_cast<size_t>(columns_) * kWidth;
    Pair partial[kPairs];
    const PanelSums sums = in_order ? MultiplyInOrder(packed, x, columns_, partial)
                                    : MultiplyPanel(packed, x, columns_);
    double value[kWidth], magnitude[kWidth], most[kWidth];
    for (int l = 0; l < kPairs; ++l) {
      Store(value + 2 * l, sums.value[l]);
      Store(magnitude + 2 * l, sums.magnitude[l]);
      if (in_order) Store(most + 2 * l, partial[l]);
    }
    const int row = first_ + panel * kWidth;
    for (int l = std::max(0, begin - row); l < std::min(kWidth, end - row); ++l) {
      const size_t at = static_cast<size_t>(row + l - begin);
      dots.value[at] = value[l];
      dots.magnitude[at] = magnitude[l];
      if (in_order) dots.partial[at] = most[l];
    }
  }
}

double LargestOf(const double* values, size_t size) {
  Pair largest[kPairs] = {}, total[kPairs] = {};
  size_t at = 0;
  for (; at + kWidth <= size; at += kWidth) {
#pragma GCC unroll 4
    for (size_t l = 0; l < kPairs; ++l) {
      const Pair x = Abs(Load(values + at + 2 * l));
      largest[l] = Most(largest[l], x);
      total[l] += x;
    }
  }
  const Pair both = Most(Most(largest[0], largest[1]), Most(largest[2], largest[3]));
  const Pair sum = (total[0] + total[1]) + (total[2] + total[3]);
  double most = std::max(both[0], both[1]), rest = sum[0] + sum[1];
  for (; at < size; ++at) {
    most = std::max(most, std::fabs(values[at]));
    rest += std::fabs(values[at]);
  }
  // fp64 holds sums of stored numbers: this is NaN or infinity among them.
  return std::isfinite(rest) ? most : std::numeric_limits<double>::infinity();
}

std::vector<double> RowMaxima(const double* matrix, int rows, int columns) {
  std::vector<double> maxima(static_cast<size_t>(rows));
  for (double& most : maxima) {
    most = LargestOf(matrix, static_cast<size_t>(columns));
    matrix += columns;
  }
  return maxima;
}

bool HasTiny(const double* values, size_t size) {
  constexpr double kMinNormal = 0x1p-126;
  const auto tiny = [](double x) { return x != 0 && std::fabs(x) < kMinNormal; };
  Pair least[kPairs] = {Both(1), Both(1), Both(1), Both(1)};
  size_t at = 0;
  for (; at + kWidth <= size; at += kWidth) {
#pragma GCC unroll 4
    for (size_t l = 0; l < kPairs; ++l) {
      least[l] = Least(Abs(Load(values + at + 2 * l)), least[l]);  // the latter if one is NaN
    }
  }
  const Pair both = Least(Least(least[0], least[1]), Least(least[2], least[3]));
  // Mostly there is not even a zero.
  if (std::min(both[0], both[1]) < kMinNormal && std::any_of(values, values + at, tiny))
    return true;
  return std::any_of(values + at, values + size, tiny);
}

template <int kSigned, int kAbsolute>
void AddRows(const Rows& m, const std::array<const double*, kSigned + kAbsolute>& weights,
             const std::array<double*, kSigned + kAbsolute>& sums) {
  ByColumns(m.columns, [&]<class Lanes, int kColumns>(int c) {
    AddColumns<Lanes, kColumns, kSigned, kAbsolute>(m, c, weights, sums);
  });
}

template void AddRows<1, 0>(const Rows&, const std::array<const double*, 1>&,
                            const std::array<double*, 1>&);
template void AddRows<0, 1>(const Rows&, const std::array<const double*, 1>&,
                            const std::array<double*, 1>&);
template void AddRows<1, 1>(const Rows&, const std::array<const double*, 2>&,
                            const std::array<double*, 2>&);
template void AddRows<2, 1>(const Rows&, const std::array<const double*, 3>&,
                            const std::array<double*, 3>&);

void AddRowsAndMagnitudes(const Rows& m, const double* weights, double* sums, double* magnitudes) {
  ByColumns(m.columns, [&]<class Lanes, int kColumns>(int c) {
    AddColumnsAndMagnitudes<Lanes, kColumns>(m, c, weights, sums, magnitudes);
  });
}

void AddDeviations(const Rows& m, const double* weights, const double* kept, const double* centre,
                   double* sums) {
  ByColumns(m.columns, [&]<class Lanes, int kColumns>(int c) {
    if (kept == nullptr) {
      AddDeviationColumns<Lanes, kColumns, false>(m, c, weights, kept, centre, sums);
    } else {
      AddDeviationColumns<Lanes, kColumns, true>(m, c, weights, kept, centre, sums);
    }
  });
}

}  // namespace padproof::reference
