// One call of a kernel: on the host with the buffers of the problem as they are, on a device with a
// copy of all of them.

#pragma once

#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/device/device.h"
#include "harness/judge/kernel.h"
#include "harness/judge/problem.h"

namespace padproof {

/// What came of a call. `reason` is empty when it went well.
struct Called {
  StatusCode code = StatusCode::ok;
  std::string reason;
};

/// Calls `kernel`.forward or .backward with `args` of `problem`. A row with a device gets device
/// pointers, is waited for, and everything it may have written is copied back, guards and gaps
/// included, so that laws look at `problem` as after a call on the host. Whatever the device says
/// is wrong after the call is StatusCode::failed with CUDA's name for it, also where the kernel
/// itself said ok. Throws DeviceError when the call could not even be prepared.
Called Call(const KernelRow& kernel, Problem& problem, const AttentionArgs& args, bool backward);

/// The same of a row on the host, with `args` as they are.
Called CallOnHost(const KernelRow& kernel, const AttentionArgs& args, bool backward);

/// Puts visit(pointer) in the place of every pointer of the arguments that is not null.
template <class Visit>
void ForEachPointer(AttentionArgs& args, Visit visit) {
  static_assert(sizeof(AttentionArgs) == 1056, "a new field: if it is a pointer, visit it below");
  const auto move = [&](auto*& pointer) {
    if (pointer == nullptr) return;
    const void* moved = visit(static_cast<const void*>(pointer));
    std::memcpy(&pointer, &moved, sizeof moved);  // whatever it points to, void and const included
  };
  for (Tensor* tensor : {&args.q, &args.k, &args.v, &args.o, &args.lse, &args.d_o, &args.dq,
                         &args.dk, &args.dv, &args.attn_mask, &args.attn_bias, &args.dbias}) {
    move(tensor->data);
  }
  for (const int32_t** lengths :
       {&args.seqused_q, &args.seqused_k, &args.leftpad_q, &args.leftpad_k, &args.cu_seqlens_q,
        &args.cu_seqlens_k, &args.block_table}) {
    move(*lengths);
  }
  move(args.alibi_slopes);
  move(args.sink);
  move(args.workspace);
}

/// The device refused before the kernel ran: nothing about the kernel is known.
class DeviceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// True after an error that the device does not recover from in this process (an illegal address,
/// say): every later call would fail, whoever makes it.
bool DeviceIsLost();

/// A copy of a problem's memory on a device, for one call.
class DeviceCall {
 public:
  /// Copies `memory`, byte for byte. Throws DeviceError.
  DeviceCall(const DeviceTable& device, std::vector<Problem::Stretch> memory);
  ~DeviceCall();
  DeviceCall(const DeviceCall&) = delete;
  DeviceCall& operator=(const DeviceCall&) = delete;

  /// The same arguments with pointers into the copy; null stays null.
  AttentionArgs Moved(AttentionArgs args) const;

  /// Waits for the device and copies the memory back; "" or what went wrong.
  std::string Finish();

 private:
  const DeviceTable& device_;
  std::vector<Problem::Stretch> memory_;
  std::vector<size_t> offsets_;  // of each stretch in the copy
  std::vector<uint8_t> image_;   // the copy, on the host
  uint8_t* data_ = nullptr;      // the copy, on the device
};

}  // namespace padproof
