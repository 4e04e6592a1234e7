# Writes the source of a part: its number is the argument.
printf '/* Generated. */\nint part%d(void) { return %d; }\n' "$1" "$1"
