#include "harness/spell/gtest_text.h"

#include <fmt/format.h>

#include <cmath>

#include "harness/spell/gtest_call.h"

namespace padproof {
namespace {

constexpr std::string_view kPrelude = R"(#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "harness/judge/kernel.h"

namespace {

using namespace padproof;

const KernelRow* kernel = nullptr;  // what is tested; its source registers it, see below

/// Numbers between two guards.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::initializer_list<T> numbers) : all_(numbers.size() + 2 * kGuard) {
    std::memset(all_.data(), 0xff, all_.size() * sizeof(T));
    std::copy(numbers.begin(), numbers.end(), data());
  }
  T* data() { return all_.empty() ? nullptr : all_.data() + kGuard; }
  size_t size() const { return all_.empty() ? 0 : all_.size() - 2 * kGuard; }
  T operator[](size_t n) const { return all_[kGuard + n]; }
)";

constexpr std::string_view kGuards = R"(
  bool GuardsAreIntact() const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(all_.data());
    const size_t end = (kGuard + size()) * sizeof(T);
    for (size_t at = 0; at < kGuard * sizeof(T) && !all_.empty(); ++at) {
      if (bytes[at] != 0xff || bytes[end + at] != 0xff) return false;
    }
    return true;
  }
)";

constexpr std::string_view kBitwise = R"(
  bool IsBitwise(const Buffer& other) const {
    return size() == other.size() &&
           (all_.empty() ||
            std::memcmp(all_.data(), other.all_.data(), all_.size() * sizeof(T)) == 0);
  }
)";

constexpr std::string_view kEndOfBuffer = R"(
 private:
  template <class U>
  friend Buffer<U> Filled(size_t count, int byte);

  static constexpr size_t kGuard = 1024 / sizeof(T);
  std::vector<T> all_;
};

template <class T>
Buffer<T> Filled(size_t count, int byte) {
  Buffer<T> buffer{};
  buffer.all_.resize(count + 2 * Buffer<T>::kGuard);
  std::memset(buffer.all_.data(), 0xff, buffer.all_.size() * sizeof(T));
  std::memset(buffer.data(), byte, count * sizeof(T));
  return buffer;
}

)";

constexpr std::string_view kBits =
    R"(float Bits(uint32_t bits) { return std::bit_cast<float>(bits); }

)";

constexpr std::string_view kSame = R"(/// The same bits, all NaNs being one value.
bool Same(float x, float y) {
  if (std::isnan(x) || std::isnan(y)) return std::isnan(x) && std::isnan(y);
  return std::bit_cast<uint32_t>(x) == std::bit_cast<uint32_t>(y);
}

)";

constexpr std::string_view kHalfValue = R"(float Value(uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  float x = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31) x = fraction == 0 ? INFINITY : NAN;
  return half >> 15 != 0 ? -x : x;
}

)";

constexpr std::string_view kBfloatValue =
    R"(float Value(uint16_t bfloat) { return std::bit_cast<float>(uint32_t{bfloat} << 16); }

)";

std::string Identifier(std::string text) {
  for (char& c : text) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return text;
}

std::string BaseName(const std::string& kernel) { return kernel.substr(0, kernel.find('~')); }

std::string Opening(const SpelledCase& about, const Spelling& spelling) {
  const bool simt = about.kernel.backend == "simt";
  std::string text = fmt::format("// {} on {}: a test that stands alone.\n//\n", about.entry.law,
                                 BaseName(about.kernel.name));
  text += fmt::format("//   law    {}\n", about.statement);
  text += fmt::format("//   case   {}\n", Print(about.entry));
  const Failure& f = spelling.failure;
  text += fmt::format("//   found  {}{}{}   {}\n//\n", f.where, f.where.empty() ? "" : "   ",
                      f.expected, f.got);
  text += "// It needs GoogleTest, harness/judge/kernel.h and the kernel's own source";
  if (!simt) return text + ", with what that needs.\n\n";
  return text +
         fmt::format(
             ", which is run on the\n// host. From the root of padproof:\n//\n"
             "//   simt=$(ls harness/simt/runtime/*.cc | grep -v hooks)\n"
             "//   c++ -std=c++20 -I. -Wno-unknown-pragmas THIS_FILE -x c++ {} $simt -lgtest "
             "-lgtest_main\n\n",
             about.kernel.file);
}

/// Where kernels look for the list of rows.
std::string Registration(const SpelledCase& about) {
  return fmt::format(
      "}}  // namespace\n\n"
      "bool padproof::RegisterKernel(const KernelRow& row, const char*) {{\n"
      "  if (std::string_view(row.name) == \"{}\") kernel = new KernelRow(row);\n"
      "  return true;\n"
      "}}\n\n"
      "namespace {{\n\n",
      BaseName(about.kernel.name));
}

std::string Variable(size_t call) { return fmt::format("call_{}", call + 1); }

class Body {
 public:
  explicit Body(const Spelling& spelling) : spelling_(spelling) {
    for (size_t n = 0; n < Calls().size(); ++n) {
      size_t like = 0;
      while (!AreOfOneShape(Calls()[like], Calls()[n])) ++like;
      like_.push_back(like);
    }
  }

  std::string Structs() const {
    std::string text;
    for (size_t n = 0; n < Calls().size(); ++n) {
      if (like_[n] == n) text += CallStruct(Struct(n), Calls()[n]) + "\n";
    }
    return text;
  }

