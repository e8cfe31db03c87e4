// From an address in this program to file:line: the debugging information of the module that this
// code is linked into. Included by race_hooks.cc only; needs neither sanitizers nor a large stack.

#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "harness/simt/runtime.h"
#include "harness/simt/runtime/module_file.h"

extern "C" {
void __sanitizer_symbolize_pc(void* pc, const char* format, char* out, size_t bytes)
    __attribute__((weak));
}

namespace padproof::simt {
inline namespace host_build {
namespace race {
namespace {

/// All that `addr2line -i -e path offset` prints, a line a frame, inlined ones first; "" if there
/// is no such program.
inline std::string Addr2line(const std::string& path, uintptr_t offset) {
  char hex[32];
  std::snprintf(hex, sizeof hex, "0x%zx", size_t{offset});
  std::string file = path;
  char name[] = "addr2line", flag_i[] = "-i", flag_e[] = "-e";
  char* arguments[] = {name, flag_i, flag_e, file.data(), hex, nullptr};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, name, &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  char buffer[256];
  for (ssize_t n; failed == 0 && (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
  }
  close(ends[0]);
  if (failed == 0) {
    int status = 0;
    waitpid(child, &status, 0);
  }
  return text;
}

/// What a kernel's author wrote: the innermost frame outside of the headers that kernels include.
inline std::string AuthorsLine(const std::string& frames) {
  std::string innermost;
  for (size_t begin = 0, end = 0; begin < frames.size(); begin = end + 1) {
    end = std::min(frames.find('\n', begin), frames.size());
    std::string line = frames.substr(begin, end - begin);
    line = line.substr(0, line.find(" (discriminator"));
    if (line.empty() || line[0] == '?' || line[0] == '<' || line.ends_with(":?") ||
        line.ends_with(":0")) {
      continue;
    }
    if (innermost.empty()) innermost = line;
    const std::string file = line.substr(0, line.rfind(':'));
    const bool ours = file.find("harness/simt/") != std::string::npos && file.ends_with(".h") &&
                      file.find("test") == std::string::npos;
    if (!ours) return line;
  }
  return innermost;
}

inline std::string FindSourceLine(uintptr_t return_address) {
  std::string frames;
  if (__sanitizer_symbolize_pc != nullptr) {
    std::string text(2048, '\0');  // strings one after another, then an empty one
    // It subtracts one itself.
    __sanitizer_symbolize_pc(reinterpret_cast<void*>(return_address), "%s:%l", text.data(),
                             text.size() - 1);
    for (size_t i = 0; text[i] != '\0'; i += std::strlen(&text[i]) + 1) {
      frames += &text[i];
      frames += '\n';
    }
  }
  std::string line = AuthorsLine(frames);
  if (!line.empty()) return line;
  const Module& module = ThisModule();
  const uintptr_t offset = return_address - 1 - module.bias;
  line = AuthorsLine(Addr2line(module.path, offset));
  if (!line.empty()) return line;
  char text[32];
  std::snprintf(text, sizeof text, "+0x%zx", size_t{offset});
  return module.path + text;
}

/// file:line of the instruction before a return address; else module+0xoffset.
inline std::string SourceLine(uintptr_t return_address) {
  struct Known {
    uintptr_t return_address;
    std::string line;
  };
  static std::vector<Known> all_known;  // a process a line is slow
  for (const Known& known : all_known) {
    if (known.return_address == return_address) return known.line;
  }
  all_known.push_back({return_address, FindSourceLine(return_address)});
  return all_known.back().line;
}

}  // namespace
}  // namespace race
}  // namespace host_build
}  // namespace padproof::simt
