// Switching between execution contexts: the only machine-dependent file of the SIMT layer. Included
// by runtime.cc alone. x86-64 has its own few instructions; other machines, and builds with
// SIMT_UCONTEXT, use ucontext, which is about twenty times slower (a system call each way).

#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/simt/runtime.h"

#if !defined(__x86_64__) && !defined(SIMT_UCONTEXT)
#define SIMT_UCONTEXT 1
#endif

#if defined(SIMT_UCONTEXT)
#include <ucontext.h>
#endif

namespace padproof::simt {
inline namespace host_build {
namespace {

#if defined(SIMT_UCONTEXT)

struct Context {
  ucontext_t ucontext;
};

void PrepareContext(Context& context, char* stack, size_t bytes, void (*entry)()) {
  getcontext(&context.ucontext);
  context.ucontext.uc_stack.ss_sp = stack;
  context.ucontext.uc_stack.ss_size = bytes;
  context.ucontext.uc_link = nullptr;
  makecontext(&context.ucontext, entry, 0);
}

PADPROOF_SIMT_INLINE void SwitchContext(Context& from, Context& to) {
  swapcontext(&from.ucontext, &to.ucontext);
}

#else

/// A suspended context is its stack pointer; on top of its stack lie the address to resume at and,
/// unless it never ran, the frame pointer.
struct Context {
  void* stack_pointer;
};

void PrepareContext(Context& context, char* stack, size_t bytes, void (*entry)()) {
  auto* top = reinterpret_cast<uint64_t*>(stack + bytes);  // 16-byte aligned
  *--top = 0;  // no return address: unwinders stop here, and `entry` never returns
  *--top = reinterpret_cast<uint64_t>(entry);
  context.stack_pointer = top;
}

// Resumes by an indirect jump, not by `ret`, which would be mispredicted each time. Everything but
// the frame pointer is clobbered, so the compiler saves exactly what the caller needs. The control
// words of the FPU are shared by all contexts.
PADPROOF_SIMT_INLINE void SwitchContext(Context& from, Context& to) {
  void** save = &from.stack_pointer;
  void* load = to.stack_pointer;
  asm volatile(
      "leaq -128(%%rsp), %%rsp\n"  // past the red zone
      "pushq %%rbp\n"
      "leaq 1f(%%rip), %%rax\n"
      "pushq %%rax\n"
      "movq %%rsp, (%%rdi)\n"
      "movq %%rsi, %%rsp\n"
      "popq %%rax\n"
      "jmpq *%%rax\n"
      "1:\n"
      "endbr64\n"  // a no-op unless indirect branches are tracked
      "popq %%rbp\n"
      "leaq 128(%%rsp), %%rsp\n"
      : "+D"(save), "+S"(load)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",
        "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
        "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

#endif

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
