// Sums of products with the rows of a matrix, several elements at a time. Elements share no sum and
// each sum runs in the order of its terms, so that results are the same bits at any width.

#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace padproof::reference {

/// Products that matrix units and vectorised loops may add in any order among each other.
inline constexpr int kBlock = 16;

/// Dot products of one vector with several rows.
struct Dots {
  std::vector<double> value;
  std::vector<double> magnitude;  // sum of |x y|
  // At least |any partial sum|, if blocks of kBlock products come in order; empty unless asked for.
  std::vector<double> partial;
};

/// Rows first .. last-1 of a matrix, transposed in panels of eight.
class Panels {
 public:
  Panels() = default;
  Panels(const std::vector<double>& matrix, int first, int last, int columns);

  /// x times the rows begin .. end-1 of the matrix, which must be among those laid out.
  void Multiply(const double* x, int begin, int end, bool in_order, Dots& dots) const;

 private:
  int first_ = 0, columns_ = 0;
  std::unique_ptr<double[]> packed_;
};

/// max |x|; NaN counts as infinite.
double LargestOf(const double* values, size_t size);

/// max |m_c| of each row, likewise.
std::vector<double> RowMaxima(const double* matrix, int rows, int columns);

/// True if one of the numbers is subnormal in fp32.
bool HasTiny(const double* values, size_t size);

/// Some rows of a matrix, by their indices.
struct Rows {
  const double* matrix = nullptr;
  int columns = 0;
  const int* index = nullptr;
  int count = 0;
};

/// sums[s][c] += sum_j weights[s][j] m_jc, and for the last `kAbsolute` of them |m_jc| in the place
/// of m_jc. Weights of those must not be negative. `kSigned` + `kAbsolute` <= 3.
template <int kSigned, int kAbsolute>
void AddRows(const Rows& m, const std::array<const double*, kSigned + kAbsolute>& weights,
             const std::array<double*, kSigned + kAbsolute>& sums);

/// sums[c] += sum_j weights[j] m_jc and magnitudes[c] += sum_j |weights[j] m_jc|.
void AddRowsAndMagnitudes(const Rows& m, const double* weights, double* sums, double* magnitudes);

/// sums[c] += sum_j weights[j] |kept[j] m_jc - centre[c]|. Null `kept`: all are 1.
void AddDeviations(const Rows& m, const double* weights, const double* kept, const double* centre,
                   double* sums);

}  // namespace padproof::reference
