// SPDX-License-Identifier: MIT
/* weft/weft.hpp: channels, locks and goroutines from C++. Exits 0. */
#include <weft/weft.hpp>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <shared_mutex>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);         \
            std::abort();                                                                          \
        }                                                                                          \
    } while (0)

struct point {
    int x, y;
};

static void channels()
{
    weft::channel<point> points(1);
    CHECK(points.cap() == 1 && points.len() == 0);
    CHECK(weft::go([&] {
              for (int i = 0; i < 100; i++)
                  points.send({i, -i});
              points.close();
          }) == 0);
    int n = 0;
    while (auto p = points.recv()) {
        CHECK(p->x == n && p->y == -n);
        n++;
    }
    CHECK(n == 100);
    point p;
    CHECK(points.try_recv(p) < 0 && points.recv_until(p, 1) < 0);
}

static void select_cases()
{
    weft::channel<int> in(1), out(1);
    int value = 0;
    weft_select_case cases[] = {in.recv_case(value), out.send_case(5)};
    const int five = 5;
    cases[1] = out.send_case(five);
    CHECK(weft_select(cases, 2, WEFT_NEVER) == 1);
    CHECK(out.recv(value) == 0 && value == 5);
    CHECK(in.try_send(6) == 0 && in.send_until(7, 1) < 0);
    CHECK(weft_select(cases, 1, WEFT_NEVER) == 0 && value == 6);
}

static void locks()
{
    weft::mutex mutex;
    weft::shared_mutex shared;
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    long count = 0, seen = 0;
    weft_waitgroup_add(&group, 8);
    for (int k = 0; k < 8; k++)
        CHECK(weft::go([&] {
                  for (int i = 0; i < 1000; i++) {
                      std::lock_guard<weft::mutex> guard(mutex);
                      count++;
                  }
                  for (int i = 0; i < 100; i++) {
                      std::unique_lock<weft::shared_mutex> guard(shared);
                      seen++;
                  }
                  std::shared_lock<weft::shared_mutex> guard(shared);
                  CHECK(seen >= 100);
                  weft_waitgroup_done(&group);
              }) == 0);
    weft_waitgroup_wait(&group);
    CHECK(count == 8000 && seen == 800);
    CHECK(mutex.try_lock() && !mutex.try_lock());
    mutex.unlock();
}

int main()
{
    return weft::run([] {
        channels();
        select_cases();
        locks();
        return 0;
    });
}
