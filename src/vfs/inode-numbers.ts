/**
 * Which inode number everything in a live filesystem has, over all its mounts. A file of the folder has the folder's number of its own, a node of the tree one made
 * of its id (node-number.ts); what becomes real or unreal takes along the number it had, and that is noted (`NumberStore`). Nothing gets its own number as long
 * as that is noted of something else: it gets another one, noted as well. So no two things have one number, and all keep theirs.
 *
 * A file is known by its inode and the time of its birth, so that another one with the same inode is not taken for it. Of files on other devices than the folder's,
 * and of inodes of more than 52 bits, nothing is noted.
 */
import { equalBytes } from "../base/bytes.ts";
import type { Entry } from "../format/mod.ts";
import { folderNumbersBelow, type NodeNumber, numberOfDot, numberOfText } from "./node-number.ts";

export interface NumberRow extends NodeNumber {
  /** A file or a node, as bytes. */
  readonly thing: Uint8Array;
}

/** Where numbers are noted that are not the things' own. */
export interface NumberStore {
  hasNumbers(): boolean;
  /** The row of a thing, and that of what has a number. */
  numberRows(thing: Uint8Array, number: number): readonly NumberRow[];
  setNumber(row: NumberRow): void;
  deleteNumber(thing: Uint8Array): void;
}

/** What has a number. */
export interface Numbered {
  readonly thing: Uint8Array;
  readonly own: NodeNumber;
}

export interface FileIdentity {
  readonly inode: bigint;
  /** As `birthMarkOf` says. */
  readonly birth: number;
}

/** A number of the upper half, from any. */
export function upperNumber(number: number): number {
  return folderNumbersBelow + (number % folderNumbersBelow);
}

/** All names of one file are one thing. */
export function numberedNode({ id, meta }: Entry): Numbered {
  const { clock, writer, counter } = meta.link ?? id;
  const thing = new Uint8Array(20);
  const view = new DataView(thing.buffer);
  view.setBigUint64(0, clock);
  view.setBigUint64(8, writer);
  view.setUint32(16, counter);
  const { number, generation } = numberOfDot({ clock, writer, counter }, 0);
  return { thing, own: { number: upperNumber(number), generation } };
}

/** Undefined of an inode that has no number of its own. */
export function numberedFile({ inode, birth }: FileIdentity): Numbered | undefined {
  if (inode <= 1n || inode >= BigInt(folderNumbersBelow)) return undefined;
  const number = Number(inode);
  const thing = new Uint8Array(12);
  // By hand: this is done for every file that is made in a mount, and a view would take memory beside the heap.
  [Math.floor(number / 2 ** 32), number, birth].forEach((word, at) => {
    for (let byte = 0; byte < 4; byte += 1) thing[at * 4 + byte] = word >>> (24 - byte * 8);
  });
  return { thing, own: { number, generation: birth >>> 1 } };
}

export class InodeNumbers {
  readonly #store: NumberStore;
  /** What is to be noted, by thing; undefined: nothing any more. */
  readonly #pending = new Map<string, { readonly thing: Uint8Array; readonly row: NumberRow | undefined }>();
  readonly #pendingByNumber = new Map<number, NumberRow>();
  #hasNumbers: boolean;

  constructor(store: NumberStore) {
    this.#store = store;
    this.#hasNumbers = store.hasNumbers();
  }

  /** Another process, or somebody else here, may have noted something. */
  look(): void {
    this.#hasNumbers = this.#store.hasNumbers();
  }

  of({ thing, own }: Numbered): NodeNumber {
    const { noted, isFree } = this.#find(thing, own.number);
    if (noted !== undefined) return noted;
    return isFree ? own : this.#other({ thing, own });
  }

  /** As `of`, and notes it where it is not the thing's own. */
  settle(numbered: Numbered): NodeNumber {
    const number = this.of(numbered);
    if (number.number !== numbered.own.number && this.#find(numbered.thing, number.number).noted === undefined)
      this.#set(numbered, number);
    return number;
  }

  /** A node is a file from now on, whatever number that had until now. */
  becameReal(node: Numbered, file: Numbered): void {
    this.#move(node, file);
  }

  /** A file, by all its names, is a node from now on. */
  becameUnreal(file: Numbered, node: Numbered): void {
    this.#move(file, node);
  }

  get isPending(): boolean {
    return this.#pending.size > 0;
  }

  /** Notes what is to be noted, for good. In a transaction of the caller, that must not fail after it. */
  flush(): void {
    const changes = [...this.#pending.values()];
    for (const { thing, row } of changes) if (row === undefined) this.#store.deleteNumber(thing);
    for (const { row } of changes) {
      if (row === undefined) continue;
      // Somebody else may have noted the number meanwhile, and keeps it.
      const isFree = this.#store.numberRows(row.thing, row.number).every(({ thing }) => equalBytes(thing, row.thing));
      if (isFree) this.#store.setNumber(row);
    }
    this.#pending.clear();
    this.#pendingByNumber.clear();
    if (changes.length > 0) this.look();
  }

  #move(from: Numbered, to: Numbered): void {
    const number = this.of(from);
    this.#set(from, undefined);
    const isOwn = number.number === to.own.number && number.generation === to.own.generation;
    this.#set(to, isOwn ? undefined : number);
  }

  #set({ thing }: Numbered, number: NodeNumber | undefined): void {
    const key = keyOf(thing);
    const before = this.#pending.get(key)?.row;
    if (before !== undefined) this.#pendingByNumber.delete(before.number);
    const row = number === undefined ? undefined : { thing, number: number.number, generation: number.generation };
    this.#pending.set(key, { thing, row });
    if (row !== undefined) this.#pendingByNumber.set(row.number, row);
  }

  /** What is noted of a thing, and what has a number: free if that is nothing else. */
  #find(
    thing: Uint8Array,
    number: number,
  ): { readonly noted: NumberRow | undefined; readonly holder: NumberRow | undefined; readonly isFree: boolean } {
    if (!this.#hasNumbers && this.#pending.size === 0) return { noted: undefined, holder: undefined, isFree: true };
    const pending = this.#pending.get(keyOf(thing));
    const stored = (this.#hasNumbers ? this.#store.numberRows(thing, number) : []).filter(
      (row) => !this.#pending.has(keyOf(row.thing)),
    );
    const noted = pending === undefined ? stored.find((row) => equalBytes(row.thing, thing)) : pending.row;
    const holder = this.#pendingByNumber.get(number) ?? stored.find((row) => row.number === number);
    return { noted, holder, isFree: holder === undefined || equalBytes(holder.thing, thing) };
  }

  /** For what cannot have its own. */
  #other({ thing, own }: Numbered): NodeNumber {
    const { generation } = own;
    for (let number = upperNumber(numberOfText(keyOf(thing)).number); ; number = upperNumber(number + 1))
      if (this.#find(thing, number).isFree) return { number, generation };
  }
}

function keyOf(thing: Uint8Array): string {
  return Buffer.from(thing.buffer, thing.byteOffset, thing.length).toString("latin1");
}
