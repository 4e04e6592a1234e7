/**
 * Examining what a scan found changed or new: reads it, and says in the order of the tree what each name's entry is now.
 *
 * Names are walked ahead of the reading: files go to the ingest in batches, several in flight, and a visitor is told of every
 * name in order when its turn has come. So a million new files pass through in bounded memory. Renamed files keep their entry's id: found by
 * inode, else by equal content. A file that cannot be read is left as in the last commit, with a warning.
 */
import { isKind, OuroError } from "../base/errors.ts";
import { close, type FileStat } from "../base/posix.ts";
import { buildContent, type Content, type Dot, dotKey, type Entry, kinds, rootId, type Value } from "../format/mod.ts";
import { directoryOf, splitPath } from "../history/mod.ts";
import { tellEmptied } from "./emptied.ts";
import { changedEntry, type EntryDraft, kindOfStat, newDraft, newEntry, type Observed } from "./entry-of-file.ts";
import type { ExamineOptions, Frame, Identity, Known, Place } from "./examination.ts";
import type { DirectoryScan, NameChange } from "./folder-scanner.ts";
import type { DirectoryVisit, FolderVisitor } from "./folder-visitor.ts";
import { below, FolderWalk, latin, openDirectory } from "./folder-walk.ts";
import { IngestQueue, type Slot } from "./ingest-queue.ts";
import { type ListedName, Observer } from "./observer.ts";
import { recordOfEntry } from "./row-of-tree.ts";
import { recordFlags, type ScanRecord } from "./scan-row.ts";
import { type LinkedFile, linkKey } from "./survey.ts";
import { noUnit, UnitsOfTree, unitIn } from "./units.ts";

/** Longer paths are opened through a descriptor of their directory. */
const pathBytesMax = 3800;
const nothing: Identity = { known: undefined, replaced: undefined };

/** @returns Whether something could not be read. @throws OuroError "aborted", and whatever the ingest fails with. */
export async function examineFolder(options: ExamineOptions, visitor: FolderVisitor): Promise<{ isPartial: boolean }> {
  return await new Examination(options, visitor).run();
}

class Examination {
  readonly #options: ExamineOptions;
  readonly #visitor: FolderVisitor;
  readonly #queue: IngestQueue;
  readonly #observer: Observer;
  /** Descriptors of deep directories, by the prefix that leads through them. */
  readonly #held = new Map<Buffer, number>();
  /** The first reading of a file with several names. */
  readonly #slots = new WeakMap<LinkedFile, Slot>();
  readonly #units: UnitsOfTree;

  constructor(options: ExamineOptions, visitor: FolderVisitor) {
    this.#options = options;
    this.#units = new UnitsOfTree(options.reader, options.tree);
    this.#visitor = visitor;
    this.#queue = new IngestQueue(options.ingest);
    this.#observer = new Observer(options.root, options.sureBeforeNs, options.warn);
  }

