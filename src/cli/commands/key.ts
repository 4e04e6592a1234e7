/** `ourobox key`: what opens a sealed box on its remotes, and whether this machine remembers the box's key. */
import { dirname, resolve } from "node:path";
import type { Box, KeyReport, KeyRow } from "../../app/mod.ts";
import { utf8 } from "../../base/bytes.ts";
import { ioError, type OuroError } from "../../base/errors.ts";
import { type Command, type CommandContext, defineCommand, type World } from "../command.ts";
import { alignColumns, formatJsonDate, formatMinute } from "../format.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, textOf } from "../paths.ts";
import { quoteText } from "../quote.ts";
import { exitStatus } from "../status.ts";
import { unknownWord } from "../suggest.ts";

const usageText = `key [list] [REMOTE…]
key add [--label LABEL] [REMOTE…]
key passwd [REMOTE…]
key remove LABEL|ID [REMOTE…]
key export [--label LABEL] [--out FILE] [REMOTE…]
key forget`;

export const command: Command = defineCommand({
  name: "key",
  summary: "Passphrases and recovery keys of remotes",
  usage: usageText,
  description: `
A sealed box has one key, which is kept in .ourobox/keys. Each remote holds it too, wrapped by one or several passphrases and recovery keys, each of which
opens the box there. These commands are about all remotes of the box, or those that are named.

  list     shows which there are: label, kind, when and by whom it was made
  add      makes a further passphrase (OUROBOX_NEW_PASSPHRASE, _FILE or _COMMAND, else asked for twice)
  passwd   asks for a passphrase and puts a new one in its place
  remove   removes one from the remotes; the last one stays
  export   makes a recovery key, a passphrase to be printed: it is shown once, or written to FILE
  forget   drops the box's key on this machine

Removing or changing a passphrase does not change the key of the box. Whoever has the key, or knew the passphrase and has a copy of the remote from before, still opens what
he has, and what he can get of what comes later. If that matters, make a new box with new remotes.

A recovery key is asked for wherever a passphrase is; case and dashes do not matter, and what is mistyped is said. It opens the remotes it was added to: a
remote that is made later needs \`ourobox key export NAME\`.

After \`key forget\` nothing can be read or written in this box until \`ourobox fetch\` brings the key back from a remote, for which it asks for a passphrase.
That there is one is tried before. The files in the folder stay as they are, and the names in .ourobox/state.sqlite readable. doc/threats.md has more.`,
  options: {
    label: { kind: "text", value: "LABEL", help: "What add and export call the key (default: passphrase or recovery)" },
    out: {
      kind: "text",
      value: "FILE",
      help: "Where export writes the recovery key: a new file that only you can read",
    },
  },
  dryRun: "refused",

  async run(context, { label, out }, operands) {
    const [action = "list", ...words] = operands.map((operand) => textOf(operand, "a remote or label"));
    const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (run === undefined) {
      throw unknownWord(`Cannot do "${action}" with keys: there is no such action`, action, {
        words: Object.keys(actions),
        hint: (near) => (near === undefined ? "Run `ourobox key --help`." : `Did you mean \`ourobox key ${near}\`?`),
      });
    }
    checkCount(
      operands.slice(1),
      action === "remove" ? 1 : 0,
      action === "forget" ? 0 : Number.POSITIVE_INFINITY,
      usageText,
    );
    if (label !== undefined && action !== "add" && action !== "export")
      throw usage(`Cannot use --label with key ${action}: only a new key is labelled`);
    if (out !== undefined && action !== "export")
      throw usage(`Cannot use --out with key ${action}: only key export writes a file`);
    await using box = await openBox(context);
    const isPartial = await run(box, {
      ...context,
      words,
      ...(label === undefined ? {} : { label }),
      ...(out === undefined ? {} : { outFile: out }),
    });
    return isPartial ? exitStatus.partial : exitStatus.ok;
  },
});

interface KeyContext extends CommandContext {
  /** The arguments after the action. */
  readonly words: readonly string[];
  readonly label?: string;
  readonly outFile?: string;
}

/** @returns Whether something could not be done. */
type Action = (box: Box, context: KeyContext) => Promise<boolean>;

