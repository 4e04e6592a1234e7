/** Open directories along a path: each is opened once, whatever the depth, and no more than a few stay open. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../base/bytes.ts";
import { FolderPaths } from "./folder-paths.ts";
import { type FolderWriter, posixWriter } from "./folder-writer.ts";

/** Descriptors are numbers of paths below the root; what is opened is counted by the names on the way. */
class CountingWriter {
  readonly paths: string[] = [""];
  readonly open = new Set<number>();
  names = 0;
  readonly writer: FolderWriter = {
    ...posixWriter,
    openDirectory: (from, path) => {
      const text = new TextDecoder().decode(path);
      this.names += text.split("/").length;
      this.paths.push([this.paths[from], text].filter((each) => each !== "").join("/"));
      this.open.add(this.paths.length - 1);
      return this.paths.length - 1;
    },
    close: (fd) => {
      assert(this.open.delete(fd));
    },
  };
}

function chain(depth: number): string {
  return Array.from({ length: depth }, (_, index) => `d${index}`).join("/");
}

test("the directories of a deep tree are opened one from another, down and up again", () => {
  const counting = new CountingWriter();
  const paths = new FolderPaths(counting.writer, 0);
  const depths = Array.from({ length: 1000 }, (_, index) => index + 1);
  for (const depth of depths) assert.equal(counting.paths[paths.open(utf8(chain(depth)))], chain(depth));
  assert.equal(counting.names, 1000);
  for (const depth of depths.toReversed()) assert.equal(counting.paths[paths.open(utf8(chain(depth)))], chain(depth));
  assert(counting.names < 30_000, `${counting.names} names were looked up`);
  assert(counting.open.size <= 64);
  paths.close();
  assert.equal(counting.open.size, 0);
});

test("a directory in use stays open while its many children are opened", () => {
  const counting = new CountingWriter();
  const paths = new FolderPaths(counting.writer, 0);
  for (let child = 0; child < 500; child += 1) paths.open(utf8(`parent/${child}`));
  assert.equal(counting.paths.filter((path) => path === "parent").length, 1);
  paths.forget();
  assert.equal(counting.paths[paths.open(utf8("parent/7"))], "parent/7");
});
