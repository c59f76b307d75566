/* SPDX-License-Identifier: MIT */
/* Addresses as text. */
#include "base/cmocka_all.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "sched/net_address.h"

static void good_addresses_are_read(void **state)
{
    static const struct {
        const char *text, *host;
        int family, port;
        bool wildcard;
    } good[] = {
        {"127.0.0.1:6379", "127.0.0.1", AF_INET, 6379, false},
        {"0.0.0.0:0", "0.0.0.0", AF_INET, 0, false},
        {"255.255.255.255:65535", "255.255.255.255", AF_INET, 65535, false},
        {"1.2.3.4:00080", "1.2.3.4", AF_INET, 80, false},
        {"[::1]:6379", "::1", AF_INET6, 6379, false},
        {"[::]:0", "::", AF_INET6, 0, false},
        {"[2001:db8::ff00:42:8329]:443", "2001:db8::ff00:42:8329", AF_INET6, 443, false},
        {"[::ffff:1.2.3.4]:1", "::ffff:1.2.3.4", AF_INET6, 1, false},
        {":6379", "::", AF_INET6, 6379, true},
        {":0", "::", AF_INET6, 0, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct net_address a;
        char host[INET6_ADDRSTRLEN];
        if (net_address_parse(good[i].text, &a) != 0)
            fail_msg("%s was refused", good[i].text);
        bool v6 = good[i].family == AF_INET6;
        assert_int_equal(a.sock.any.sa_family, good[i].family);
        assert_int_equal(ntohs(v6 ? a.sock.v6.sin6_port : a.sock.v4.sin_port), good[i].port);
        assert_int_equal(a.size, v6 ? sizeof a.sock.v6 : sizeof a.sock.v4);
        inet_ntop(good[i].family, v6 ? (void *)&a.sock.v6.sin6_addr : (void *)&a.sock.v4.sin_addr,
                  host, sizeof host);
        assert_string_equal(host, good[i].host);
        assert_int_equal(a.wildcard, good[i].wildcard);
    }
}

static void bad_addresses_are_refused(void **state)
{
    static const char *const bad[] = {
        NULL,
        "",
        ":",
        "80",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1: 80",
        "127.0.0.1:80 ",
        " 127.0.0.1:80",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999999999999",
        "127.0.0.1:0x50",
        "127.0.0.1:http",
        "127.0.0.256:80",
        "127.1:80",
        "localhost:80",
        "::1:80",
        "::1",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "::1]:80",
        "[]:80",
        "[127.0.0.1]:80",
        "[[::1]]:80",
        "[::1%]:80",
        "[::1%no-such-if0]:80",
        "[::1%4294967296]:80",
        "[:]:80",
        "*:80",
        "[1:2:3:4:5:6:7:8:9]:80",
        "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111:80",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct net_address a;
        if (net_address_parse(bad[i], &a) != -EINVAL)
            fail_msg("%s was taken", bad[i] ? bad[i] : "NULL");
    }
}

static void a_zone_is_a_number_or_an_interface(void **state)
{
    struct net_address a;
    (void)state;
    assert_int_equal(net_address_parse("[fe80::1%7]:80", &a), 0);
    assert_int_equal(a.sock.v6.sin6_scope_id, 7);
    if (if_nametoindex("lo") == 0)
        return;
    assert_int_equal(net_address_parse("[fe80::1%lo]:80", &a), 0);
    assert_int_equal(a.sock.v6.sin6_scope_id, if_nametoindex("lo"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses_are_read),
        cmocka_unit_test(bad_addresses_are_refused),
        cmocka_unit_test(a_zone_is_a_number_or_an_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