  async run(): Promise<{ isPartial: boolean }> {
    try {
      await this.#walk();
      await this.#queue.finish();
      return { isPartial: this.#observer.isPartial };
    } finally {
      for (const fd of this.#held.values()) close(fd);
    }
  }

  async #walk(): Promise<void> {
    const { root, signal } = this.#options;
    using walk = new FolderWalk(root);
    const frames = [this.#rootFrame()];
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const index = frame.next;
      frame.next += 1;
      const [change, listed] = [frame.changes[index], frame.names[index]];
      let child: Frame | undefined;
      if (change !== undefined) child = this.#change(walk, frame, change);
      else if (listed !== undefined) child = this.#listed(walk, frame, listed);
      else {
        frames.pop();
        this.#leave(frame);
        if (frames.length > 0) walk.leave();
      }
      if (child !== undefined) frames.push(child);
      if (this.#queue.isFull) await this.#queue.drain();
      if (signal?.aborted === true) throw new OuroError("aborted", "Interrupted");
    }
  }

  #rootFrame(): Frame {
    const { tree, scan, context, filter, rootPath, reader } = this.#options;
    const { root, rootStat: stat } = scan;
    const { device } = stat;
    const prefix = Buffer.concat([rootPath, Buffer.from("/")]);
    const isChosen = filter === undefined || filter.match(new Uint8Array()) === "chosen";
    const xattrs = this.#observer.xattrs("", prefix);
    const observed: Observed = { name: "", stat, xattrs, value: undefined };
    let draft: EntryDraft;
    let isEdited = tree === undefined;
    if (tree === undefined) {
      const dot: Dot = { ...context.event, counter: 0 };
      draft = { ...newDraft(context, observed, rootId), metaDot: dot, mtimeDot: dot };
    } else if (isChosen) {
      const { row, at } = root.record;
      const record = at < 0 ? recordOfEntry(reader, tree) : row.record(at);
      ({ entry: draft, isEdited } = changedEntry(context, tree, record, observed, false));
    } else draft = tree;
    const record = isChosen ? this.#observer.record(stat, "", xattrs, { id: rootId, device }) : undefined;
    const changes = root.changes.size;
    const place = { path: "", name: "", oldPath: undefined, replaced: undefined, row: root.row, device };
    this.#enter({ ...place, draft, before: tree, isEdited, record, changes, isAbove: false });
    return this.#trackedFrame("", prefix, device, root, { before: tree, unit: noUnit });
  }

  #trackedFrame(
    path: string,
    prefix: Buffer,
    device: bigint,
    scan: DirectoryScan,
    { before, unit }: { readonly before: Entry | undefined; readonly unit: string },
  ): Frame {
    const changes = [...scan.changes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const value = before === undefined ? undefined : directoryOf(before);
    return { path, prefix, device, scan, value, changes, names: [], rules: undefined, unit, next: 0 };
  }

  #enter(visit: DirectoryVisit): void {
    this.#queue.push(() => this.#visitor.enter(visit));
  }

