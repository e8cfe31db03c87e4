#include "harness/spell/gtest_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "harness/base/dtype.h"

namespace padproof {
namespace {

constexpr size_t kLineWidth = 100;

std::string Type(const RecordedCall& call, size_t field) {
  switch (call.tensors[field].element) {
    case 1:
      return "uint8_t";
    case 2:
      return "uint16_t";
    default:
      return "float";
  }
}

/// "{a, b,\n     c}", broken where lines would get long.
std::string Braced(const std::vector<std::string>& items, size_t column) {
  std::string text = "{";
  size_t width = column + 1;
  for (size_t n = 0; n < items.size(); ++n) {
    const std::string item = items[n] + (n + 1 < items.size() ? ", " : "");
    if (width + item.size() > kLineWidth) {
      while (text.back() == ' ') text.pop_back();
      text += "\n      ";
      width = 6;
    }
    text += item;
    width += item.size();
  }
  return text + "}";
}

std::string Literal(const uint8_t* bytes, size_t element) {
  uint32_t bits = 0;
  std::memcpy(&bits, bytes, element);
  if (element == 4) return FloatLiteral(std::bit_cast<float>(bits));
  return element == 1 ? std::to_string(bits) : fmt::format("0x{:04x}", bits);
}

bool IsOneByte(const std::vector<uint8_t>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [&](uint8_t b) { return b == bytes.front(); });
}

/// What a buffer is made of: numbers, or one byte again and again.
std::string TensorValue(const RecordedCall& call, size_t field, size_t column) {
  const RecordedTensor& tensor = call.tensors[field];
  const size_t count = tensor.before.size() / tensor.element;
  if (call.Writes(TensorFields()[field]) && count > 0 && IsOneByte(tensor.before)) {
    return fmt::format("Filled<{}>({}, 0x{:02x})", Type(call, field), count + tensor.lead,
                       tensor.before.front());
  }
  std::vector<std::string> items(tensor.lead, "0");
  for (size_t n = 0; n < count; ++n) {
    items.push_back(Literal(tensor.before.data() + n * tensor.element, tensor.element));
  }
  return Braced(items, column);
}

/// What 16-bit patterns mean, as far as it is worth reading; else "".
std::string Meaning(const RecordedCall& call, size_t field) {
  const RecordedTensor& tensor = call.tensors[field];
  constexpr size_t kWorthReading = 12;
  const size_t count = tensor.before.size() / 2;
  if (tensor.element != 2 || count == 0 || count > kWorthReading) return {};
  if (call.Writes(TensorFields()[field])) return {};
  std::string text;
  for (size_t n = 0; n < count; ++n) {
    uint16_t bits = 0;
    std::memcpy(&bits, tensor.before.data() + 2 * n, 2);
    text += fmt::format("{}{:.4g}", n == 0 ? "" : ", ", Decode(call.args.dtype, bits));
  }
  return "  // " + text;
}

std::string ArrayValue(const std::vector<int32_t>& values, size_t column) {
  std::vector<std::string> items;
  for (const int32_t value : values) items.push_back(std::to_string(value));
  return Braced(items, column);
}
std::string ArrayValue(const std::vector<float>& values, size_t column) {
  std::vector<std::string> items;
  for (const float value : values) items.push_back(FloatLiteral(value));
  return Braced(items, column);
}

template <class T>
std::string ArrayMembers(const char* type, const std::vector<ArrayField<T>>& fields,
                         const std::vector<std::vector<T>>& arrays) {
  std::string text;
  for (size_t n = 0; n < fields.size(); ++n) {
    if (arrays[n].empty()) continue;
    const std::string start = fmt::format("  Buffer<{}> {}", type, fields[n].name);
    text += start + ArrayValue(arrays[n], start.size()) + ";\n";
  }
  return text;
}

/// Every scalar as "name = value", in one order for all calls.
std::vector<std::string> Scalars(const AttentionArgs& args) {
  std::vector<std::string> all{fmt::format("dtype = Dtype::{}", NameOf(args.dtype))};
  static constexpr const char* kMasks[] = {"none", "causal_tl", "causal_br", "window_tl",
                                           "window_br"};
  all.push_back(fmt::format("mask = Mask::{}", kMasks[static_cast<size_t>(args.mask)]));
  all.push_back(fmt::format("mask_form = MaskForm::{}", NameOf(args.mask_form)));
  for (const auto& f : IntegerFields()) {
    all.push_back(fmt::format("{} = {}", f.name, args.*f.member));
  }
  for (const auto& f : FloatFields()) {
    all.push_back(fmt::format("{} = {}", f.name, FloatLiteral(args.*f.member)));
  }
  all.push_back(fmt::format("dropout_seed = {}u", args.dropout_seed));
  all.push_back(fmt::format("schedule_order = Order::{}", NameOf(args.schedule_order)));
  for (const auto& f : UnsignedFields()) {
    all.push_back(fmt::format("{} = {}", f.name, args.*f.member));
  }
  return all;
}

std::string View(const RecordedCall& call, size_t field) {
  const TensorField& f = TensorFields()[field];
  const Tensor& t = call.args.*f.member;
  const size_t lead = call.tensors[field].lead;
  return fmt::format("{{{}.data(){}, {{{}, {}, {}, {}}}, {{{}, {}, {}, {}}}}}", f.name,
                     lead == 0 ? "" : fmt::format(" + {}", lead), t.size[0], t.size[1], t.size[2],
                     t.size[3], t.stride[0], t.stride[1], t.stride[2], t.stride[3]);
}

bool Has(const RecordedCall& call, size_t field) {
  return (call.args.*TensorFields()[field].member).data != nullptr;
}

}  // namespace

