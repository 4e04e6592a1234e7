# Writes the source of the table of squares, and what leads to the parts.
echo '#include "parts.h"'
echo 'const int table[tableLength] = {'
i=0
while [ $i -lt 10 ]; do
  echo "$((i * i)),"
  i=$((i + 1))
done
echo '};'
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "int part$i(void);"; done
echo 'static int (*const parts[partCount])(void) = {'
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "part$i,"; done
echo '};'
echo 'int partAt(int index) { return parts[index](); }'
