#include "harness/drivers/worker_main.h"

#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX has more than <csignal>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <new>
#include <string>

#include "harness/case/case.h"
#include "harness/device/device_call.h"
#include "harness/drivers/device_rows.h"
#include "harness/drivers/loaded_kernels.h"
#include "harness/drivers/protocol.h"
#include "harness/judge/property.h"

namespace padproof {
namespace {

// A kernel that asks for more is a finding, not the end of the machine.
constexpr rlim_t kAddressSpaceBytes = rlim_t{16} << 30;

void LimitMemory() {
#if defined(__SANITIZE_ADDRESS__)
  return;  // shadow memory needs terabytes of address space
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
  return;
#endif
#endif
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = std::min(limit.rlim_max, kAddressSpaceBytes);
  setrlimit(RLIMIT_AS, &limit);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
}

// A device maps all of its memory and the host's into the address space, and keeps them there: a
// worker that has started one has no limit any more.
void LiftMemoryLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_AS, &limit);
}

bool ReadLine(std::string& pending, std::string& line) {
  for (;;) {
    if (const size_t end = pending.find('\n'); end != std::string::npos) {
      line.assign(pending, 0, end);
      pending.erase(0, end + 1);
      return true;
    }
    char chunk[4096];
    const ssize_t got = read(kRequestDescriptor, chunk, sizeof chunk);
    if (got <= 0) return false;
    pending.append(chunk, static_cast<size_t>(got));
  }
}

void WriteLine(std::string line) {
  line += '\n';
  for (size_t at = 0; at < line.size();) {
    const ssize_t put = write(kReplyDescriptor, line.data() + at, line.size() - at);
    if (put <= 0) _exit(3);
    at += static_cast<size_t>(put);
  }
}

Reply Fail(std::string message) {
  Reply reply;
  reply.error = std::move(message);
  return reply;
}

Reply JudgeOne(const std::vector<const KernelRow*>& rows, const Request& request) {
  const KernelRow* kernel = nullptr;
  for (const KernelRow* row : rows) {
    if (IdOf(*row) == request.kernel) kernel = row;
  }
  if (kernel == nullptr) return Fail("no kernel '" + request.kernel + "'");
  const Property* law = FindProperty(request.law);
  if (law == nullptr) return Fail("no law '" + request.law + "'");
  const auto c = Parse(request.line);
  if (!c) return Fail(c.error().message);
  Reply reply;
  try {
    reply.verdict = Judge(*law, *kernel, *c);
  } catch (const DeviceError& e) {
    reply = Fail(request.kernel + ": " + e.what());
  } catch (const std::bad_alloc&) {
    reply.verdict = Verdict::Fails({.kind = kind::kMemory, .got = "out of memory"});
  } catch (const std::exception& e) {
    reply.verdict = Verdict::Fails(
        {.kind = kind::kCrash, .got = std::string("uncaught exception: ") + e.what()});
  }
  reply.last = DeviceIsLost();
  return reply;
}

/// Rows of a library, with its device started.
Reply DescribeAll(const std::vector<const KernelRow*>& rows, const std::string& plugin) {
  Reply reply;
  for (const KernelRow* row : rows) {
    KernelInfo info = Describe(*row, plugin);
    if (row->device != nullptr) {
      LiftMemoryLimit();
      const auto missing = StartDevice(*row->device);
      if (!missing) return Fail(plugin + ": " + missing.error().message);
      info.missing = *missing;
      if (missing->empty()) info.device = row->device->describe();
      if (!missing->empty()) LimitMemory();
    }
    reply.kernels.push_back(std::move(info));
  }
  return reply;
}

Reply Answer(const Request& request) {
  auto rows = RowsOf(request.plugin);
  if (!rows) return Fail(rows.error().message);
  if (request.kind == Request::Kind::judge) return JudgeOne(*rows, request);
  return DescribeAll(*rows, request.plugin);
}

}  // namespace

int RunWorker() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // no orphan survives a killed parent
  if (fcntl(kRequestDescriptor, F_GETFD) < 0 || fcntl(kReplyDescriptor, F_GETFD) < 0) {
    std::fprintf(stderr, "padproof: worker is started by padproof itself, not by hand\n");
    return 2;
  }
  LimitMemory();
  const pid_t self = getpid();
  std::string pending, line;
  while (ReadLine(pending, line)) {
    const auto request = ParseRequest(line);
    const Reply reply = request ? Answer(*request) : Fail("not a request: " + line);
    if (getpid() != self) _exit(0);  // a copy that a kernel has made of the process
    WriteLine(ToLine(reply));
    if (reply.last) return 0;
  }
  return 0;
}

}  // namespace padproof
