// A property (a law) and its registry. One file under properties/ states one law.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/base/random.h"
#include "harness/case/case.h"
#include "harness/judge/kernel.h"
#include "harness/judge/metadata.h"
#include "harness/judge/verdict.h"

namespace padproof {

struct Property {
  const char* name;       // the file's name
  const char* statement;  // one line, as the report prints it

  /// Null when the law speaks about kernels of this kind; else why not ("returns no LSE").
  /// `has_forward`, `has_backward` say which functions the row has.
  const char* (*inapplicable)(const KernelTraits& traits, bool has_forward, bool has_backward);

  /// Bends a drawn case towards what the law needs (pads, a fill, backward), so that few are
  /// skipped.
  void (*prepare)(Case& c, const KernelTraits& traits, Random& random);

  /// Launches as often as it must and judges. Runs in a worker, or in-process in a fuzz target.
  Verdict (*check)(const KernelRow& kernel, const Case& c);

  /// The same of a call whose lengths, offsets and pages were edited; null where a law has nothing
  /// to say of it.
  Verdict (*check_edited)(const KernelRow& kernel, const Case& c,
                          const MetadataEdits& edits) = nullptr;

  bool scheduled_only = false;       // speaks only about rows whose backend takes a schedule
  bool has_bound = false;            // compares with a bound: verdicts say how near it came
  bool about_attention = false;      // needs attention's formula; so does every law with a bound
  bool with_host_twin_only = false;  // speaks only about rows that have a HostTwin
  bool on_host_only = false;         // speaks only about rows whose memory is the host's
  bool tells_heads_apart = false;    // needs heads to differ: not where they share memory
};

bool RegisterProperty(const Property& property);
const std::vector<const Property*>& Properties();     // by name
const Property* FindProperty(std::string_view name);  // null if unknown

/// "name@backend"
std::string IdOf(const KernelRow& row);

/// True when rows of this backend run blocks and threads in the order that a case names.
bool TakesSchedule(std::string_view backend);

/// The compiled-in row of the same name that the SIMT layer runs, for a row of a device: the same
/// source on the host. Null for others.
const KernelRow* HostTwin(const KernelRow& row);

/// The passes that a row has.
struct Passes {
  bool forward = false, backward = false;
};
Passes PassesOf(const KernelRow& kernel);

/// Null when the law speaks about such a row, else why not.
const char* WhyInapplicable(const Property& property, std::string_view backend,
                            const KernelTraits& traits, Passes passes, bool has_host_twin);

/// The law's `prepare`, and what else its fields say that it needs.
void PrepareFor(const Property& property, Case& c, const KernelTraits& traits, Random& random);

/// "" when the kernel's row covers this case, else which capability is missing.
std::string Unsupported(const KernelTraits& traits, Passes passes, const Case& c);

/// Validates, asks the row, then the law: the one judge behind every driver.
Verdict Judge(const Property& property, const KernelRow& kernel, const Case& c);
/// The same by a law's `check_edited`.
Verdict JudgeEdited(const Property& property, const KernelRow& kernel, const Case& c,
                    const MetadataEdits& edits);

}  // namespace padproof

#define PADPROOF_PROPERTY(...)                                                            \
  [[maybe_unused]] static const bool PADPROOF_CONCAT(property_registered_, __COUNTER__) = \
      ::padproof::RegisterProperty(::padproof::Property __VA_ARGS__)
