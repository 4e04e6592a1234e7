/* What the generated sources of the library define. */
enum { partCount = 12, tableLength = 10 };
extern const int table[tableLength];
int partAt(int index);
