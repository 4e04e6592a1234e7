/* Prints the sum of all parts and of the table, which `check` compares. */
#include "config.h"
#include "parts.h"
#ifdef HAVE_STDINT_H
#include <stdint.h>
#endif
#include <stdio.h>

int main(void) {
  int sum = 0;
  int squares = 0;
  for (int i = 0; i < partCount; i++) sum += partAt(i);
  for (int i = 0; i < tableLength; i++) squares += table[i];
  printf("%d %d\n", sum, squares);
  return 0;
}
