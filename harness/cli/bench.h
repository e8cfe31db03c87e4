// The benches: measurements of padproof itself, printed as tables; `padproof bench NAME`. Each is
// one file next to what it measures, and only the program links them together.

#pragma once

namespace CLI {
class App;
}

namespace padproof {

/// Adds one bench to the group `bench`; its callback stores an exit code as commands do.
void AddBenchBounds(CLI::App& bench, int& exit_code);     // reference/bench/bounds.cc
void AddBenchTolerance(CLI::App& bench, int& exit_code);  // reference/bench/tolerance.cc
void AddBenchRatios(CLI::App& bench, int& exit_code);     // harness/cli/bench_ratios.cc
void AddBenchSpeed(CLI::App& bench, int& exit_code);      // harness/cli/bench_speed.cc

}  // namespace padproof
