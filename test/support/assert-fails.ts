/** Asserting which errno a call fails with. */
import assert from "node:assert/strict";

export async function assertFails(code: string, call: Promise<unknown>): Promise<void> {
  const outcome = await call.then(
    () => "it succeeded",
    (thrown: unknown) => (thrown as NodeJS.ErrnoException).code ?? String(thrown),
  );
  assert.equal(outcome, code);
}
