#include "harness/spell/recorded_call.h"

#include <cstring>

#include "harness/base/check.h"
#include "harness/base/dtype.h"

namespace padproof {
namespace {

using Args = AttentionArgs;

constexpr size_t kAlignment = 64;  // of every buffer that the harness makes

size_t Batch(const Args& a) { return static_cast<size_t>(a.batch); }
size_t BatchAndOne(const Args& a) { return Batch(a) + 1; }
size_t Heads(const Args& a) { return static_cast<size_t>(a.heads); }
size_t Pages(const Args& a) { return Batch(a) * static_cast<size_t>(a.max_pages); }

size_t ElementOf(const Args& args, const TensorField& field) {
  if (field.member == &Args::lse) return sizeof(float);
  if (field.member == &Args::attn_mask && args.mask_form == MaskForm::boolean) return 1;
  return SizeOf(args.dtype);
}

template <class T>
std::vector<std::vector<T>> ArraysOf(const Args& args, const std::vector<ArrayField<T>>& fields) {
  std::vector<std::vector<T>> arrays;
  for (const ArrayField<T>& field : fields) {
    const T* data = args.*field.member;
    arrays.emplace_back();
    if (data != nullptr) arrays.back().assign(data, data + field.count(args));
  }
  return arrays;
}

template <class Field>
void CopyFields(const std::vector<Field>& fields, const Args& from, Args& to) {
  for (const Field& field : fields) to.*field.member = from.*field.member;
}

}  // namespace

const std::vector<NumberField<int32_t>>& IntegerFields() {
  static const std::vector<NumberField<int32_t>> fields{{"batch", &Args::batch},
                                                        {"heads", &Args::heads},
                                                        {"heads_kv", &Args::heads_kv},
                                                        {"seqlen_q", &Args::seqlen_q},
                                                        {"seqlen_k", &Args::seqlen_k},
                                                        {"dim", &Args::dim},
                                                        {"dim_v", &Args::dim_v},
                                                        {"window_left", &Args::window_left},
                                                        {"window_right", &Args::window_right},
                                                        {"page_size", &Args::page_size},
                                                        {"max_pages", &Args::max_pages},
                                                        {"num_splits", &Args::num_splits}};
  return fields;
}

const std::vector<NumberField<uint32_t>>& UnsignedFields() {
  static const std::vector<NumberField<uint32_t>> fields{
      {"schedule_seed", &Args::schedule_seed},
      {"schedule_preempt", &Args::schedule_preempt},
      {"fresh_memory", &Args::fresh_memory}};
  return fields;
}

const std::vector<NumberField<float>>& FloatFields() {
  static const std::vector<NumberField<float>> fields{{"softmax_scale", &Args::softmax_scale},
                                                      {"softcap", &Args::softcap},
                                                      {"dropout_p", &Args::dropout_p}};
  return fields;
}

const std::vector<TensorField>& TensorFields() {
  static const std::vector<TensorField> fields{
      {"q", &Args::q, Role::read, "q"},
      {"k", &Args::k, Role::read, "k"},
      {"v", &Args::v, Role::read, "v"},
      {"attn_mask", &Args::attn_mask, Role::read, "attn_mask"},
      {"attn_bias", &Args::attn_bias, Role::read, "bias"},
      {"o", &Args::o, Role::both_ways, "out"},
      {"lse", &Args::lse, Role::both_ways, "lse"},
      {"d_o", &Args::d_o, Role::read, "dout"},
      {"dq", &Args::dq, Role::written, "dq"},
      {"dk", &Args::dk, Role::written, "dk"},
      {"dv", &Args::dv, Role::written, "dv"},
      {"dbias", &Args::dbias, Role::written, "dbias"}};
  return fields;
}

const std::vector<ArrayField<int32_t>>& IntegerArrays() {
  static const std::vector<ArrayField<int32_t>> fields{
      {"seqused_q", &Args::seqused_q, Batch},
      {"seqused_k", &Args::seqused_k, Batch},
      {"leftpad_q", &Args::leftpad_q, Batch},
      {"leftpad_k", &Args::leftpad_k, Batch},
      {"cu_seqlens_q", &Args::cu_seqlens_q, BatchAndOne},
      {"cu_seqlens_k", &Args::cu_seqlens_k, BatchAndOne},
      {"block_table", &Args::block_table, Pages}};
  return fields;
}

const std::vector<ArrayField<float>>& FloatArrays() {
  static const std::vector<ArrayField<float>> fields{{"alibi_slopes", &Args::alibi_slopes, Heads},
                                                     {"sink", &Args::sink, Heads}};
  return fields;
}

size_t ExtentOf(const Tensor& tensor) {
  if (tensor.data == nullptr) return 0;
  int64_t last = 0;
  for (int axis = 0; axis < 4; ++axis) {
    if (tensor.size[axis] == 0) return 0;
    last += (tensor.size[axis] - 1) * tensor.stride[axis];
  }
  return static_cast<size_t>(last) + 1;
}

RecordedCall RecordBefore(const Args& args, bool backward, size_t workspace_bytes) {
  RecordedCall call{.backward = backward, .args = args, .workspace_bytes = workspace_bytes};
  if (workspace_bytes > 0) call.workspace_byte = *static_cast<const uint8_t*>(args.workspace);
  for (const TensorField& field : TensorFields()) {
    const Tensor& view = args.*field.member;
    RecordedTensor& tensor = call.tensors.emplace_back();
    tensor.element = ElementOf(args, field);
    tensor.lead = reinterpret_cast<uintptr_t>(view.data) % kAlignment / tensor.element;
    const auto* data = static_cast<const uint8_t*>(view.data);
    tensor.before.assign(data, data + ExtentOf(view) * tensor.element);
  }
  call.integer_arrays = ArraysOf(args, IntegerArrays());
  call.float_arrays = ArraysOf(args, FloatArrays());
  return call;
}

void RecordAfter(const Args& args, RecordedCall& call) {
  for (size_t f = 0; f < TensorFields().size(); ++f) {
    const Tensor& view = args.*TensorFields()[f].member;
    const auto* data = static_cast<const uint8_t*>(view.data);
    call.tensors[f].after.assign(data, data + call.tensors[f].before.size());
  }
}

void Play(const RecordedCall& call, const Args& args) {
  for (size_t f = 0; f < TensorFields().size(); ++f) {
    const std::vector<uint8_t>& after = call.tensors[f].after;
    if (after.empty() || !call.Writes(TensorFields()[f])) continue;
    PADPROOF_CHECK(after.size() ==
                   ExtentOf(args.*TensorFields()[f].member) * call.tensors[f].element);
    std::memcpy((args.*TensorFields()[f].member).data, after.data(), after.size());
  }
}

bool AreAllFieldsKnown(const Args& args) {
  // Byte by byte, padding included, which assignment of whole structures copies.
  Args known, given;
  std::memset(&known, 0, sizeof known);
  std::memset(&given, 0, sizeof given);
  std::memcpy(&given, &args, sizeof given);
  CopyFields(IntegerFields(), args, known);
  CopyFields(UnsignedFields(), args, known);
  CopyFields(FloatFields(), args, known);
  CopyFields(TensorFields(), args, known);
  CopyFields(IntegerArrays(), args, known);
  CopyFields(FloatArrays(), args, known);
  known.struct_size = args.struct_size;
  known.dtype = args.dtype;
  known.mask = args.mask;
  known.mask_form = args.mask_form;
  known.schedule_order = args.schedule_order;
  known.dropout_seed = args.dropout_seed;
  known.workspace = args.workspace;
  return std::memcmp(&known, &given, sizeof given) == 0;
}

}  // namespace padproof
