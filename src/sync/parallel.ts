/** Several things at once, but not too many. */

/**
 * Does `body` for every item, `limit` at a time, begun in their order. After a failure no more are begun.
 * @throws The first failure, when all that were begun have ended.
 */
export async function forEachParallel<T>(
  items: Iterable<T>,
  limit: number,
  body: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failure: { readonly thrown: unknown } | undefined;
  async function work(): Promise<void> {
    while (failure === undefined) {
      const next = iterator.next();
      if (next.done === true) return;
      try {
        await body(next.value);
      } catch (thrown) {
        failure ??= { thrown };
      }
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, limit) }, work));
  if (failure !== undefined) throw failure.thrown;
}
