// A mutant is an edit, not code: a small text file that names a source, the lines to replace, and
// the bug that the edit plants. This reads such a file and makes the edited copy of the source.
//
//   # Why this bug, and what a case needs to show it.
//   kernel: flash_fwd
//   bug: the tail of the last key tile is not masked
//   imitates: flashinfer-ai/flashinfer#3716
//   killed_by: row_sums_to_one
//   replace:
//   <<<
//   exact lines of the source
//   ===
//   lines instead, or none
//   >>>
//
// `#` lines and blank lines outside a block are comments. There is at least one `replace:`. The
// optional key `equivalent:` says why no law can see the edit, the optional key `rows:` which rows
// of the source have the bug, as globs such as flash_fwd.varlen with commas between; without it all
// of them do. A mutant of the judge says `source: harness/judge/problem.cc` instead of a kernel,
// and `killed_by: laws_test Senses.Guards`: the test that is expected to notice, and its program.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/base/check.h"

namespace padproof {

/// Whole lines of the source and the lines that take their place.
struct Replacement {
  int line = 0;  // of the mutant file, where `before` starts
  std::vector<std::string> before;
  std::vector<std::string> after;
};

struct Mutant {
  std::string path;        // as it was read; errors start with it
  std::string name;        // the file's name without extension
  std::string kernel;      // a source under kernels/, without extension, or ""
  std::string source;      // else: relative to the repository
  std::string rows;        // those that have the bug, globs; "" for all
  std::string bug;         // one line: what is wrong
  std::string imitates;    // a public thread or a class of bugs
  std::string killed_by;   // the law expected to notice, of a judge's mutant the test
  std::string equivalent;  // why nothing can notice, or ""
  std::vector<Replacement> replacements;
};

/// An error names file, line and remedy.
Result<Mutant> ParseMutant(std::string_view path, std::string_view text);

/// The edited copy of `source`. Each replacement must match exactly once, on whole lines. #line
/// directives keep messages, stack traces and coverage at the lines of the original, under its path
/// relative to the repository.
Result<std::string> ApplyMutant(const Mutant& mutant, std::string_view source_path,
                                std::string_view source);

}  // namespace padproof
