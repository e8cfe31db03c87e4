// Raw __shared__ arrays of this module, which on the host are static variables: where they lie,
// what they are called, and what each block finds in them. qualifiers.h puts them, and nothing
// else, into sections of their own. Included by runtime.cc only.

#pragma once

#include <cxxabi.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "harness/simt/runtime.h"
#include "harness/simt/runtime/module_file.h"
#include "harness/simt/runtime/race_interface.h"
#include "harness/simt/runtime/sanitizer.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

/// By g++, which makes sections of their own for arrays of templates, and by clang.
bool HoldsRawShared(const std::string& section) {
  return section == ".noinit" || section.starts_with(".noinit.") || section == "simt.shared";
}

/// None if the file cannot be read any more.
std::vector<MemoryRange> FindRawShared() {
  std::vector<MemoryRange> found;
  const ModuleFile file;
  for (unsigned i = 0; i < file.section_count(); i++) {
    const ElfW(Shdr)& section = file.section(i);
    if ((section.sh_flags & SHF_ALLOC) == 0 || (section.sh_flags & SHF_WRITE) == 0) continue;
    if (section.sh_size == 0 || !HoldsRawShared(file.NameOfSection(i))) continue;
    found.push_back({ModuleFile::InMemory(section.sh_addr), section.sh_size});
  }
  return found;
}

bool IsRawShared(uintptr_t address) {
  for (const MemoryRange& range : RawShared()) {
    if (address - range.begin < range.bytes) return true;
  }
  return false;
}

/// Every block begins with fresh arrays. AddressSanitizer and ThreadSanitizer would look at memset,
/// which they replace; redzones between arrays are overwritten with the rest, and hold nothing.
void RefreshRawShared(unsigned char fill) {
  for (const MemoryRange& range : RawShared()) {
    auto* data = reinterpret_cast<volatile unsigned char*>(range.begin);
    size_t i = 0;
    for (; i < range.bytes && (range.begin + i) % 8 != 0; i++) data[i] = fill;
    for (; i + 8 <= range.bytes; i += 8) {
      *reinterpret_cast<volatile uint64_t*>(range.begin + i) = fill * 0x0101010101010101ull;
    }
    for (; i < range.bytes; i++) data[i] = fill;
    MarkUnwritten(reinterpret_cast<const void*>(range.begin), range.bytes);
  }
}

/// "tile" of "_ZZN...KernelEvE4tile".
std::string ShortName(const std::string& mangled) {
  int status = 0;
  char* whole = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  if (whole == nullptr) return mangled;
  const char* last = std::strrchr(whole, ':');
  std::string name = last == nullptr ? whole : last + 1;
  std::free(whole);
  return name;
}

std::string NameInSymbols(const ModuleFile& file, const ElfW(Shdr) & table, uintptr_t address) {
  const size_t count = table.sh_size / sizeof(ElfW(Sym));
  const auto* symbols = file.At<ElfW(Sym)>(table.sh_offset, count);
  for (size_t i = 0; symbols != nullptr && i < count; i++) {
    if ((symbols[i].st_info & 0xf) != STT_OBJECT || symbols[i].st_shndx == SHN_UNDEF) continue;
    const size_t byte = address - ModuleFile::InMemory(symbols[i].st_value);
    if (byte >= symbols[i].st_size) continue;
    return "shared array '" + ShortName(file.StringAt(table.sh_link, symbols[i].st_name)) +
           "', byte " + std::to_string(byte);
  }
  return "";
}

/// "shared array 'tile', byte 132", without the name in a stripped module, or "".
std::string NameOfRawShared(uintptr_t address) {
  if (!IsRawShared(address)) return "";
  const ModuleFile file;
  for (unsigned i = 0; i < file.section_count(); i++) {
    if (file.section(i).sh_type != SHT_SYMTAB) continue;
    const std::string name = NameInSymbols(file, file.section(i), address);
    if (!name.empty()) return name;
  }
  return "a raw __shared__ array";
}

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
