// What a planted bug of the SIMT layer is, and how a .cu file states one. A bug is one kernel
// compiled twice from the same source, broken and clean, a function that runs each, and what is
// expected to see the difference. Expectations are claims that the suite checks against runs; no
// verdict is printed from them.
//
// Everything a .cu file uses from here has internal linkage: the suite's own code is never
// instrumented, and a linker that merged an inline function of the two would hide what
// MemorySanitizer needs to see. For the same reason .cu files use no std containers.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace padproof::simt_bugs {

/// Of a broken twin's runs: `exposed` if its output differs bitwise from the clean twin's, or it
/// dies or hangs; `hidden` if it does neither.
enum class Exposure { hidden, exposed };

/// Columns of the schedule table. `random` and `warp_lag` have three seeds each and are exposed if
/// one of them is; `preempt` likewise, with two periods.
struct Schedules {
  Exposure forward, reverse, random, warp_lag, preempt;
  const char* undefined = nullptr;  // why there is nothing to expect; null: the five are claims
};

inline constexpr Exposure kHidden = Exposure::hidden;
inline constexpr Exposure kExposed = Exposure::exposed;

/// All five columns alike.
constexpr Schedules All(Exposure e) { return {e, e, e, e, e}; }
/// No claim: something outside CUDA and outside this project decides, namely `reason`.
constexpr Schedules UndefinedOutput(const char* reason) {
  Schedules schedules = All(kHidden);
  schedules.undefined = reason;
  return schedules;
}

enum class Verdict { missed, found, undefined };

/// What one tool says of the broken twin in a forward run.
struct Tool {
  Verdict verdict;
  const char* text;  // found: a regular expression for a line of its report; else the reason
  bool names_line = true;
};

/// A line of the tool's report matches `pattern`, and the report names a line of the kernel.
constexpr Tool Found(const char* pattern) { return {Verdict::found, pattern}; }
/// The same, but the report names no line: of what is declared nowhere, or what nobody wrote.
constexpr Tool FoundWithoutLine(const char* pattern) { return {Verdict::found, pattern, false}; }
/// The tool reports nothing, because of `reason`.
constexpr Tool Missed(const char* reason) { return {Verdict::missed, reason}; }
/// No claim, as for UndefinedOutput.
constexpr Tool Undefined(const char* reason) { return {Verdict::undefined, reason}; }

/// Reasons for no claim.
inline constexpr const char* kLinkerDecides = "the linker decides what lies behind a static array";
inline constexpr const char* kCompilerDecides = "the host compiler decides what such code does";

enum class Kind { memory, race, divergence };

struct Bug {
  const char* name;
  const char* title;
  const char* source;  // a report of it, or of its class
  Kind kind;
  void (*clean)();
  void (*broken)();
  Schedules schedules;  // checked where no tool watches
  // The emulator's own checks, where no tool watches.
  Tool runtime = Missed("no rule that the runtime watches is broken");
  Tool asan = Missed("every access is inside its object");  // with UBSan
  Tool msan = Missed("every value that matters was written");
  Tool tsan = Missed("every access is ordered");
  Tool race = Missed("every access is ordered");
  int first_line = 0;  // of the kernel; 0: the line after the previous bug of the file
  int last_line = 0;   // 0: where the bug is stated
};

/// Puts a bug on the suite's list.
class Registration {
 public:
  Registration(const Bug& bug, const char* file, int line);

  const Bug& bug;
  const char* file;
  int first_line, last_line;
  Registration* next = nullptr;
};

/// Adds bytes to the digest of this run; under MemorySanitizer they must be initialised.
void Record(const void* data, size_t bytes);

/// Ends the run as a failure of the suite itself: a clean twin is wrong, or a launch refused.
[[noreturn]] void Fail(const char* what);

namespace {

/// AddressSanitizer needs buffers of the exact size. Elsewhere what lies behind one is memory of
/// nobody, as if a large page followed: what an overrun does there does not depend on the heap.
#if defined(SIMT_ASAN)
constexpr size_t kSlackBytes = 0;
#else
constexpr size_t kSlackBytes = 8192;
#endif

/// Device memory, aligned as by cudaMalloc; uninitialised for MemorySanitizer and NaN for all
/// others, as is what lies behind it.
template <class T>
class Buffer {
 public:
  explicit Buffer(size_t count) : count_(count) {
    void* data = nullptr;
    if (posix_memalign(&data, 256, bytes() + kSlackBytes) != 0) Fail("out of memory");
    data_ = static_cast<T*>(data);
#if !defined(SIMT_MSAN)
    std::memset(static_cast<void*>(data_), 0xFF, bytes() + kSlackBytes);
#endif
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  T* data() { return data_; }
  size_t count() const { return count_; }
  size_t bytes() const { return count_ * sizeof(T); }
  T& operator[](size_t i) { return data_[i]; }
  void Zero() { std::memset(static_cast<void*>(data_), 0, bytes()); }

 private:
  size_t count_;
  T* data_;
};

template <class T>
void Record(Buffer<T>& buffer) {
  simt_bugs::Record(buffer.data(), buffer.bytes());
}

/// A multiple of 1/256 in [-1, 1): sums of few products are exact.
[[maybe_unused]] float ValueAt(uint32_t tensor, size_t index) {
  uint32_t x = static_cast<uint32_t>(index) * 0x9E3779B9u ^ tensor * 0x85EBCA6Bu;
  x = (x ^ x >> 16) * 0x7FEB352Du;
  x = (x ^ x >> 15) * 0x846CA68Bu;
  x ^= x >> 16;
  return static_cast<float>(static_cast<int>(x & 511) - 256) / 256.0f;
}

[[maybe_unused]] void FillWithValues(Buffer<float>& buffer, uint32_t tensor) {
  for (size_t i = 0; i < buffer.count(); i++) buffer[i] = ValueAt(tensor, i);
}

/// Holds a clean twin's output against a reference in double: `expected(i)` for element i.
/// `tolerance` is absolute, `relative` is of the expected value's magnitude; NaN is always wrong.
template <class Expected>
void RequireNear(Buffer<float>& output, Expected expected, double tolerance,
                 double relative = 0.0) {
  for (size_t i = 0; i < output.count(); i++) {
    const double want = expected(i), got = output[i];
    const double magnitude = want < 0 ? -want : want, error = got < want ? want - got : got - want;
    if (!(error <= tolerance + relative * magnitude)) Fail("the clean twin's output is wrong");
  }
}

/// `status` is the cudaError_t of a launch.
[[maybe_unused]] void RequireLaunched(int status) {
  if (status != 0) Fail("a launch was refused");
}

}  // namespace
}  // namespace padproof::simt_bugs

/// SIMT_BUG({.name = "...", ...}); in a namespace of its own.
#define SIMT_BUG(...)                                       \
  const ::padproof::simt_bugs::Bug planted_bug __VA_ARGS__; \
  ::padproof::simt_bugs::Registration planted_bug_registration(planted_bug, __FILE__, __LINE__)