  #leave({ prefix }: Frame): void {
    this.#queue.push(() => {
      this.#visitor.leave();
      const held = this.#held.get(prefix);
      if (held === undefined) return;
      this.#held.delete(prefix);
      close(held);
    });
  }

  /** A name of a directory of the tree. @returns The directory to go into. */
  #change(walk: FolderWalk, frame: Frame, { name, type, at, scan: inner }: NameChange): Frame | undefined {
    const scan = frame.scan as DirectoryScan;
    const path = below(frame.path, name);
    if (type === "gone") {
      const oldPath = below(scan.oldPath, name);
      this.#queue.push(() => this.#visitor.remove(oldPath, name));
      return undefined;
    }
    if (type === "emptied" && inner !== undefined) {
      const { reader, tree, filter } = this.#options;
      for (const tell of tellEmptied({ reader, tree, filter, device: frame.device }, { path, name, scan: inner }))
        this.#queue.push(() => tell(this.#visitor));
      return undefined;
    }
    const stat = this.#observer.stat(walk, path, name);
    const inTree = frame.value === undefined ? undefined : this.#options.reader.find(frame.value, latin(name));
    const lastInode = at < 0 ? 0n : scan.row.inode(at);
    if (stat === undefined) {
      const isLeft = this.#isLeft({ replaced: inTree, lastInode });
      if (isLeft) this.#queue.push(() => this.#visitor.remove(below(scan.oldPath, name), name));
      return undefined;
    }
    const place: Place = { walk, frame, path, name, stat };
    if (inner !== undefined)
      return this.#knownDirectory(place, inner, type === "inside", type === "moved" ? inTree : undefined);
    const isSameKind = inTree?.kind === kindOfStat(stat);
    // New in the folder but in the tree: its row is not of this tree. A row's "new" beside a record is another node.
    const isSame = isSameKind && (type === "changed" || (at < 0 && stat.kind !== "directory"));
    if (!isSame) return this.#name(place, { known: undefined, replaced: inTree, lastInode });
    const record = type === "changed" ? scan.row.record(at) : recordOfEntry(this.#options.reader, inTree);
    if (stat.kind !== "directory" && record.inode !== 0n && record.inode !== stat.inode) {
      const moved = this.#found(frame, this.#options.vanished.takeByInode(stat));
      const isElsewhere = this.#options.vanished.isReserved(record.inode);
      if (moved !== undefined || isElsewhere) return this.#name(place, { known: moved, replaced: inTree, lastInode });
    }
    const known: Known = { before: inTree, record, oldPath: below(scan.oldPath, name), isMoved: false };
    if (stat.kind !== "directory") return this.#name(place, { known, replaced: undefined });
    this.#enterKnown(place, { known, scan: undefined, replaced: undefined });
    this.#queue.push(() => this.#visitor.leave());
    return undefined;
  }

  /** A name of a new directory. */
  #listed(walk: FolderWalk, frame: Frame, { name, isDirectory }: ListedName): Frame | undefined {
    const path = below(frame.path, name);
    const { filter, scan } = this.#options;
    const match = filter?.match(latin(path)) ?? "chosen";
    if (match === "not" || (match === "above" && !isDirectory)) return undefined;
    const stat = this.#observer.stat(walk, path, name);
    if (stat === undefined) return undefined;
    const place: Place = { walk, frame, path, name, stat };
    const moved = isDirectory ? scan.movedInside.get(path) : undefined;
    return moved === undefined ? this.#name(place, nothing) : this.#knownDirectory(place, moved, false, undefined);
  }

  /** A directory of the tree, here or from elsewhere. @param isAsSeen Its own stat is as the row says. */
  #knownDirectory(
    place: Place,
    scan: DirectoryScan,
    isAsSeen: boolean,
    replaced: Entry | undefined,
  ): Frame | undefined {
    const { reader, tree } = this.#options;
    const { walk, frame, path, name, stat } = place;
    const before = tree === undefined ? undefined : reader.findPath(tree, splitPath(latin(scan.oldPath)));
    if (before?.kind !== kinds.directory || stat.kind !== "directory") return this.#name(place, nothing);
    // Not when only a directory above it was moved.
    const isMoved = frame.scan === undefined || scan.oldPath !== below(frame.scan.oldPath, name);
    if (isMoved && this.#units.around(scan.oldPath) !== frame.unit) return this.#newDirectory(place, replaced);
    const record = isAsSeen ? undefined : scan.record.row.record(scan.record.at);
    const oldPath = scan.oldPath;
    const isEntered = this.#observer.enter(walk, place);
    if (!isEntered && !isMoved) return undefined;
    this.#enterKnown(place, { known: { before, record, oldPath, isMoved }, scan, replaced });
    if (!isEntered) {
      // It stands here now, whatever is in it.
      this.#queue.push(() => this.#visitor.leave());
      return undefined;
    }
    const unit = unitIn(before, frame.unit);
    return this.#trackedFrame(path, this.#prefix(frame, path, name), stat.device, scan, { before, unit });
  }

  #enterKnown(
    { frame, path, name, stat }: Place,
    found: {
      readonly known: Omit<Known, "record"> & { readonly record: ScanRecord | undefined };
      readonly scan: DirectoryScan | undefined;
      readonly replaced: Entry | undefined;
    },
  ): void {
    const { known, scan, replaced } = found;
    const { before, record: seen, oldPath, isMoved } = known;
    let draft: EntryDraft = before;
    let isEdited = false;
    let record: ScanRecord | undefined;
    if (seen !== undefined) {
      const xattrs = this.#observer.xattrs(path, Buffer.concat([frame.prefix, latin(name)]));
      const observed: Observed = { name, stat, xattrs, value: undefined };
      ({ entry: draft, isEdited } = changedEntry(this.#options.context, before, seen, observed, isMoved));
      record = this.#observer.record(stat, name, xattrs, { id: before.id, device: frame.device });
    }
    const { device } = stat;
    const place = { path, name, oldPath: isMoved ? oldPath : undefined, replaced, row: scan?.row, device };
    const changes = scan?.changes.size ?? 0;
    this.#enter({ ...place, draft, before, isEdited, record, changes, isAbove: false });
  }

  #prefix(frame: Frame, path: string, name: string): Buffer {
    if (path.length + this.#options.rootPath.length <= pathBytesMax)
      return Buffer.concat([frame.prefix, latin(name), Buffer.from("/")]);
    const fd = openDirectory(this.#options.root, path);
    const prefix = Buffer.from(`/proc/self/fd/${fd}/`);
    this.#held.set(prefix, fd);
    return prefix;
  }

  /** A name that is new, or a known one that is no directory. */
  #name(place: Place, identity: Identity): Frame | undefined {
    if (place.stat.kind === "directory") {
      const frame = this.#newDirectory(place, identity.replaced);
      if (frame === undefined) this.#queue.push(() => this.#takeAway(place.frame, place.name, identity));
      return frame;
    }
    this.#leaf(place, identity);
    return undefined;
  }

  /**
   * Whether what the tree has under a name is under another name now, or has been. Otherwise it is nowhere else from now on: a folder that is changed while it is
   * looked at must not have a node twice.
   */
  #isLeft({ replaced, lastInode = 0n }: Pick<Identity, "replaced" | "lastInode">): boolean {
    const { scan, vanished } = this.#options;
    if (replaced === undefined) return false;
    return replaced.kind === kinds.directory ? scan.movedIds.has(dotKey(replaced.id)) : !vanished.stays(lastInode);
  }

  /** What stands under a name is not taken in: what the tree has there stays, unless it is elsewhere. In the queue's turn. */
  #takeAway({ scan }: Frame, name: string, identity: Identity): void {
    if (scan !== undefined && this.#isLeft(identity)) this.#visitor.remove(below(scan.oldPath, name), name);
  }

  #newDirectory({ walk, frame, path, name, stat }: Place, replaced: Entry | undefined): Frame | undefined {
    const { readsNew, vanished, scan, filter, context } = this.#options;
    const isOpened = readsNew || this.#options.opensNew?.(latin(path)) === true;
    const isClosed = !isOpened && vanished.isEmpty && scan.movedInside.size === 0;
    if (!this.#observer.enter(walk, { path, name }, { isNew: replaced === undefined })) return undefined;
    const listed = isClosed ? { names: [], rules: undefined } : this.#observer.listNew(walk, frame.rules);
    if (listed === undefined) {
      walk.leave();
      return undefined;
    }
    const { names, rules } = listed;
    const prefix = this.#prefix(frame, path, name);
    const xattrs = readsNew ? this.#observer.xattrs(path, Buffer.concat([frame.prefix, latin(name)])) : [];
    const id = this.#options.nextId();
    const draft = newDraft(context, { name, stat, xattrs, value: undefined }, id);
    const record = this.#observer.record(stat, name, xattrs, { id, device: frame.device });
    const { device } = stat;
    const isAbove = filter?.match(latin(path)) === "above";
    const visit = { path, name, before: undefined, oldPath: undefined, replaced, row: undefined, device };
    this.#enter({ ...visit, draft, isEdited: true, record, changes: names.length, isAbove });
    const { unit } = frame;
    return { path, prefix, device, scan: undefined, value: undefined, changes: [], names, rules, unit, next: 0 };
  }

  #leaf(place: Place, identity: Identity): void {
    const { walk, frame, path, name, stat } = place;
    const { vanished, onFile, readsNew } = this.#options;
    const known = identity.known ?? (vanished.isEmpty ? undefined : this.#found(frame, vanished.takeByInode(stat)));
    const isClosed = known === undefined && !readsNew;
    const target = Buffer.concat([frame.prefix, latin(name)]);
    const xattrs = isClosed ? [] : this.#observer.xattrs(path, target);
    const more = { ...identity, known };
    if (stat.kind !== "file") {
      const value = this.#observer.value(walk, path, name, stat);
      if (value === undefined) {
        this.#queue.push(() => this.#takeAway(frame, name, more));
        return;
      }
      this.#queue.push(() => {
        this.#put(path, { name, stat, xattrs, value }, more);
        onFile?.(1, 0);
      });
      return;
    }
    const { size, blocks } = stat;
    if (isClosed && !vanished.hasSize(size)) {
      const value: Value = { kind: kinds.file, content: { size } };
      this.#queue.push(() => this.#put(path, { name, stat, xattrs, value }, more));
      return;
    }
    const linked = stat.nlink < 2 ? undefined : this.#linkedFile(frame, stat);
    const slot = (linked && this.#slots.get(linked)) ?? this.#queue.file({ path: target, size, blocks });
    if (linked !== undefined) this.#slots.set(linked, slot);
    this.#queue.push(() => this.#putFile(frame, path, { name, stat, xattrs }, slot, { ...more, linked }), slot);
  }

  /** What stood elsewhere, if it may be the same node here: it is another one when it has come into a unit or left it. */
  #found(frame: Frame, known: Known | undefined): Known | undefined {
    return known !== undefined && this.#units.around(known.oldPath) === frame.unit ? known : undefined;
  }

  /** What is known of a file with several names. */
  #linkedFile(frame: Frame, stat: FileStat): LinkedFile {
    const { links } = this.#options;
    const key = linkKey(stat);
    const linked = links.get(key) ?? { count: 0, group: undefined };
    links.set(key, linked);
    // In a new directory the other names were not counted: it may have some.
    if (frame.scan === undefined) linked.count = Math.max(linked.count, 2);
    return linked;
  }

  #putFile(
    frame: Frame,
    path: string,
    seen: Pick<Observed, "name" | "stat" | "xattrs">,
    slot: Slot,
    more: Identity & { readonly linked: LinkedFile | undefined },
  ): void {
    const { vanished, onFile, putList } = this.#options;
    const { name, xattrs } = seen;
    const result = slot.result();
    if ("error" in result) {
      const { kind, message } = result.error;
      // Gone, or no file any more: the next scan sees what it is.
      if (kind !== "not-found" && kind !== "stale")
        this.#notTaken(frame, path, seen, more, kind === "permission" ? "permission denied" : message);
      else this.#takeAway(frame, name, more);
      return;
    }
    const { stat, unstable } = result;
    if (unstable) this.#observer.warn(path, "it was being changed while it was read");
    let content: Content;
    try {
      content = buildContent(result.items, putList);
    } catch (thrown) {
      // Holes of more than 2^48 bytes.
      if (!isKind(thrown, "invalid") && !isKind(thrown, "too-large")) throw thrown;
      this.#notTaken(frame, path, seen, more, thrown.message);
      return;
    }
    const known =
      more.known ?? (vanished.isEmpty ? undefined : this.#found(frame, vanished.takeByContent(content, stat, name)));
    const isUnsure = unstable || stat.ctimeNs !== seen.stat.ctimeNs;
    const observed = { name, stat, xattrs, value: { kind: kinds.file, content } };
    this.#put(path, observed, { ...more, known, isUnsure });
    onFile?.(1, stat.size);
  }

  /** What could not be read is left as it was, if it was there; but where it stands now, for its old name is gone. */
  #notTaken(
    frame: Frame,
    path: string,
    seen: Pick<Observed, "name" | "stat" | "xattrs">,
    identity: Identity,
    why: string,
  ): void {
    const { known, replaced } = identity;
    this.#observer.notRead(path, why, { isNew: known === undefined && replaced === undefined });
    if (known?.isMoved !== true) {
      this.#takeAway(frame, seen.name, identity);
      return;
    }
    this.#put(path, { ...seen, value: known.before.data[0].value }, { ...identity, isUnsure: true });
  }

  #put(
    path: string,
    observed: Observed & { readonly value: Value },
    more: Identity & {
      readonly isUnsure?: boolean;
      readonly linked?: LinkedFile | undefined;
    },
  ): void {
    const { context, nextId } = this.#options;
    const { name, stat, xattrs } = observed;
    const { known, replaced, linked } = more;
    const id = known?.before.id ?? nextId();
    const link = linked === undefined ? undefined : groupOf(linked, known?.before, id);
    const whole = link === undefined ? observed : { ...observed, link };
    const isMoved = known?.isMoved === true;
    const { entry, isEdited } =
      known === undefined
        ? { entry: newEntry(context, whole, id), isEdited: true }
        : changedEntry(context, known.before, known.record, whole, isMoved);
    const seen = this.#observer.record(stat, name, xattrs);
    const record = more.isUnsure === true ? { ...seen, flags: recordFlags.unsure } : seen;
    const oldPath = isMoved ? known.oldPath : undefined;
    this.#visitor.put({ path, name, entry, before: known?.before, replaced, oldPath, isEdited, record });
  }
}

/** The group that a name of a linked file belongs to; undefined when it is its only name here. */
function groupOf(linked: LinkedFile, before: Entry | undefined, id: Dot): Dot | undefined {
  if (linked.count < 2) return before?.meta.link;
  linked.group ??= before?.meta.link ?? id;
  return linked.group;
}