  std::string Statements() const {
    std::string text = "  ASSERT_NE(kernel, nullptr) << \"link the kernel's source\";\n";
    if (spelling_.kind == Spelling::Kind::returns) {
      text += "  alarm(10);  // a call that hangs ends here; one that crashes by itself\n";
    }
    for (size_t n = 0; n < Calls().size(); ++n) {
      text += fmt::format("  {} {};\n", Struct(n), Variable(n));
      if (like_[n] != n) text += Differences(Variable(n), Calls()[like_[n]], Calls()[n]);
      if (spelling_.kind == Spelling::Kind::inputs) {
        text += fmt::format("  const {} before_{} = {};\n", Struct(n), Variable(n), Variable(n));
      }
      text += fmt::format("  ASSERT_EQ({}.Run(), StatusCode::ok);\n", Variable(n));
    }
    if (spelling_.kind == Spelling::Kind::guards) text += Guards();
    if (spelling_.kind == Spelling::Kind::inputs) text += Inputs();
    for (const Expectation& e : spelling_.expectations) text += Expected(e);
    if (spelling_.more > 0) {
      text += fmt::format("  // {} more numbers failed in the same way.\n", spelling_.more);
    }
    return text;
  }

 private:
  const std::vector<RecordedCall>& Calls() const { return spelling_.calls; }
  std::string Struct(size_t n) const {
    return like_[n] == 0 ? "Call" : fmt::format("Call{}", like_[n] + 1);
  }

  std::string Guards() const {
    std::string text;
    for (size_t n = 0; n < Calls().size(); ++n) {
      for (const std::string& name : BufferNames(Calls()[n], false)) {
        text += fmt::format("  EXPECT_TRUE({}.{}.GuardsAreIntact());\n", Variable(n), name);
      }
    }
    return text;
  }

  std::string Inputs() const {
    std::string text;
    for (size_t n = 0; n < Calls().size(); ++n) {
      for (const std::string& name : BufferNames(Calls()[n], true)) {
        text +=
            fmt::format("  EXPECT_TRUE({0}.{1}.IsBitwise(before_{0}.{1}));\n", Variable(n), name);
      }
    }
    return text;
  }

  std::string Element(const Place& at) const {
    const RecordedTensor& tensor = Calls()[at.call].tensors[at.field];
    const std::string element = fmt::format("{}.{}[{}]", Variable(at.call),
                                            TensorFields()[at.field].name, at.offset + tensor.lead);
    return tensor.element == 2 ? "Value(" + element + ")" : element;
  }

  static std::string Number(double x) {
    if (std::isinf(x)) return x > 0 ? "INFINITY" : "-INFINITY";
    std::string text = fmt::format("{:.17g}", x);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  }

  static std::string Within(const std::string& what, double low, double high) {
    if (low == high) return fmt::format("  EXPECT_EQ({}, {});\n", what, Number(high));
    return fmt::format("  EXPECT_GE({0}, {1});\n  EXPECT_LE({0}, {2});\n", what, Number(low),
                       Number(high));
  }

  std::string Expected(const Expectation& e) const {
    using Kind = Expectation::Kind;
    const std::string x = Element(e.place);
    std::string text = fmt::format("  // {}\n", e.where);
    switch (e.kind) {
      case Kind::between:
        text += Within(x, e.low, e.high);
        if (e.positive_zero) text += fmt::format("  EXPECT_FALSE(std::signbit({}));\n", x);
        return text;
      case Kind::is_nan:
        return text + fmt::format("  EXPECT_TRUE(std::isnan({0})) << {0};\n", x);
      case Kind::a_number:
        return text + fmt::format("  EXPECT_FALSE(std::isnan({}));\n", x);
      case Kind::same:
        return text + fmt::format("  EXPECT_TRUE(Same({0}, {1})) << {0} << \" beside \" << {1};\n",
                                  x, Element(e.partner));
      case Kind::equal:
        return text + fmt::format("  EXPECT_EQ({}, {});\n", x, Element(e.partner));
      case Kind::apart:
        break;
    }
    return text + Within(fmt::format("double{{{}}} - {}", x, Element(e.partner)), e.low, e.high);
  }

  const Spelling& spelling_;
  std::vector<size_t> like_;  // the first call of the same shape
};

}  // namespace

std::string GTestText(const SpelledCase& about, const Spelling& spelling) {
  const Body body(spelling);
  const std::string structs = body.Structs(), statements = body.Statements();
  const auto mentions = [&](std::string_view word) {
    return structs.find(word) != std::string::npos || statements.find(word) != std::string::npos;
  };
  std::string text = Opening(about, spelling);
  text += kPrelude;
  if (mentions("GuardsAreIntact")) text += kGuards;
  if (mentions("IsBitwise")) text += kBitwise;
  text += kEndOfBuffer;
  if (mentions("Bits(0x")) text += kBits;
  if (mentions(" Same(") || mentions("(Same(")) text += kSame;
  if (mentions("Value(")) {
    text += spelling.calls.front().args.dtype == Dtype::f16 ? kHalfValue : kBfloatValue;
  }
  text += structs + Registration(about);
  text += fmt::format("TEST({}, {}) {{\n{}}}\n\n}}  // namespace\n", about.entry.law,
                      Identifier(BaseName(about.kernel.name)), statements);
  return text;
}

}  // namespace padproof
