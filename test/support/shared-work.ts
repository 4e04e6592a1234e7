/**
 * Run as a program: works for a while in a folder that others work in, too. `shared-work.ts FOLDER NAME SEED SECONDS`. What is below "own NAME" nobody else touches, and is
 * told as JSON in the end: path and text of each file that must be there. In "shared" it makes, rewrites, renames and removes what anybody may.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Prng } from "../../src/base/prng.ts";

const [folder = "", name = "", seed = "1", seconds = "10"] = process.argv.slice(2);
const prng = new Prng(Number(seed));
const files = new Map<string, string>();
const own = `own ${name}`;
const pauseMsMax = 60;
/** Others may have moved or removed it meanwhile. */
const expected = ["ENOENT", "ESTALE", "EEXIST", "ENOTEMPTY", "ENOTDIR", "EISDIR"];
let step = 0;

function workOnOwn(): void {
  const paths = [...files.keys()];
  const text = `${name} ${step}\n`;
  const path = `${own}/${prng.int(0, 4)}/${step}`;
  if (paths.length === 0 || prng.chance(0.5)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
    files.set(path, text);
    return;
  }
  const chosen = prng.pick(paths);
  const before = files.get(chosen) ?? "";
  if (prng.chance(1 / 3)) {
    appendFileSync(join(folder, chosen), text);
    files.set(chosen, before + text);
  } else if (prng.chance(1 / 2)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    renameSync(join(folder, chosen), join(folder, path));
    files.delete(chosen);
    files.set(path, before);
  } else {
    rmSync(join(folder, chosen));
    files.delete(chosen);
  }
}

function workOnShared(): void {
  const at = (): string => join(folder, "shared", `${prng.int(0, 2)}`, `${prng.int(0, 5)}`);
  const acts = [
    (): void => {
      const path = at();
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, `${name} ${step}\n`);
    },
    () => appendFileSync(at(), `${name} ${step}\n`),
    () => renameSync(at(), at()),
    () => rmSync(at()),
    () => renameSync(join(at(), ".."), join(folder, "shared", `${prng.int(0, 2)}`)),
    () => void readdirSync(join(at(), "..")).map((each) => readFileSync(join(at(), "..", each))),
  ];
  try {
    prng.pick(acts)();
  } catch (thrown) {
    const { code = "" } = thrown as { code?: string };
    if (!expected.includes(code)) throw thrown;
  }
}

for (const endMs = Date.now() + Number(seconds) * 1000; Date.now() < endMs; step += 1) {
  if (prng.chance(0.6)) workOnOwn();
  else workOnShared();
  if (prng.chance(0.3)) await delay(prng.int(0, pauseMsMax));
}
console.log(JSON.stringify({ steps: step, files: [...files] }));