const actions: Readonly<Record<string, Action>> = { list, add, passwd, remove, export: exportKey, forget };

async function list(box: Box, { words, out, json }: KeyContext): Promise<boolean> {
  const { rows, partial } = await box.keys(words);
  if (json) for (const row of rows) out.json(keyJson(row));
  else for (const line of alignColumns(rows.map(keyColumns))) out.line(line);
  return partial;
}

function keyJson({ remote, id, note }: KeyRow): { readonly [key: string]: string } {
  if (note === undefined) return { remote, id };
  const { label, kind, madeMs, peer } = note;
  return { remote, id, label, kind, made: formatJsonDate(madeMs), peer };
}

function keyColumns({ remote, id, note }: KeyRow): string[] {
  if (note === undefined) return [remote, id, "?", "", "", ""];
  return [remote, id, quoteText(note.label), note.kind, formatMinute(note.madeMs), quoteText(note.peer)];
}

async function add(box: Box, context: KeyContext): Promise<boolean> {
  const { words, label } = context;
  return tell(context, "A new passphrase opens", await box.addKey(words, label === undefined ? {} : { label }));
}

async function passwd(box: Box, context: KeyContext): Promise<boolean> {
  const isPartial = tell(context, "The new passphrase opens", await box.changePassphrase(context.words));
  context.messages.notice(unchanged);
  return isPartial;
}

async function remove(box: Box, context: KeyContext): Promise<boolean> {
  const [which = "", ...names] = context.words;
  const isPartial = tell(context, "Removed from", await box.removeKey(names, which));
  context.messages.notice(unchanged);
  return isPartial;
}

const unchanged =
  "The key of the box stays the same: a copy of the remote from before still opens with what was removed";

async function exportKey(box: Box, context: KeyContext): Promise<boolean> {
  const { words, label, outFile, world, givenCwd, out, json } = context;
  const path = outFile === undefined ? undefined : resolve(givenCwd, outFile);
  const report = await box.exportKey(words, {
    ...(label === undefined ? {} : { label }),
    ...(path === undefined ? {} : { keep: (key: string) => writeNewFile(path, `${key}\n`, world) }),
  });
  if (json) out.json({ ...(path === undefined ? { key: report.key } : { file: path }), remotes: report.remotes });
  else if (path === undefined) out.line(report.key);
  const where = report.remotes.join(", ");
  context.messages.notice(
    path === undefined
      ? `This recovery key opens the box at ${where}. It is not shown again: print it, and keep it away from here`
      : `The recovery key in ${path} opens the box at ${where}. Print it, keep it away from here, and remove the file`,
  );
  return report.partial;
}

async function forget(box: Box, { messages, out, json }: KeyContext): Promise<boolean> {
  const remote = await box.forgetKey();
  if (json) out.json({ remote });
  else messages.notice(`The key of this box is forgotten here; \`ourobox fetch ${remote}\` brings it back`);
  return false;
}

function tell({ out, json, messages }: KeyContext, what: string, { remotes, partial }: KeyReport): boolean {
  if (json) out.json({ remotes: [...remotes], partial });
  else messages.notice(`${what} ${remotes.join(", ")}`);
  return partial;
}

/** Writes a file that only its owner can read, durably. @returns What removes it. @throws OuroError "exists", …. */
function writeNewFile(path: string, text: string, { disk }: World): () => void {
  const failed = (thrown: unknown): OuroError => ioError(`Cannot write the recovery key to ${path}`, thrown, path);
  const remove = (): void => {
    try {
      disk.unlink(path);
    } catch (thrown) {
      throw ioError(`Cannot remove ${path}`, thrown, path);
    }
  };
  let fd: number;
  try {
    fd = disk.open(path, "create-new", 0o600);
  } catch (thrown) {
    throw failed(thrown);
  }
  try {
    try {
      disk.write(fd, utf8(text), 0);
      disk.syncFile(fd);
    } finally {
      disk.close(fd);
    }
    disk.syncDirectory(dirname(path));
  } catch (thrown) {
    remove();
    throw failed(thrown);
  }
  return remove;
}
