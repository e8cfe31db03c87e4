// The part of a stand-alone test that says what a call was given.

#pragma once

#include <string>
#include <vector>

#include "harness/spell/recorded_call.h"

namespace padproof {

/// "0.5f", "-INFINITY", "NAN", "Bits(0x7fc00001)"
std::string FloatLiteral(float x);

/// True when both can be made from one struct, by giving members other values.
bool AreOfOneShape(const RecordedCall& a, const RecordedCall& b);

/// struct `name` with one member a buffer and a function Run().
std::string CallStruct(const std::string& name, const RecordedCall& call);

/// Statements that make `variable`, of the struct of `first`, what `call` was.
std::string Differences(const std::string& variable, const RecordedCall& first,
                        const RecordedCall& call);

/// Names of the members that a call has: all of them, or those that it only reads.
std::vector<std::string> BufferNames(const RecordedCall& call, bool only_read);

}  // namespace padproof
