#include "harness/report/failure.h"

#include <fmt/format.h>

#include <filesystem>

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

}  // namespace

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
  const std::string plugins = PluginsNamed();
  text += fmt::format("  replay  {}padproof replay '{}'\n",
                      plugins.empty() ? "" : "PADPROOF_PLUGINS='" + plugins + "' ", Print(f.entry));
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
