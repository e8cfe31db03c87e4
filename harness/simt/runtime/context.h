// Switching between execution contexts: the only machine-dependent file of the SIMT layer. Included
// by runtime.cc and its test alone. x86-64 and AArch64 have their own few instructions; other
// machines, and builds with SIMT_UCONTEXT, use ucontext, which is about twenty times slower (a
// system call each way).
//
// Our own switches clobber every register, so the compiler saves exactly what the caller needs, and
// resume by an indirect jump, not by a return, which would be mispredicted each time. The control
// words of the FPU (rounding, flushing of subnormals) belong to all contexts together; under
// ucontext each context keeps those of its first day. Shadow stacks (CET, GCS) of the processor are
// not switched: where a system enforces them, build with SIMT_UCONTEXT.

#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/simt/runtime.h"

#if !defined(__x86_64__) && (!defined(__aarch64__) || defined(__APPLE__)) && !defined(SIMT_UCONTEXT)
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

/// A suspended context is its stack pointer; on top of its stack lie the address to resume at and
/// the frame pointer.
struct Context {
  void* stack_pointer;
};

#if defined(__x86_64__)

/// `entry` runs at the first switch to `context`, on the stack that ends at `stack + bytes`, a
/// multiple of 16; it must not return.
void PrepareContext(Context& context, char* stack, size_t bytes, void (*entry)()) {
  auto* top = reinterpret_cast<uint64_t*>(stack + bytes);
  *--top = 0;  // no return address, and no frame below: unwinders stop here
  *--top = 0;
  *--top = reinterpret_cast<uint64_t>(entry);
  context.stack_pointer = top;
}

#if defined(__AVX512F__)
#define PADPROOF_SIMT_AVX512_REGISTERS                                                          \
  , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",   \
      "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", \
      "k6", "k7"
#else
#define PADPROOF_SIMT_AVX512_REGISTERS
#endif

#if defined(__APX_F__)
#define PADPROOF_SIMT_APX_REGISTERS                                                            \
  , "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23", "r24", "r25", "r26", "r27", "r28", \
      "r29", "r30", "r31"
#else
#define PADPROOF_SIMT_APX_REGISTERS
#endif

// A clobbered xmm register stands for the whole ymm or zmm one.
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
      "popq %%rbp\n"
      "jmpq *%%rax\n"
      "1:\n"
      "endbr64\n"  // a no-op unless indirect branches are tracked
      "leaq 128(%%rsp), %%rsp\n"
      : "+D"(save), "+S"(load)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",
        "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
        "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)",
        "st(4)", "st(5)", "st(6)",
        "st(7)" PADPROOF_SIMT_AVX512_REGISTERS PADPROOF_SIMT_APX_REGISTERS);
}

#undef PADPROOF_SIMT_AVX512_REGISTERS
#undef PADPROOF_SIMT_APX_REGISTERS

#else  // AArch64

/// `entry` runs at the first switch to `context`, on the stack that ends at `stack + bytes`, a
/// multiple of 16; it must not return.
void PrepareContext(Context& context, char* stack, size_t bytes, void (*entry)()) {
  auto* top = reinterpret_cast<uint64_t*>(stack + bytes);
  *--top = reinterpret_cast<uint64_t>(entry);
  *--top = 0;  // no frame below: unwinders stop here
  context.stack_pointer = top;
}

#if defined(__ARM_FEATURE_SVE)
#define PADPROOF_SIMT_SVE_REGISTERS                                                                \
  , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14", \
      "p15"
#else
#define PADPROOF_SIMT_SVE_REGISTERS
#endif

// The jump goes through x16, which may land on the start of a function (bti c) as well as on `1`
// (bti j) where branch targets are enforced. A context starts without a return address. There is no
// red zone. A clobbered v register stands for the whole SVE one.
PADPROOF_SIMT_INLINE void SwitchContext(Context& from, Context& to) {
  register void** save asm("x0") = &from.stack_pointer;
  register void* load asm("x1") = to.stack_pointer;
  asm volatile(
      "adr x16, 1f\n"
      "stp x29, x16, [sp, #-16]!\n"
      "mov x17, sp\n"
      "str x17, [x0]\n"
      "mov sp, x1\n"
      "ldp x29, x16, [sp], #16\n"
      "mov x30, xzr\n"
      "br x16\n"
      "1:\n"
      "hint #36\n"  // bti j, a no-op elsewhere
      : "+r"(save), "+r"(load)
      :
      : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
        "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28",
        "x30", "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10",
        "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23",
        "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31" PADPROOF_SIMT_SVE_REGISTERS);
}

#undef PADPROOF_SIMT_SVE_REGISTERS

#endif

#endif

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
