// ThreadSanitizer in the place of the race checker: the same events, told to libtsan. Each CUDA
// thread is a fiber of its own to it, and what orders two threads is said by tokens that one
// releases and the other acquires. Never instrumented.
//
// It is a second opinion, and knows less: nothing of a read before and a write after a shuffle, so
// every warp operation orders memory here; an atomic orders what is around it, and fences say
// nothing; the end of a block orders what came before, so that two blocks never race; and it
// remembers 255 threads at a time, so that it misses races in larger blocks.

#include <cstdlib>

#include "harness/simt/runtime/race_interface.h"

extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* token);
void AnnotateBenignRaceSized(const char* file, int line, const volatile void* memory, size_t bytes,
                             const char* why);
void __tsan_release(void* token);
}

namespace padproof::simt {
inline namespace host_build {
namespace race {
namespace {

constexpr unsigned kNoSync = 1;  // of __tsan_switch_to_fiber: a switch orders nothing

void* fibers[kMaxThreads + 1] = {};  // of the threads of a block, then of who launches
unsigned block_threads = 0;
unsigned running_thread = kMaxThreads;

void SwitchBack() { __tsan_switch_to_fiber(fibers[running_thread], kNoSync); }

/// What released it comes before what acquires it. Fresh memory each time, since a used token would
/// remember who released it before.
class Token {
 public:
  Token() : data_(std::malloc(8)) {
    if (data_ == nullptr) std::abort();
  }
  ~Token() {
    SwitchBack();
    std::free(data_);
  }
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;

  void ReleaseBy(unsigned i) {
    __tsan_switch_to_fiber(fibers[i], kNoSync);
    __tsan_release(data_);
  }
  void AcquireBy(unsigned i) {
    __tsan_switch_to_fiber(fibers[i], kNoSync);
    __tsan_acquire(data_);
  }

 private:
  void* data_;
};

/// Orders what each of some threads did before what each of them does later; visit(f) calls f(i)
/// for each.
template <class Visit>
void Order(Visit visit) {
  Token token;
  visit([&](unsigned i) { token.ReleaseBy(i); });
  visit([&](unsigned i) { token.AcquireBy(i); });
}

void OrderAll() {
  Order([](auto f) {
    for (unsigned i = 0; i < block_threads; i++) f(i);
    f(kMaxThreads);
  });
}

}  // namespace

void BeginLaunch(unsigned threads) {
  fibers[kMaxThreads] = __tsan_get_current_fiber();
  AnnotateBenignRaceSized(__FILE__, __LINE__, lanes, sizeof lanes, "mailboxes of the runtime");
  AnnotateBenignRaceSized(__FILE__, __LINE__, &current.repeats, sizeof current.repeats,
                          "a counter of the runtime");
  block_threads = threads;
  for (unsigned i = 0; i < threads; i++) {
    if (fibers[i] == nullptr) fibers[i] = __tsan_create_fiber(0);
  }
}

void BeginBlock(uint32_t /*linear_block*/) { OrderAll(); }

void SwitchTo(unsigned thread, const void* /*stack*/, size_t /*stack_bytes*/) {
  running_thread = thread;
  __tsan_switch_to_fiber(fibers[thread], kNoSync);
}

void LeaveBlock() {
  running_thread = kMaxThreads;
  OrderAll();
}

void Barrier() {
  Order([](auto f) {
    for (unsigned i = 0; i < block_threads; i++) f(i);
  });
}

void WarpOperation(unsigned warp, uint32_t members, bool /*orders_memory*/) {
  Order([&](auto f) {
    for (unsigned lane = 0; lane < kLanes; lane++) {
      if (members >> lane & 1) f(warp * kLanes + lane);
    }
  });
}

/// The launcher fills it: it knows of no thread's accesses, so that to wait for it orders nothing
/// else.
void BeforeFresh() { __tsan_switch_to_fiber(fibers[kMaxThreads], kNoSync); }

void Forget(const void* /*address*/, size_t /*bytes*/) {
  Token token;
  token.ReleaseBy(kMaxThreads);
  for (unsigned i = 0; i < block_threads; i++) token.AcquireBy(i);
}

}  // namespace race

void EnterAtomic(const void* address, size_t /*bytes*/, bool /*device*/) {
  __tsan_acquire(const_cast<void*>(address));
}
void LeaveAtomic(const void* address, size_t /*bytes*/) {
  __tsan_release(const_cast<void*>(address));
}
void Fence(bool /*device*/) {}

}  // namespace host_build
}  // namespace padproof::simt
