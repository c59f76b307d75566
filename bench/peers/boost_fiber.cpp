// SPDX-License-Identifier: MIT
// boost_fiber: what bench/sched measures, on Boost.Fiber with one thread: a yield between two fibers, a round trip over
// unbuffered channels, and starting and joining a fiber.
#include <boost/fiber/all.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

namespace fibers = boost::fibers;

static void yields(long n)
{
    fibers::fiber other([n] {
        for (long i = 0; i < n / 2; i++)
            boost::this_fiber::yield();
    });
    for (long i = 0; i < n / 2; i++)
        boost::this_fiber::yield();
    other.join();
}

static void round_trips(long n)
{
    fibers::unbuffered_channel<long> there, back;
    fibers::fiber other([&, n] {
        long value;
        for (long i = 0; i < n; i++) {
            there.pop(value);
            back.push(value);
        }
    });
    for (long i = 0; i < n; i++) {
        long value;
        there.push(i);
        back.pop(value);
    }
    other.join();
}

static void spawns(long n)
{
    while (n-- > 0)
        fibers::fiber([] {}).join();
}

static void print(const char *name, void (*fn)(long), long n)
{
    using clock = std::chrono::steady_clock;
    std::vector<double> ns;
    fn(n / 10);
    for (int i = 0; i < 7; i++) {
        auto begin = clock::now();
        fn(n);
        ns.push_back(std::chrono::duration<double, std::nano>(clock::now() - begin).count() / (double)n);
    }
    std::sort(ns.begin(), ns.end());
    std::printf("boost/%s %.4g ns\n", name, ns[ns.size() / 2]);
}

int main()
{
    print("gosched", yields, 200000);
    print("chan_pingpong", round_trips, 50000);
    print("spawn_join", spawns, 20000);
}
