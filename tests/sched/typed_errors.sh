#!/bin/sh
# SPDX-License-Identifier: MIT
# typed_errors.sh INCLUDE CC: what weft/chan_typed.h must refuse does not compile, even without any
# warning switched on; what differs from it by the right type does.
set -eu
include=$1 cc=$2
status=0

# compiles STATEMENT
compiles() {
    printf '%s\n' '#include <weft/chan_typed.h>' 'struct a { int x; }; struct b { int x; };' \
        'typedef WEFT_CHAN(struct a) a_chan; typedef WEFT_CHAN(long) long_chan;' \
        'typedef WEFT_CHAN(int *) pointer_chan;' \
        'void f(a_chan ac, long_chan lc, pointer_chan pc, struct a a, struct b b, long l, int i, char *c);' \
        'void f(a_chan ac, long_chan lc, pointer_chan pc, struct a a, struct b b, long l, int i, char *c)' \
        "{ (void)ac; (void)lc; (void)pc; (void)a; (void)b; (void)l; (void)i; (void)c; $1; }" |
        "$cc" -std=c11 -w -fsyntax-only -I"$include" -x c - 2>/dev/null
}

accept() {
    compiles "$1" || { echo "refused: $1" >&2; status=1; }
}

refuse() {
    ! compiles "$1" || { echo "accepted: $1" >&2; status=1; }
}

accept 'WEFT_SEND(ac, a)'
refuse 'WEFT_SEND(ac, b)'
refuse 'WEFT_SEND(ac, &a)'
refuse 'WEFT_SEND(ac, 1)'
accept 'WEFT_SEND(lc, i)'
refuse 'WEFT_SEND(lc, c)'
refuse 'WEFT_SEND(lc, a)'
accept 'WEFT_SEND(pc, &i)'
refuse 'WEFT_SEND(pc, c)'
refuse 'WEFT_SEND(pc, i)'
refuse 'WEFT_SEND(pc, &l)'
refuse 'WEFT_TRY_SEND(lc, c)'
refuse 'WEFT_SEND_UNTIL(lc, c, 0)'
accept 'WEFT_RECV(lc, &l)'
accept 'WEFT_RECV(lc, (void *)0)'
refuse 'WEFT_RECV(lc, &i)'
refuse 'WEFT_RECV(lc, l)'
refuse 'WEFT_TRY_RECV(ac, &b)'
refuse 'WEFT_RECV_UNTIL(ac, &b, 0)'
accept 'weft_select_case s = WEFT_CASE_RECV(lc, &l); (void)s'
refuse 'weft_select_case s = WEFT_CASE_RECV(lc, &i); (void)s'
refuse 'weft_select_case s = WEFT_CASE_SEND(ac, &b); (void)s'
exit $status
