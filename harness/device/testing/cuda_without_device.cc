// A row that expects device memory, in a plugin that forgot to bring a device: it is refused, for
// host pointers would make it fail whatever it computes.

#include "harness/judge/kernel.h"

namespace padproof {
namespace {

Status Nothing(const AttentionArgs&) { return kOk; }

PADPROOF_KERNEL({.name = "cuda_without_device", .backend = "cuda", .forward = Nothing});

}  // namespace
}  // namespace padproof
