// One call of a kernel as plain data: what a person would have to write to make it by hand.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "harness/judge/kernel.h"

namespace padproof {

// ---- the fields of AttentionArgs, by kind -------------------------------------------------------

template <class T>
struct NumberField {
  const char* name;
  T AttentionArgs::* member;
};

enum class Role { read, written, both_ways };  // both_ways: forward writes it, backward reads it

struct TensorField {
  const char* name;
  Tensor AttentionArgs::* member;
  Role role;
  /// What the tensor is called where a failure names it: "out".
  const char* region;
};

template <class T>
struct ArrayField {
  const char* name;
  const T* AttentionArgs::* member;
  size_t (*count)(const AttentionArgs&);
};

const std::vector<NumberField<int32_t>>& IntegerFields();
const std::vector<NumberField<uint32_t>>& UnsignedFields();
const std::vector<NumberField<float>>& FloatFields();
const std::vector<TensorField>& TensorFields();
const std::vector<ArrayField<int32_t>>& IntegerArrays();
const std::vector<ArrayField<float>>& FloatArrays();

// ---- a call -------------------------------------------------------------------------------------

/// The stretch of memory from the first to the last element of a tensor, gaps included.
struct RecordedTensor {
  std::vector<uint8_t> before, after;  // empty: the call has no such tensor
  size_t element = 4;                  // bytes
  size_t lead = 0;                     // elements between an aligned address and the first one
};

struct RecordedCall {
  bool backward = false;
  AttentionArgs args{};  // pointers are not to be followed
  size_t workspace_bytes = 0;
  uint8_t workspace_byte = 0;
  std::vector<RecordedTensor> tensors;  // in the order of TensorFields
  std::vector<std::vector<int32_t>> integer_arrays;
  std::vector<std::vector<float>> float_arrays;
  Status status = kOk;

  bool Writes(const TensorField& field) const {
    return field.role == Role::written || (field.role == Role::both_ways && !backward);
  }
};

/// What `args` say before the call.
RecordedCall RecordBefore(const AttentionArgs& args, bool backward, size_t workspace_bytes);
/// And what the call left in the tensors that it writes.
void RecordAfter(const AttentionArgs& args, RecordedCall& call);
/// Leaves in the tensors of `args` what the recorded call left there.
void Play(const RecordedCall& call, const AttentionArgs& args);

/// True when the fields above are all that differs from zero in `args`: else a field is new, and
/// nobody would spell it.
bool AreAllFieldsKnown(const AttentionArgs& args);

/// Elements from the first to the last one of a view, both included.
size_t ExtentOf(const Tensor& tensor);

}  // namespace padproof
