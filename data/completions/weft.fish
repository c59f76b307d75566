# SPDX-License-Identifier: MIT
# fish completion for weft. Commands and options are what weft --help says, so this never goes stale.
function __weft_commands
    weft --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  *\(.*\)/\1\t\2/p'
end

function __weft_options
    set -l words (commandline -opc)
    weft $words[2] --help 2>/dev/null | grep -oE -- '(^|[[:space:]])--?[a-z][a-z-]*' | tr -d ' ' | sort -u
end

complete -c weft -n 'test (count (commandline -opc)) -eq 1' -f -a '(__weft_commands)'
complete -c weft -n 'test (count (commandline -opc)) -gt 1; and string match -q -- "-*" (commandline -ct)' -f -a '(__weft_options)'
