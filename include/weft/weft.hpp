// SPDX-License-Identifier: MIT
/*
 * weft for C++17: what the C headers cannot say. Header only; everything of weft/weft.h is there as
 * well. Nothing here throws but std::bad_alloc, and no exception may leave a goroutine.
 */
#ifndef WEFT_WEFT_HPP
#define WEFT_WEFT_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include <weft/weft.h>

namespace weft
{

/* A channel of T; owns it. Results are those of weft/chan.h. */
template <class T> class channel
{
    static_assert(std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>,
                  "elements are copied as bytes");

  public:
    explicit channel(std::size_t capacity = 0) : chan_(weft_chan_new(sizeof(T), capacity))
    {
        if (!chan_)
            throw std::bad_alloc();
    }

    int send(const T &value)
    {
        return weft_chan_send(handle(), &value);
    }
    int try_send(const T &value)
    {
        return weft_chan_try_send(handle(), &value);
    }
    int send_until(const T &value, std::int64_t deadline)
    {
        return weft_chan_send_until(handle(), &value, deadline);
    }

    int recv(T &value)
    {
        return weft_chan_recv(handle(), &value);
    }
    int try_recv(T &value)
    {
        return weft_chan_try_recv(handle(), &value);
    }
    int recv_until(T &value, std::int64_t deadline)
    {
        return weft_chan_recv_until(handle(), &value, deadline);
    }
    /* The next element, or none: the channel is closed, or the caller's context has ended. */
    std::optional<T> recv()
    {
        T value;
        if (weft_chan_recv(handle(), &value) != 0)
            return std::nullopt;
        return value;
    }

    void close()
    {
        weft_chan_close(handle());
    }
    std::size_t len() const
    {
        return weft_chan_len(handle());
    }
    std::size_t cap() const
    {
        return weft_chan_cap(handle());
    }

    /* Cases for weft_select(). */
    weft_select_case send_case(const T &value) const
    {
        return {handle(), &value, nullptr, 0};
    }
    weft_select_case recv_case(T &value) const
    {
        return {handle(), nullptr, &value, 0};
    }

    weft_chan *handle() const
    {
        return chan_.get();
    }

  private:
    struct free_chan {
        void operator()(weft_chan *chan) const
        {
            weft_chan_free(chan);
        }
    };
    std::unique_ptr<weft_chan, free_chan> chan_;
};

/* For std::lock_guard, std::unique_lock, std::scoped_lock. */
class mutex
{
  public:
    mutex() = default;
    mutex(const mutex &) = delete;
    mutex &operator=(const mutex &) = delete;

    void lock()
    {
        weft_mutex_lock(&mutex_);
    }
    bool try_lock()
    {
        return weft_mutex_trylock(&mutex_) != 0;
    }
    void unlock()
    {
        weft_mutex_unlock(&mutex_);
    }
    weft_mutex *handle()
    {
        return &mutex_;
    }

  private:
    weft_mutex mutex_ = WEFT_MUTEX_INIT;
};

/* For std::shared_lock as well. */
class shared_mutex
{
  public:
    shared_mutex() = default;
    shared_mutex(const shared_mutex &) = delete;
    shared_mutex &operator=(const shared_mutex &) = delete;

    void lock()
    {
        weft_rwmutex_wrlock(&rw_);
    }
    bool try_lock()
    {
        return weft_rwmutex_try_wrlock(&rw_) != 0;
    }
    void unlock()
    {
        weft_rwmutex_wrunlock(&rw_);
    }
    void lock_shared()
    {
        weft_rwmutex_rdlock(&rw_);
    }
    bool try_lock_shared()
    {
        return weft_rwmutex_try_rdlock(&rw_) != 0;
    }
    void unlock_shared()
    {
        weft_rwmutex_rdunlock(&rw_);
    }

  private:
    weft_rwmutex rw_ = WEFT_RWMUTEX_INIT;
};

/* Runs a copy of f() as a new goroutine. 0, -ENOMEM, -EPERM. */
template <class F> int go(F &&f)
{
    using function = std::decay_t<F>;
    auto copy = std::make_unique<function>(std::forward<F>(f));
    int error = weft_go(
        [](void *arg) {
            std::unique_ptr<function> call(static_cast<function *>(arg));
            (*call)();
        },
        copy.get());
    if (error == 0)
        copy.release();
    return error;
}

/* Starts the runtime with f() as the main goroutine; see weft_run(). */
template <class F> int run(F &&f, const weft_options *options = nullptr)
{
    using function = std::remove_reference_t<F>;
    return weft_run(
        options, [](void *arg) -> int { return (*static_cast<function *>(arg))(); },
        const_cast<void *>(static_cast<const void *>(std::addressof(f))));
}

} // namespace weft

#endif
