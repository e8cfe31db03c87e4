// Memory that ends, or begins, where the process may not read: the buffers of a problem one by one
// between pages without access, so that a load beyond either end of one is a crash.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "harness/judge/problem.h"

namespace padproof {

enum class Edge { end, begin };

/// Which buffers may be written: all, or those alone that a call is asked to write.
enum class Writable { all, results_of_forward, results_of_backward };

class EdgeMemory {
 public:
  /// A copy of every buffer of `problem`, without its guards, whose `edge` touches a page without
  /// access; its other end too, if it fills its pages. Elements stay aligned to 16 bytes, so that
  /// up to 15 bytes behind an end may still be there: they hold NaN.
  EdgeMemory(Problem& problem, Edge edge, Writable writable = Writable::all);
  ~EdgeMemory();
  EdgeMemory(const EdgeMemory&) = delete;
  EdgeMemory& operator=(const EdgeMemory&) = delete;

  /// The same arguments with pointers into the copies.
  AttentionArgs Moved(AttentionArgs args) const;
  /// Gives the problem what the copies hold now.
  void CopyBack();

 private:
  struct Copy {
    uint8_t *from, *to;
    size_t bytes;
    void* pages;
    size_t mapped;
  };
  std::vector<Copy> copies_;
};

}  // namespace padproof
