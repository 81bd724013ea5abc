#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace megablocks {
namespace {

thread_local bool in_task = false;

/// One call of parallel_for.
struct Job {
  Job(const std::function<void(int64_t)>& f, int64_t count) : f(f), count(count) {}

  const std::function<void(int64_t)>& f;
  const int64_t count;
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr error;

  void run() {
    in_task = true;
    for (int64_t i; (i = next.fetch_add(1)) < count;) {
      try {
        f(i);
      } catch (...) {
        std::lock_guard<std::mutex> lock(mutex);
        error = std::current_exception();
        next = count;
      }
    }
    in_task = false;
  }
};

/// Threads that sleep between jobs. They live as long as the process.
class Pool {
 public:
  explicit Pool(int size) {
    try {
      for (; num_workers_ < size - 1; num_workers_++) std::thread([this] { work(); }).detach();
    } catch (const std::exception&) {
      // The system gives no more, of threads or memory; those that have started are enough, even if there are none.
    }
  }

  void run(Job& job) {
    std::unique_lock<std::mutex> caller(callers_, std::try_to_lock);
    if (!caller.owns_lock() || num_workers_ == 0) {
      job.run();
      return;
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = &job;
      generation_++;
    }
    start_.notify_all();
    job.run();
    // Nothing is left to begin: a worker that has not woken up yet is not waited for.
    std::unique_lock<std::mutex> lock(mutex_);
    job_ = nullptr;
    end_.wait(lock, [this] { return num_active_ == 0; });
  }

 private:
  void work() {
    uint64_t seen = 0;
    for (;;) {
      Job* job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        start_.wait(lock, [&] { return job_ != nullptr && generation_ != seen; });
        seen = generation_;
        job = job_;
        num_active_++;
      }
      job->run();
      std::lock_guard<std::mutex> lock(mutex_);
      if (--num_active_ == 0) {
        end_.notify_one();
      }
    }
  }

  int num_workers_ = 0;
  std::mutex callers_, mutex_;
  std::condition_variable start_, end_;
  Job* job_ = nullptr;
  uint64_t generation_ = 0;
  int num_active_ = 0;
};

int choose_num_threads() {
  if (const char* text = std::getenv("MEGABLOCKS_THREADS")) {
    const int wanted = std::atoi(text);
    if (wanted > 0) {
      return std::min(wanted, 1024);
    }
  }
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace

int num_threads() {
  static const int count = choose_num_threads();
  return count;
}

void parallel_for(int64_t count, const std::function<void(int64_t)>& f) {
  if (count <= 1 || in_task || num_threads() == 1) {
    for (int64_t i = 0; i < count; i++) {
      f(i);
    }
    return;
  }
  // Never destroyed: its threads may outlive main.
  static Pool& pool = *new Pool(num_threads());
  Job job(f, count);
  pool.run(job);
  if (job.error) {
    std::rethrow_exception(job.error);
  }
}

void parallel_ranges(
    int64_t size, int64_t grain, const std::function<void(int64_t, int64_t)>& f) {
  const int64_t most = std::max<int64_t>(1, size / std::max<int64_t>(1, grain));
  const int64_t count = std::min<int64_t>(most, 4 * num_threads());
  parallel_for(size > 0 ? count : 0, [&](int64_t i) {
    f(size * i / count, size * (i + 1) / count);
  });
}

}  // namespace megablocks
