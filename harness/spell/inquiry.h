// Asks a law what it accepts. The law is called again and again on a kernel that only plays back
// recorded results, with single numbers changed: which values of a failing number it takes, and
// which other number that depends on, is then known without reading the law.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/check.h"
#include "harness/drivers/corpus.h"
#include "harness/judge/property.h"
#include "harness/spell/recorded_call.h"

namespace padproof {

/// An element of a result: `offset` counts from the first element of tensor number `field` of call
/// number `call`.
struct Place {
  size_t call = 0, field = 0, offset = 0;
  bool operator==(const Place&) const = default;
};

/// One failing element and what is right there.
struct Expectation {
  enum class Kind {
    between,   // low <= x <= high
    is_nan,    // x is NaN
    a_number,  // x is not NaN: all that is asked where no right value is known
    same,      // x has the bits of `partner`, all NaNs being one value
    equal,     // x == partner
    apart      // low <= x - partner <= high
  };
  Kind kind = Kind::between;
  std::string where;  // as the law calls it
  Place place, partner;
  double low = 0, high = 0;
  bool positive_zero = false;  // between: of the zeros, only +0
};

/// What a stand-alone test has to say.
struct Spelling {
  enum class Kind { elements, guards, inputs, launch, returns };
  Kind kind = Kind::elements;
  Failure failure;
  std::vector<RecordedCall> calls;  // in their order, those that matter
  std::vector<Expectation> expectations;
  size_t more = 0;  // elements that failed likewise and are left out
};

/// Called before a call is made, with what is to be said if it does not return.
using InFlight = std::function<void(const Spelling&)>;

/// Judges `c`, which fails, and spells out why. Runs kernel code in this process. An error says
/// what cannot be spelled.
Result<Spelling> SpellOut(const Property& law, const KernelRow& kernel, const Case& c,
                          const InFlight& in_flight);

}  // namespace padproof
