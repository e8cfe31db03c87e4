// Invariants that hold in every build. A broken invariant is a bug in padproof and aborts; bad
// input from outside is never checked here: it becomes an error value (see Result).

#pragma once

#include <string>
#include <utility>
#include <variant>

namespace padproof {

[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

/// The one error type for input from outside: one line that names the place and the remedy.
struct Error {
  std::string message;
};

/// A value or an Error. Dereferencing an error is a broken invariant.
template <class T>
class Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return std::get<Error>(state_); }
  T& operator*() { return std::get<T>(state_); }
  const T& operator*() const { return std::get<T>(state_); }
  T* operator->() { return &std::get<T>(state_); }
  const T* operator->() const { return &std::get<T>(state_); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace padproof

#define PADPROOF_CHECK(condition)                                              \
  do {                                                                         \
    if (!(condition)) ::padproof::CheckFailed(#condition, __FILE__, __LINE__); \
  } while (false)
