// From an address in this program to file:line, and from the address of a function's static
// variable to its name: the debugging information of the module (program or shared library) that
// this code is linked into. Included by race_hooks.cc only; needs neither sanitizers nor a large
// stack.

#pragma once

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "harness/simt/runtime.h"

extern "C" {
void __sanitizer_symbolize_pc(void* pc, const char* format, char* out, size_t bytes)
    __attribute__((weak));
/// The linker puts it at the beginning of the module.
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
}

namespace padproof::simt {
inline namespace host_build {
namespace race {
namespace {

struct Module {
  std::string path;
  uintptr_t bias = 0;  // what to subtract from addresses to get those in the file
};

inline const Module& ThisModule() {
  static const Module module = [] {
    Module found;
    const auto visit = [](dl_phdr_info* info, size_t, void* data) {
      const auto begin = reinterpret_cast<uintptr_t>(__ehdr_start);
      for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr)& segment = info->dlpi_phdr[i];
        if (segment.p_type != PT_LOAD) continue;
        if (begin - (info->dlpi_addr + segment.p_vaddr) >= segment.p_memsz) continue;
        // The program itself has no name here.
        const bool named = info->dlpi_name != nullptr && info->dlpi_name[0] != '\0';
        *static_cast<Module*>(data) = {named ? info->dlpi_name : "", info->dlpi_addr};
        return 1;
      }
      return 0;
    };
    dl_iterate_phdr(visit, &found);
    if (found.path.empty()) {
      char path[1024];
      const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
      if (length > 0) found.path.assign(path, static_cast<size_t>(length));
    }
    return found;
  }();
  return module;
}

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

// ---- static variables of functions --------------------------------------------------------------

struct StaticVariable {
  uintptr_t address;
  size_t bytes;
  std::string mangled;
};

/// A file in memory, for as long as it is needed.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    struct stat status{};
    if (fstat(file, &status) == 0 && status.st_size > 0) {
      bytes_ = static_cast<size_t>(status.st_size);
      void* mapped = mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, file, 0);
      data_ = mapped == MAP_FAILED ? nullptr : static_cast<const char*>(mapped);
    }
    close(file);
  }
  MappedFile(const MappedFile&) = delete;
  ~MappedFile() {
    if (data_ != nullptr) munmap(const_cast<char*>(data_), bytes_);
  }

  /// `count` objects of type T at `offset`; null if the file is too short.
  template <class T>
  const T* At(size_t offset, size_t count) const {
    if (data_ == nullptr || offset > bytes_ || count > (bytes_ - offset) / sizeof(T))
      return nullptr;
    return reinterpret_cast<const T*>(data_ + offset);
  }

 private:
  const char* data_ = nullptr;
  size_t bytes_ = 0;
};

/// All that the module's symbol table knows. On the host raw __shared__ arrays are such variables,
/// so in a stripped module everything writable may be one: then that, without names.
inline std::vector<StaticVariable> StaticVariablesOfFunctions() {
  std::vector<StaticVariable> found;
  const Module& module = ThisModule();
  const MappedFile file(module.path);
  bool stripped = true;
  const auto* header = file.At<ElfW(Ehdr)>(0, 1);
  if (header == nullptr || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return found;
  const auto* sections = file.At<ElfW(Shdr)>(header->e_shoff, header->e_shnum);
  for (unsigned s = 0; sections != nullptr && s < header->e_shnum; s++) {
    if (sections[s].sh_type != SHT_SYMTAB || sections[s].sh_link >= header->e_shnum) continue;
    const ElfW(Shdr)& names = sections[sections[s].sh_link];
    const size_t count = sections[s].sh_size / sizeof(ElfW(Sym));
    const auto* symbols = file.At<ElfW(Sym)>(sections[s].sh_offset, count);
    const char* text = file.At<char>(names.sh_offset, names.sh_size);
    if (symbols == nullptr || text == nullptr) continue;
    stripped = false;
    for (size_t i = 0; i < count; i++) {
      const ElfW(Sym)& symbol = symbols[i];
      if ((symbol.st_info & 0xf) != STT_OBJECT || symbol.st_size == 0) continue;
      if (symbol.st_shndx == SHN_UNDEF || symbol.st_name >= names.sh_size) continue;
      const char* mangled = text + symbol.st_name;
      if (std::strncmp(mangled, "_ZZ", 3) != 0) continue;
      found.push_back({symbol.st_value + module.bias, symbol.st_size, mangled});
    }
  }
  const auto* segments = file.At<ElfW(Phdr)>(header->e_phoff, header->e_phnum);
  for (unsigned i = 0; stripped && segments != nullptr && i < header->e_phnum; i++) {
    if (segments[i].p_type != PT_LOAD || (segments[i].p_flags & PF_W) == 0) continue;
    found.push_back({segments[i].p_vaddr + module.bias, segments[i].p_memsz, ""});
  }
  return found;
}

/// "tile" of "_ZZN...KernelEvE4tile".
inline std::string ShortName(const std::string& mangled) {
  int status = 0;
  char* whole = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  if (whole == nullptr) return mangled;
  const char* last = std::strrchr(whole, ':');
  std::string name = last == nullptr ? whole : last + 1;
  std::free(whole);
  return name;
}

}  // namespace
}  // namespace race
}  // namespace host_build
}  // namespace padproof::simt
