/** Making one symlink or special file of a checkout, and setting the attributes of what is there. */
import { errnoOf, OuroError } from "../base/errors.ts";
import { type Entry, kinds, listXattrs } from "../format/mod.ts";
import type { MetaSource } from "../store/mod.ts";
import {
  type Attributes,
  type CheckoutPlace,
  setAttributes,
  setsRootsXattrs,
  temporaryName,
  tryOwner,
} from "./checkout-file.ts";
import { isRootsXattr } from "./kept-xattrs.ts";

export class EntryMaker {
  readonly #place: CheckoutPlace;
  readonly #source: MetaSource;

  constructor(place: CheckoutPlace, source: MetaSource) {
    this.#place = place;
    this.#source = source;
  }

  /** Makes a symlink, fifo, socket or device node, replacing a file of that name in a live folder. @throws Error with `code`. */
  make(directory: number, name: Uint8Array, entry: Entry): void {
    const { writer, moving } = this.#place;
    const [where, as] = moving === undefined ? [directory, name] : [moving, temporaryName(this.#place)];
    const { value } = entry.data[0];
    if (value.kind === kinds.symlink) writer.makeSymlink(where, as, value.target);
    else if (value.kind === kinds.fifo || value.kind === kinds.socket)
      writer.makeSpecial(where, as, { kind: value.kind === kinds.fifo ? "fifo" : "socket", major: 0, minor: 0 });
    else if (value.kind === kinds.character || value.kind === kinds.block)
      writer.makeSpecial(where, as, { ...value, kind: value.kind === kinds.character ? "character" : "block" });
    try {
      this.setAttributesOfOther(where, as, entry);
      if (moving !== undefined) writer.rename(where, as, directory, name);
    } catch (thrown) {
      writer.unlink(where, as);
      throw thrown;
    }
  }

  /** Makes a directory, unless it is there. @param options.replaces Whether a file of that name goes. @throws Error with `code`. */
  makeDirectory(directory: number, name: Uint8Array, { replaces }: { readonly replaces: boolean }): void {
    const { writer } = this.#place;
    try {
      writer.makeDirectory(directory, name);
    } catch (thrown) {
      if (errnoOf(thrown) !== "EEXIST") throw thrown;
      if (writer.find(directory, name)?.kind === "directory") return;
      if (!replaces) throw thrown;
      writer.unlink(directory, name);
      writer.makeDirectory(directory, name);
    }
  }

  /** Removes an empty directory in whose place something else is to be. @throws OuroError "not-empty" when there is something in it. */
  clearWay(directory: number, name: Uint8Array): void {
    try {
      this.#place.writer.removeDirectory(directory, name);
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === "ENOTEMPTY" || errno === "EEXIST" || errno === "EBUSY")
        throw new OuroError("not-empty", "left alone, for a folder with files in it is in its place", {
          cause: thrown,
        });
      if (errno === undefined) throw thrown;
      // What is no directory, or not there, or has no legal name here: making it tells.
    }
  }

  /** Of a file that stays as it is otherwise. */
  setAttributesOfFile(directory: number, name: Uint8Array, entry: Entry): void {
    const fd = this.#place.writer.openFile(directory, name);
    try {
      setAttributes(this.#place, fd, this.attributes(entry));
    } finally {
      this.#place.writer.close(fd);
    }
  }

  /** Of symlinks, which have no mode of their own, and special files, which are not opened. */
  setAttributesOfOther(directory: number, name: Uint8Array, entry: Entry): void {
    const { writer, setsOwner } = this.#place;
    const { mode, uid, gid, mtimeNs, xattrs } = this.attributes(entry);
    if (setsOwner) tryOwner(() => writer.setOwnerOf(directory, name, uid, gid));
    for (const xattr of xattrs) {
      if (setsRootsXattrs(this.#place) || !isRootsXattr(xattr.name))
        writer.setXattrOf(directory, name, xattr.name, xattr.value);
    }
    if (entry.kind !== kinds.symlink) writer.setModeOf(directory, name, mode);
    writer.setTimeOf(directory, name, mtimeNs);
  }

  /** Makes an open directory's attributes just those of its entry. */
  setAttributesOfDirectory(fd: number, entry: Entry): void {
    const attributes = this.attributes(entry);
    const kept = new Set(attributes.xattrs.map(({ name }) => Buffer.from(name).toString("latin1")));
    for (const { name } of this.#place.writer.listXattrs(fd)) {
      if (!kept.has(Buffer.from(name).toString("latin1"))) this.#place.writer.removeXattr(fd, name);
    }
    setAttributes(this.#place, fd, attributes);
  }

  /** What making things in an open directory has changed of its own. */
  setModeAndTime(fd: number, { meta, mtimeNs }: Entry): void {
    this.#place.writer.setMode(fd, meta.mode);
    this.#place.writer.setTime(fd, mtimeNs);
  }

  attributes({ meta, mtimeNs }: Entry): Attributes {
    const xattrs = listXattrs(meta.xattrs, (hash) => this.#source.getMeta(hash, "xattrs"));
    return { mode: meta.mode, uid: meta.uid, gid: meta.gid, mtimeNs, xattrs };
  }
}
