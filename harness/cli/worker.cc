#include <CLI/CLI.hpp>

#include "harness/cli/commands.h"
#include "harness/drivers/worker_main.h"

namespace padproof {

void AddWorker(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("worker", "answers requests of a parent padproof");
  command->group("");  // not for people
  command->callback([&exit_code] { exit_code = RunWorker(); });
}

}  // namespace padproof
