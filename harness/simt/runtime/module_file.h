// The module (program or shared library) that this code is linked into, as the loader placed it and
// as its file describes it. Included by files of the runtime only.

#pragma once

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "harness/simt/runtime.h"

extern "C" {
/// The linker puts it at the beginning of the module.
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
}

namespace padproof::simt {
inline namespace host_build {
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

/// The file of this module, if it is still the one that was loaded.
class ModuleFile : public MappedFile {
 public:
  ModuleFile() : MappedFile(ThisModule().path) {
    const auto* header = At<ElfW(Ehdr)>(0, 1);
    // A file built anew since has its tables elsewhere.
    if (header == nullptr || std::memcmp(header, __ehdr_start, sizeof *header) != 0) return;
    sections_ = At<ElfW(Shdr)>(header->e_shoff, header->e_shnum);
    if (sections_ != nullptr) section_count_ = header->e_shnum;
    names_index_ = header->e_shstrndx;
  }

  unsigned section_count() const { return section_count_; }
  const ElfW(Shdr) & section(unsigned i) const { return sections_[i]; }
  /// "" if the file does not say.
  std::string NameOfSection(unsigned i) const {
    return StringAt(names_index_, sections_[i].sh_name);
  }
  /// The string at `offset` of a section of strings.
  std::string StringAt(unsigned strings, size_t offset) const {
    if (strings >= section_count_ || offset >= sections_[strings].sh_size) return "";
    const size_t most = sections_[strings].sh_size - offset;
    const char* text = At<char>(sections_[strings].sh_offset + offset, most);
    return text == nullptr ? "" : std::string(text, strnlen(text, most));
  }
  /// Where an address of the file is in memory.
  static uintptr_t InMemory(uintptr_t address) { return address + ThisModule().bias; }

 private:
  const ElfW(Shdr) * sections_ = nullptr;
  unsigned section_count_ = 0;
  unsigned names_index_ = 0;
};

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
