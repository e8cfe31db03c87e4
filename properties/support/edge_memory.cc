#include "properties/support/edge_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>

#include "harness/device/device_call.h"

namespace padproof {
namespace {

constexpr size_t kElementAlignment = 16;

size_t PageBytes() {
  static const auto bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

bool MayWrite(Writable writable, const Problem::Stretch& stretch) {
  using Written = Problem::Stretch::Written;
  if (writable == Writable::all || stretch.written == Written::always) return true;
  return stretch.written == Written::by_forward && writable == Writable::results_of_forward;
}

}  // namespace

EdgeMemory::EdgeMemory(Problem& problem, Edge edge, Writable writable) {
  const size_t page = PageBytes();
  for (const Problem::Stretch& stretch : problem.Memory()) {
    Copy copy{.from = stretch.begin + kGuardBytes, .bytes = stretch.bytes - 2 * kGuardBytes};
    const size_t inside = (copy.bytes + page - 1) / page * page;
    copy.mapped = inside + 2 * page;
    copy.pages = ::mmap(nullptr, copy.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy.pages == MAP_FAILED) throw std::bad_alloc();
    uint8_t* first = static_cast<uint8_t*>(copy.pages) + page;
    copies_.push_back(copy);
    if (inside > 0 && ::mprotect(first, inside, PROT_READ | PROT_WRITE) != 0)
      throw std::bad_alloc();
    if (inside > 0) std::memset(first, kGapByte, inside);
    const size_t shift = (inside - copy.bytes) / kElementAlignment * kElementAlignment;
    copies_.back().to = first + (edge == Edge::end ? shift : 0);
    std::memcpy(copies_.back().to, copy.from, copy.bytes);
    const bool sealed = inside > 0 && !MayWrite(writable, stretch);
    if (sealed && ::mprotect(first, inside, PROT_READ) != 0) throw std::bad_alloc();
  }
}

EdgeMemory::~EdgeMemory() {
  for (const Copy& copy : copies_) ::munmap(copy.pages, copy.mapped);
}

AttentionArgs EdgeMemory::Moved(AttentionArgs args) const {
  ForEachPointer(args, [&](const void* pointer) -> const void* {
    const auto* address = static_cast<const uint8_t*>(pointer);
    for (const Copy& copy : copies_) {
      if (address >= copy.from && address <= copy.from + copy.bytes) {
        return copy.to + (address - copy.from);
      }
    }
    PADPROOF_CHECK(!"a pointer of the arguments leads into no buffer of the problem");
    return nullptr;
  });
  return args;
}

void EdgeMemory::CopyBack() {
  for (const Copy& copy : copies_) std::memcpy(copy.from, copy.to, copy.bytes);
}

}  // namespace padproof
