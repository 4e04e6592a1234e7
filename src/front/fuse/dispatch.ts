/**
 * From a request to its handler, and from what a handler throws to an answer: every request that wants one is answered exactly once. INIT and
 * INTERRUPT are answered here. An opcode nobody handles is an ENOSYS; the kernel remembers, and asks no more.
 */
import { constants } from "node:os";
import type { Answer } from "../../vfs/mod.ts";
import type { Connection, Handler } from "./connection.ts";
import { errnoNumber, isUnexpected } from "./errno.ts";
import { fileHandlers } from "./file-handlers.ts";
import { agree, putInitOut, putInitVersion, readInit } from "./init.ts";
import { opcodes } from "./kernel.ts";
import { nameHandlers } from "./name-handlers.ts";
import { isRequest, Request } from "./request.ts";

const handlers: Readonly<Record<number, Handler>> = { ...nameHandlers, ...fileHandlers };
const unanswered: ReadonlySet<number> = new Set([
  opcodes.forget,
  opcodes.batchForget,
  opcodes.interrupt,
  opcodes.notifyReply,
]);

/** Requests by opcode, for measurements and tests. */
export type RequestCounts = Map<number, number>;

export interface DispatchOptions {
  /** Called once, when the kernel and we have agreed. */
  readonly onReady: () => void;
  /** Of failures that are no errno: a bug, or damage. Whoever asked gets an EIO. */
  readonly onFailure: (thrown: unknown) => void;
  /** Counted into, when given. */
  readonly counts?: RequestCounts;
}

export class Dispatcher {
  readonly connection: Connection;
  readonly #options: DispatchOptions;
  readonly #waiting = new Map<number, Request>();

  constructor(connection: Connection, options: DispatchOptions) {
    this.connection = connection;
    this.#options = options;
  }

  /** How many requests wait for something. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Answers a request, now or later. Never throws.
   * @param bytes Borrowed until it is answered where `keepsBytes` says so, else for the call.
   * @returns Undefined when it was answered.
   */
  dispatch(bytes: Buffer, count: number): Promise<void> | undefined {
    if (!isRequest(bytes, count)) return undefined;
    const request = new Request(bytes, count);
    const { counts } = this.#options;
    if (counts !== undefined) counts.set(request.opcode, (counts.get(request.opcode) ?? 0) + 1);
    let answer: Answer<void>;
    try {
      answer = this.#handle(request);
    } catch (thrown) {
      this.#fail(request, thrown);
      return undefined;
    }
    if (!(answer instanceof Promise)) return undefined;
    this.#waiting.set(request.unique, request);
    return answer
      .catch((thrown: unknown) => this.#fail(request, thrown))
      .finally(() => this.#waiting.delete(request.unique));
  }

  #handle(request: Request): Answer<void> {
    const { opcode, unique } = request;
    if (opcode === opcodes.init) return this.#init(request);
    if (opcode === opcodes.interrupt) return this.#waiting.get(request.reader.u64())?.interrupt();
    const handler = handlers[opcode];
    if (handler !== undefined) return handler(this.connection, request);
    if (!unanswered.has(opcode)) this.connection.replies.error(unique, constants.errno.ENOSYS);
  }

  #init(request: Request): void {
    const { connection } = this;
    const init = readInit(request.reader);
    const agreement = agree(init, connection.behaviour);
    connection.agreement = agreement ?? connection.agreement;
    connection.replies.struct(request.unique, (into, at) =>
      agreement === undefined ? putInitVersion(into, at) : putInitOut(into, at, agreement, connection.behaviour),
    );
    if (agreement !== undefined) this.#options.onReady();
  }

  #fail({ opcode, unique }: Request, thrown: unknown): void {
    if (isUnexpected(thrown)) this.#options.onFailure(thrown);
    if (!unanswered.has(opcode)) this.connection.replies.error(unique, errnoNumber(thrown));
  }
}

/** Whether an unanswered request still needs the bytes it came in: what it writes is among them. */
export function keepsBytes(bytes: Buffer): boolean {
  const opcode = bytes.readUInt32LE(4);
  return opcode === opcodes.write || opcode === opcodes.setxattr;
}
