// The scope of an exhaustive run: every case up to a bound, in a fixed order, by number.
//
// A case is a shape in a manner. Shapes are the full product of the fields where padding bugs live,
// all but those that say the same twice (a pad_side without a pad):
//
//   one sequence    lens_q, lens_k   0 .. 2 tile + 1, or 0, 1, 2, tile - 1 .. tile + 1 if tile > 4
//                   pad_q 0, 1       pad_k 0, 1, tile
//   two sequences   lens_q, lens_k   0, 1, tile + 1 each
//                   pad_q 0, 1       pad_k 0, 1
//   both            every mask and pad_side, but around, of the row; windows 1,0  0,2  -1,1
//
// where tile is the row's own for queries and for keys. Manners are the other fields. Each shape
// comes in 8 of them, and these 8 hold
//
//   every fill, mask_form, holes (0, 50), bias, padded layout, page size (1, 2, 3, tile), strides
//   (of all tensors, and row_padded of k, of out, of dout alone), heads (1, 2, 3:1, 4:2), dim (1,
//   2, 5, 1:2, 5:3, times the row's multiple), scale (0, 100), softcap (0, 2, 30), sink, dropout
//   (0, 50), splits (0, 1, 3, 64), dtype, order of the schedule, seed (0, 1, 2), forward and
//   backward, as far as the row takes them, and 8 of the 10 values.
//
// Where each field starts differs from shape to shape, so that any two and any three values of
// different manner fields meet somewhere, and each of them meets every value of every field of a
// shape. enumerate_test.cc proves all of that. Shapes are ordered by how many slots they have: the
// first failure is small.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/case/generate.h"

namespace padproof {

inline constexpr int kManners = 8;  // of each shape

class Scope {
 public:
  explicit Scope(const Domain& domain);

  int64_t shapes() const { return static_cast<int64_t>(shapes_.size()); }
  int64_t size() const { return shapes() * kManners; }
  /// Case `number` of 0 .. size() - 1, in manner number % kManners: valid, within the domain, and
  /// like no other one.
  Case At(int64_t number) const;

 private:
  struct Heads {
    int heads, group;
  };
  struct Dims {
    int dim, dim_v;
  };
  struct Placed {
    Strides strides;
    int strided;
  };
  struct Form {
    MaskForm mask_form;
    int holes;
    Bias bias;
  };

  static bool IsAllowed(const Form& form, Layout layout);
  void AddManners(const Domain& domain);

  std::vector<Case> shapes_;  // at their defaults but for layout (packed or not) and the shape
  std::vector<Form> forms_, packed_forms_, paged_forms_;
  std::vector<Layout> padded_layouts_;
  std::vector<int> page_sizes_;
  std::vector<Placed> placed_;
  std::vector<Heads> heads_;
  std::vector<Dims> dims_;
  std::vector<int> scales_;
  std::vector<int> softcaps_;
  std::vector<bool> sinks_;
  std::vector<int> dropouts_;
  std::vector<int> splits_;
  std::vector<Dtype> dtypes_;
  std::vector<bool> backwards_;
  std::vector<Schedule> schedules_;
};

}  // namespace padproof
