#include "harness/cli/bench.h"

#include <CLI/CLI.hpp>

#include "harness/cli/commands.h"

namespace padproof {

void AddBench(CLI::App& app, int& exit_code) {
  CLI::App* bench = app.add_subcommand("bench", "measures padproof itself");
  bench->require_subcommand(1);
  AddBenchBounds(*bench, exit_code);
  AddBenchTolerance(*bench, exit_code);
  AddBenchRatios(*bench, exit_code);
  AddBenchSpeed(*bench, exit_code);
}

}  // namespace padproof
