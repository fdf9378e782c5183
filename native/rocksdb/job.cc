// See job.h. Completions run on the main thread.
#include "job.h"
#include <cstdlib>

Database &Handle::open() const {
  if (database == nullptr) throw Refusal{"closed", "the database is closed"};
  return *database;
}

static void execute(napi_env, void *data) {
  auto *job = static_cast<Job *>(data);
  try {
    job->run();
  } catch (const Refusal &refusal) {
    job->refusal = refusal;
  } catch (const std::exception &error) {
    job->refusal = Refusal{"io", error.what()};
  }
}

static napi_value undefined(napi_env env) {
  napi_value result = nullptr;
  napi_get_undefined(env, &result);
  return result;
}

static void queue(napi_env env, Job *job) {
  if (napi_queue_async_work(env, job->work) != napi_ok) std::abort();
}

static void complete(napi_env env, napi_status status, void *data) {
  std::unique_ptr<Job> job(static_cast<Job *>(data));
  const std::shared_ptr<Handle> handle = job->handle;
  // When node ends, nobody is left to hear results.
  if (status == napi_cancelled) job->refusal = Refusal{"closed", "interrupted"};
  if (job->refusal) napi_reject_deferred(env, job->deferred, error_of(env, *job->refusal));
  else napi_resolve_deferred(env, job->deferred, job->result ? job->result(env) : undefined(env));
  napi_delete_async_work(env, job->work);
  if (handle == nullptr) return;
  handle->running--;
  if (!handle->writes.empty() && handle->writes.front() == job.get()) {
    handle->writes.pop_front();
    if (!handle->writes.empty()) queue(env, handle->writes.front());
  }
  if (handle->running == 0 && handle->closing != nullptr) {
    queue(env, handle->closing);
    handle->closing = nullptr;
  }
}

static napi_value prepare(napi_env env, Job *job) {
  napi_value promise = nullptr;
  const napi_value name = text(env, "avfs:rocksdb");
  if (napi_create_promise(env, &job->deferred, &promise) != napi_ok ||
      napi_create_async_work(env, nullptr, name, execute, complete, job, &job->work) != napi_ok) {
    delete job;
    throw std::runtime_error("no thread can be asked");
  }
  return promise;
}

napi_value start(napi_env env, Job *job) {
  const napi_value promise = prepare(env, job);
  if (job->handle != nullptr) job->handle->running++;
  queue(env, job);
  return promise;
}

napi_value start_write(napi_env env, Job *job) {
  const napi_value promise = prepare(env, job);
  job->handle->running++;
  job->handle->writes.push_back(job);
  if (job->handle->writes.size() == 1) queue(env, job);
  return promise;
}

napi_value start_last(napi_env env, Handle *handle, Job *job) {
  const napi_value promise = prepare(env, job);
  if (handle->running == 0) queue(env, job);
  else handle->closing = job;
  return promise;
}
