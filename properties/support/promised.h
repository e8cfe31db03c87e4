// What a row promises of a case: what its pads may hold, which results repeat, and which are said
// to be numbers.

#pragma once

#include <functional>
#include <vector>

#include "harness/judge/kernel.h"
#include "harness/judge/problem.h"

namespace padproof {

// ---- what pads may hold -------------------------------------------------------------------------

/// The wildest fill that is no wilder than `fill` and that the row allows in pads: what is not
/// finite becomes huge, what makes scores overflow becomes hot, or everything becomes zero.
Fill AllowedFill(const KernelTraits& traits, Fill fill);

/// The same under any such promise, of tokens of a case.
Fill AllowedFill(PadContent content, Fill fill);
Fill AllowedFill(PadContent content, const Case& c, Fill fill);

/// The case with its fill clamped to what the row allows.
Case WithAllowedFill(const KernelTraits& traits, Case c);

// ---- what is written ----------------------------------------------------------------------------

/// What Run writes: o and, if the row returns it, lse; if c.backward the gradients that the row and
/// the case have.
std::vector<Operand> Outputs(const KernelRow& kernel, const Case& c);

/// Those of them that are gradients.
std::vector<Operand> GradientsOf(const KernelTraits& traits, const Case& c);

/// Null when the row promises the same bits of some output whenever a call is repeated, else why
/// not.
const char* NotRepeatable(const KernelTraits& traits, bool has_forward);

/// Those of Outputs that the row promises to be the same bits whenever a call is repeated.
std::vector<Operand> RepeatableOutputs(const KernelRow& kernel, const Case& c);

/// True when the row promises a number for real token `at.i` of an output: false for what depends
/// on a query that sees no key, unless the row promises zeros for those.
bool IsPromised(const KernelTraits& traits, const Case& c, Operand op, const Index& at);

/// The same of the padded slots of sequence `b` in head `h`.
bool IsPromisedAtPads(const KernelTraits& traits, const Case& c, Operand op, int b, int h);

/// LSE of a query that sees no key.
double EmptyLseOf(const KernelTraits& traits);

/// Which real elements to compare; `at.d` counts from 0.
using Part = std::function<bool(Operand op, const Index& at)>;

/// That of `part`, or of everything, of which the row says something: EmptyRow::unspecified leaves
/// out what IsPromised does.
Part Specified(const KernelTraits& traits, const Case& c, Part part = nullptr);

/// Null when some output is the same bits whenever threads and blocks run in the same order: that
/// of a case on the SIMT layer, where sums by atomicAdd repeat too. Else why not.
const char* NotRepeatableInOrder(const KernelRow& kernel);

}  // namespace padproof
