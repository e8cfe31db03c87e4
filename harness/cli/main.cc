// padproof: proves that padding does not leak in masked attention kernels.

#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX has more than <csignal>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <system_error>

#include "harness/base/words.h"
#include "harness/cli/commands.h"

namespace {

/// A first word that is no command; null if there is no such word.
const char* UnknownCommand(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || *argv[1] == '-') return nullptr;
  const auto is_called = [&](const CLI::App* command) { return command->check_name(argv[1]); };
  return app.get_subcommands(is_called).empty() ? argv[1] : nullptr;
}

/// "check, replay, ..."
std::string CommandsOf(const CLI::App& app) {
  std::string names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_group().empty()) continue;  // not for people
    padproof::AppendTo(names, command->get_name());
  }
  return names;
}

/// `padproof mutants | head`: the reader has gone, and nobody is left to be told of it.
bool ReaderHasGone(const std::system_error& error) { return error.code().value() == EPIPE; }
constexpr int kReaderHasGone = 128 + SIGPIPE;  // what a shell shows of it

[[noreturn]] void Terminate() {
  try {
    if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::system_error& error) {
    if (ReaderHasGone(error)) std::_Exit(kReaderHasGone);
    std::fprintf(stderr, "padproof: %s\n", error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "padproof: %s\n", error.what());
  } catch (...) {
  }
  std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::set_terminate(Terminate);

  CLI::App app{"Proves that padding does not leak in masked attention kernels."};
  app.name("padproof");
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 all laws hold; 1 a law failed, judged nothing, or missed a planted bug;\n"
      "2 bad usage or input; 3 the harness failed.");
  int exit_code = padproof::kExitHarness;
  padproof::AddCheck(app, exit_code);
  padproof::AddReplay(app, exit_code);
  padproof::AddMinimize(app, exit_code);
  padproof::AddCampaign(app, exit_code);
  padproof::AddPromote(app, exit_code);
  padproof::AddMutants(app, exit_code);
  padproof::AddMutate(app, exit_code);
  padproof::AddList(app, exit_code);
  padproof::AddBench(app, exit_code);
  padproof::AddDoctor(app, exit_code);
  padproof::AddSpell(app, exit_code);
  padproof::AddWorker(app, exit_code);
  if (const char* word = UnknownCommand(app, argc, argv)) {
    return padproof::Complain(
        std::string("no command is called '") + word + "'; there are " + CommandsOf(app),
        padproof::kExitUsage);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? padproof::kExitHolds : padproof::kExitUsage;
  } catch (const std::system_error& error) {
    if (ReaderHasGone(error)) return kReaderHasGone;
    return padproof::Complain(error.what(), padproof::kExitHarness);
  } catch (const std::exception& error) {
    return padproof::Complain(error.what(), padproof::kExitHarness);
  }
  return exit_code;
}
