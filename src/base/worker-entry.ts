/**
 * Where the code of a worker thread is: a `.worker.ts` in a checkout, JavaScript in the published package.
 *
 * Only `scripts/build.ts` and this file know both places. A worker is named by its path in `src/` without the
 * ending, and every worker is an entry point of the bundle under that name with `-` for `/`: the bundle is one
 * flat folder, so the way from any part of it to any other is the same, wherever the bundler put this function.
 */

/** @param name "store/ingest" for `src/store/ingest.worker.ts`. */
export function workerEntry(name: string): URL {
  const inCheckout = import.meta.url.endsWith(".ts");
  return inCheckout
    ? new URL(`../${name}.worker.ts`, import.meta.url)
    : new URL(`./${name.replaceAll("/", "-")}.worker.js`, import.meta.url);
}
