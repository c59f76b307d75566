# SPDX-License-Identifier: MIT
# bash completion for weft. Commands and options are what weft --help says, so this never goes stale.
_weft() {
    local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        local commands
        commands=$("${COMP_WORDS[0]}" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$current")
    elif [[ $current == -* ]]; then
        local options
        options=$("${COMP_WORDS[0]}" "$command" --help 2>/dev/null | grep -oE -- '(^|[[:space:]])--?[a-z][a-z-]*' | tr -d ' ')
        mapfile -t COMPREPLY < <(compgen -W "$options --help" -- "$current")
    fi
}
complete -o default -F _weft weft