std::string FloatLiteral(float x) {
  if (std::isinf(x)) return x > 0 ? "INFINITY" : "-INFINITY";
  if (std::isnan(x)) {
    const auto bits = std::bit_cast<uint32_t>(x);
    return bits == 0x7fc00000u ? "NAN" : fmt::format("Bits(0x{:08x})", bits);
  }
  std::string text = fmt::format("{:.9g}", x);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + "f";
}

bool AreOfOneShape(const RecordedCall& a, const RecordedCall& b) {
  if (a.backward != b.backward) return false;
  for (size_t f = 0; f < TensorFields().size(); ++f) {
    const Tensor &x = a.args.*TensorFields()[f].member, &y = b.args.*TensorFields()[f].member;
    if (Has(a, f) != Has(b, f) || a.tensors[f].lead != b.tensors[f].lead) return false;
    if (a.tensors[f].element != b.tensors[f].element) return false;
    if (!std::equal(x.size, x.size + 4, y.size)) return false;
    if (!std::equal(x.stride, x.stride + 4, y.stride)) return false;
  }
  const auto same_sizes = [](const auto& p, const auto& q) {
    return std::equal(p.begin(), p.end(), q.begin(), q.end(),
                      [](const auto& s, const auto& t) { return s.size() == t.size(); });
  };
  return same_sizes(a.integer_arrays, b.integer_arrays) &&
         same_sizes(a.float_arrays, b.float_arrays);
}

std::string CallStruct(const std::string& name, const RecordedCall& call) {
  std::string text = fmt::format("struct {} {{\n", name);
  for (size_t f = 0; f < TensorFields().size(); ++f) {
    if (!Has(call, f)) continue;
    const std::string start =
        fmt::format("  Buffer<{}> {} = ", Type(call, f), TensorFields()[f].name);
    text += start + TensorValue(call, f, start.size()) + ";" + Meaning(call, f) + "\n";
  }
  text += ArrayMembers("int32_t", IntegerArrays(), call.integer_arrays);
  text += ArrayMembers("float", FloatArrays(), call.float_arrays);
  text += "  Buffer<uint8_t> workspace;\n  AttentionArgs args{};\n\n";
  text += fmt::format("  {}() {{\n    args.struct_size = sizeof args;\n", name);
  const std::vector<std::string> zeros = Scalars({}), scalars = Scalars(call.args);
  for (size_t n = 0; n < scalars.size(); ++n) {
    if (n == 0 || scalars[n] != zeros[n]) text += "    args." + scalars[n] + ";\n";
  }
  text += "  }\n\n  StatusCode Run() {\n";
  for (size_t f = 0; f < TensorFields().size(); ++f) {
    if (!Has(call, f)) continue;
    text += fmt::format("    args.{} = {};\n", TensorFields()[f].name, View(call, f));
  }
  const auto set = [&](const char* field, bool present) {
    if (present) text += fmt::format("    args.{} = {}.data();\n", field, field);
  };
  for (size_t n = 0; n < IntegerArrays().size(); ++n) {
    set(IntegerArrays()[n].name, !call.integer_arrays[n].empty());
  }
  for (size_t n = 0; n < FloatArrays().size(); ++n) {
    set(FloatArrays()[n].name, !call.float_arrays[n].empty());
  }
  if (call.workspace_bytes > 0) {
    text += fmt::format(
        "    workspace = Filled<uint8_t>(kernel->workspace_bytes(args), 0x{:02x});\n"
        "    args.workspace = workspace.data();\n",
        call.workspace_byte);
  }
  return text + fmt::format("    return kernel->{}(args).code;\n  }}\n}};\n",
                            call.backward ? "backward" : "forward");
}

std::string Differences(const std::string& variable, const RecordedCall& first,
                        const RecordedCall& call) {
  std::string text;
  for (size_t f = 0; f < TensorFields().size(); ++f) {
    if (call.tensors[f].before == first.tensors[f].before) continue;
    const std::string start = fmt::format("  {}.{} = ", variable, TensorFields()[f].name);
    text += start + TensorValue(call, f, start.size()) + ";" + Meaning(call, f) + "\n";
  }
  const auto arrays = [&](const auto& fields, const auto& before, const auto& after) {
    for (size_t n = 0; n < fields.size(); ++n) {
      if (before[n] == after[n]) continue;
      const std::string start = fmt::format("  {}.{} = ", variable, fields[n].name);
      text += start + ArrayValue(after[n], start.size()) + ";\n";
    }
  };
  arrays(IntegerArrays(), first.integer_arrays, call.integer_arrays);
  arrays(FloatArrays(), first.float_arrays, call.float_arrays);
  const auto before = Scalars(first.args), after = Scalars(call.args);
  for (size_t n = 0; n < after.size(); ++n) {
    if (before[n] != after[n]) text += fmt::format("  {}.args.{};\n", variable, after[n]);
  }
  return text;
}

std::vector<std::string> BufferNames(const RecordedCall& call, bool only_read) {
  std::vector<std::string> names;
  for (size_t f = 0; f < TensorFields().size(); ++f) {
    if (!Has(call, f) || (only_read && call.Writes(TensorFields()[f]))) continue;
    names.emplace_back(TensorFields()[f].name);
  }
  for (size_t n = 0; n < IntegerArrays().size(); ++n) {
    if (!call.integer_arrays[n].empty()) names.emplace_back(IntegerArrays()[n].name);
  }
  for (size_t n = 0; n < FloatArrays().size(); ++n) {
    if (!call.float_arrays[n].empty()) names.emplace_back(FloatArrays()[n].name);
  }
  if (!only_read && call.workspace_bytes > 0) names.emplace_back("workspace");
  return names;
}

}  // namespace padproof
