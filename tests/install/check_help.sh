#!/bin/sh
# SPDX-License-Identifier: MIT
# check_help.sh WEFT TREE: the man page and the completions know the commands that weft --help lists.
set -eu
weft=$1 tree=$2
failed=0
complain() { echo "$*" >&2; failed=1; }

commands=$("$weft" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' | sort)
[ "$(echo "$commands" | wc -l)" -gt 5 ] || complain "weft --help lists only: $commands"
manual=$(sed -n 's/^\.SS \(.*\)/\1/p' "$tree/docs/man/weft.1" | tr -d '\\' | tr -s ', ' '\n\n' | sort)
for command in $commands; do
    echo "$manual" | grep -qx -- "$command" || complain "weft.1 has no section for $command"
    "$weft" "$command" --help | grep -q "^Usage: weft $command" || complain "no help for $command"
done
for section in $manual; do
    echo "$commands" | grep -qx -- "$section" || complain "weft.1 describes $section, which weft --help does not list"
done

# What a shell would offer; asked of bash where it is there, and of the others by their syntax.
path=$(dirname "$weft"):$PATH
if command -v bash >/dev/null; then
    offered=$(PATH=$path bash -c '. "$1"; COMP_WORDS=(weft ""); COMP_CWORD=1; _weft; printf "%s\n" "${COMPREPLY[@]}"' - \
        "$tree/data/completions/weft.bash" | grep -v '^-' | sort)
    [ "$offered" = "$commands" ] || complain "bash offers other commands: $offered"
    PATH=$path bash -c '. "$1"; COMP_WORDS=(weft query --sch); COMP_CWORD=2; _weft; printf "%s\n" "${COMPREPLY[@]}"' - \
        "$tree/data/completions/weft.bash" | grep -qx -- --schema || complain "bash does not complete weft query --sch"
else
    echo "no bash: its completion was NOT tested" >&2
fi
if command -v zsh >/dev/null; then
    zsh -n "$tree/data/completions/_weft" || complain "zsh does not take its completion"
fi
if command -v fish >/dev/null; then
    offered=$(PATH=$path fish -c "source $tree/data/completions/weft.fish; __weft_commands" | cut -f 1 | sort)
    [ "$offered" = "$commands" ] || complain "fish offers other commands: $offered"
fi
exit $failed
