// The threads that the kernels share.
#pragma once

#include <cstdint>
#include <functional>

namespace megablocks {

/// How many threads the kernels use: the processors of this process, or MEGABLOCKS_THREADS; fewer where the system
/// gives no more.
int num_threads();

/// Runs f(0) .. f(count - 1) on all threads, in no order, and returns when all have ended. What one of
/// them throws is thrown again here. Within a task, and while another caller has the threads, the tasks
/// run on the calling thread.
void parallel_for(int64_t count, const std::function<void(int64_t)>& f);

/// Runs f(begin, end) on consecutive ranges that cover 0 .. size - 1, each of at least `grain`.
void parallel_ranges(int64_t size, int64_t grain, const std::function<void(int64_t, int64_t)>& f);

}  // namespace megablocks
