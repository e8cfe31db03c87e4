// What the rest of the runtime needs to know of streams and events.

#pragma once

namespace padproof::simt {
inline namespace host_build {

inline constexpr int kGreatestPriority = -5;  // the least is 0

__attribute__((visibility("hidden"))) void DestroyStreamsAndEvents();

}  // namespace host_build
}  // namespace padproof::simt
