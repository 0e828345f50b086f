# SPDX-License-Identifier: GPL-2.0
#
# What Documentation/scsi/scsi-multipath.rst shows, as lines: section, part (of a
# section), command or output, a byte 037, and the text.
#
# A command is a line of a literal block with the prompt "# "; what follows it, up
# to the next one, is its output.

function out(kind, text) { printf("%s\037%s\n", kind, text) }

/^===+$/ && last ~ /^[A-Za-z]/ { out("section", last) }
/^---+$/ && last ~ /^[A-Za-z]/ { out("part", last) }
{ indent = match($0, /[^ ]/) ? RSTART - 1 : -1 }
/^ +# / { block = indent; out("command", substr($0, indent + 3)); last = $0; next }
indent >= 0 && indent < block { block = 0 }
block && indent >= 0 { out("output", substr($0, block + 1)) }
{ last = $0 }
