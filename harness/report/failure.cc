#include "harness/report/failure.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "harness/drivers/paths.h"
#include "harness/report/style.h"

namespace padproof {
namespace {

// As short as it can be typed from here.
std::string Shown(const std::string& path) {
  std::error_code error;
  const auto relative = std::filesystem::relative(path, error);
  if (error || relative.empty() || *relative.begin() == "..") return path;
  return relative.string();
}

std::string Where(const Failure& f) {
  std::string text = f.where.empty() ? "" : f.where + "   ";
  if (f.kind == kind::kCrash || f.kind == kind::kExit || f.kind == kind::kHang) {
    return text + f.got;
  }
  text += f.expected;
  if (!f.got.empty()) text += "   " + f.got;
  if (!f.extent.empty()) text += "   (" + f.extent + ")";
  return text;
}

/// "NAME='value' " where the environment has it.
std::string Setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == 0 ? "" : fmt::format("{}='{}' ", name, value);
}

/// The program as a shell here finds it.
std::string ProgramAsTyped() {
  namespace fs = std::filesystem;
  const std::string program = WorkerProgram();
  std::error_code ignored;
  const char* path = std::getenv("PATH");
  std::stringstream folders{std::string(path != nullptr ? path : "")};
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path found = fs::path(folder) / "padproof";
    if (!fs::exists(found, ignored)) continue;
    return fs::equivalent(found, program, ignored) ? "padproof" : Shown(program);
  }
  return Shown(program);
}

}  // namespace

std::string ReplayCommand(const std::string& line) {
  return Setting("PADPROOF_PLUGINS") + Setting("PADPROOF_DEVICE_PLUGINS") + ProgramAsTyped() +
         " replay '" + line + "'";
}

std::string Report(const Finding& f) {
  std::string text = fmt::format("{} / {}   {}", f.entry.law, f.entry.kernel, Red("FAILED"));
  if (f.cases > 0) text += fmt::format(" after {} case{}", f.cases, f.cases == 1 ? "" : "s");
  if (f.steps > 0) text += fmt::format(", shrunk in {} steps", f.steps);
  if (f.half_shrunk) text += " (shrinking ran out of its budget: a simpler case may exist)";
  text += fmt::format("\n  case    {}\n", Print(f.entry.c));
  text += fmt::format("  where   {}\n", Where(f.failure));
  if (f.failure.ratio > 0) {
    text += fmt::format("  error   {:.3g} times the bound\n", f.failure.ratio);
  }
  if (!f.failure.note.empty()) text += fmt::format("  note    {}\n", f.failure.note);
  text += fmt::format("  law     {}\n", f.statement);
  text += fmt::format("  source  {}\n", f.source);
  text += fmt::format("  replay  {}\n", ReplayCommand(Print(f.entry)));
  if (!f.problem.empty()) {
    text += fmt::format("  saved   {}: {}\n", Red("NOT SAVED"), f.problem);
  } else if (f.known) {
    text += fmt::format("  saved   {}   (was there already)\n", Shown(f.saved));
  } else if (!f.saved.empty()) {
    text += fmt::format("  saved   {}   (runs in every test from now on)\n", Shown(f.saved));
  }
  return text;
}

std::string FoundLine(const Finding& f) {
  std::string text = fmt::format("{} / {}   {} ({}) after {} cases; shrinking", f.entry.law,
                                 f.entry.kernel, Red("fails"), f.failure.kind, f.cases);
  if (!f.saved.empty()) text += fmt::format("; saved {}", Shown(f.saved));
  return text + "\n";
}

}  // namespace padproof
