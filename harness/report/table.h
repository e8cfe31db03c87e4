// The table at the end of every run: law x kernel.

#pragma once

#include <string>

#include "harness/drivers/run.h"

namespace padproof {

/// Rows are laws, columns kernels; a cell is the number of cases in which the law held, FAIL, NONE
/// (it should have run and tested nothing), ERROR, or - (the law does not speak about this kernel).
/// Then, for laws with a bound, the largest error / bound of the cases that held. Below: which
/// kernel each column is, the share of each class of case, how much of an exhaustive run's scope
/// was judged, why cells are -, and why cases were skipped.
std::string Table(const RunResult& result, const std::vector<KernelInfo>& kernels,
                  const std::vector<const Property*>& laws, bool verbose);

/// One line: "all laws hold: 10 kernels, 12 laws, 24000 cases in 31.2 s ..." or what is red.
std::string Conclusion(const RunResult& result);

/// The whole result for machines.
std::string TableJson(const RunResult& result);

}  // namespace padproof
