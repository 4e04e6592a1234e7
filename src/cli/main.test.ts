import assert from "node:assert/strict";
import { test } from "node:test";
import { runCli, type Seen } from "../../test/support/cli.ts";
import { utf8 } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { type Command, type CommandContext, defineCommand, type Loader, type Operand } from "./command.ts";
import { BrokenPipe } from "./output.ts";

/** A command that does what the test says. */
function commandThat(
  run: (
    context: CommandContext,
    values: Readonly<Record<string, unknown>>,
    operands: readonly Operand[],
  ) => number | Promise<number>,
): ReadonlyMap<string, Loader> {
  const command: Command = defineCommand({
    name: "try",
    summary: "Try",
    usage: "try [PATH…]",
    description: "It tries.",
    options: {
      limit: { kind: "count", short: "n", value: "N", default: 20, help: "Stop after N" },
      all: { kind: "flag", short: "a", help: "All of them" },
      hash: { kind: "choice", choices: ["blake3", "sha256"], help: "The hash" },
    },
    dryRun: "refused",
    standalone: true,
    run: async (context, values, operands) => run(context, values, operands),
  });
  return new Map([["try", async () => ({ command })]]);
}

const seenValues = commandThat(({ out }, values, operands) => {
  out.json({
    ...(values as Record<string, string>),
    operands: operands.map(({ text, afterDashes }) => `${text}${afterDashes ? "!" : ""}`),
  });
  return 0;
});

test("an unknown command is a usage error, and the nearest one is named", async () => {
  assert.deepEqual(await runCli(["stauts"]), {
    out: "",
    err: 'ourobox: Cannot run "stauts": there is no such command\nDid you mean `ourobox status`?\n',
    status: 2,
  } satisfies Seen);
});

test("an unknown flag is a usage error, and the nearest one is named", async () => {
  const { err, status } = await runCli(["try", "--limti", "3"], { commands: seenValues });
  assert.equal(err, "ourobox: Cannot use --limti: `ourobox try` has no such flag\nDid you mean --limit?\n");
  assert.equal(status, 2);
});

test("a value that does not fit is a usage error that says what fits", async () => {
  const { err, status } = await runCli(["try", "--limit", "few"], { commands: seenValues });
  assert.equal(err, "ourobox: Cannot use --limit few: it takes a whole number of 0 or more\nTry --limit 20.\n");
  assert.equal(status, 2);
  const negative = await runCli(["try", "-n", "-1"], { commands: seenValues });
  assert.equal(negative.err, "ourobox: Cannot use -n -1: it takes a whole number of 0 or more\nTry -n 20.\n");
  const nothing = await runCli(["try", "-n", "--", "x"], { commands: seenValues });
  assert.equal(nothing.err, "ourobox: Cannot use -n: it takes a value\nWrite -n N.\n");
  const choice = await runCli(["try", "--hash=md5"], { commands: seenValues });
  assert.equal(choice.err, "ourobox: Cannot use --hash md5: it is one of blake3, sha256\n");
  const missing = await runCli(["try", "--hash"], { commands: seenValues });
  assert.equal(missing.err, "ourobox: Cannot use --hash: it takes a value\nWrite --hash blake3|sha256.\n");
  const extra = await runCli(["try", "--all=3"], { commands: seenValues });
  assert.equal(extra.err, "ourobox: Cannot use --all=3: it takes no value\n");
});

test("flags come before or after the command's name, and operands after -- are told apart", async () => {
  const { out } = await runCli(["-q", "try", "-an5", "x", "--", "-y", "try"], { commands: seenValues });
  assert.deepEqual(JSON.parse(out), { limit: 5, all: true, operands: ["x", "-y!", "try!"] });
});

test("a flag of one command does not stand before its name", async () => {
  const { err, status } = await runCli(["--hash", "try"], { commands: seenValues });
  assert.match(err, /only the flags of every command can stand there/);
  assert.equal(status, 2);
});

test("a flag wins over its variable, and the variable over the default", async () => {
  const env = { OUROBOX_TRY_LIMIT: "7", OUROBOX_TRY_ALL: "yes" };
  const fromEnv = await runCli(["try"], { commands: seenValues, env });
  assert.deepEqual(JSON.parse(fromEnv.out), { limit: 7, all: true, operands: [] });
  const fromFlags = await runCli(["try", "--no-all", "--limit=1"], { commands: seenValues, env });
  assert.deepEqual(JSON.parse(fromFlags.out), { limit: 1, all: false, operands: [] });
  const wrong = await runCli(["try"], { commands: seenValues, env: { OUROBOX_TRY_LIMIT: "x" } });
  assert.match(wrong.err, /Cannot use OUROBOX_TRY_LIMIT x: it takes a whole number of 0 or more/);
});

test("-C changes the folder, also by its variable", async () => {
  const commands = commandThat(({ out, cwd }) => {
    out.line(cwd);
    return 0;
  });
  assert.equal((await runCli(["-C", "../b", "try"], { commands, cwd: "/tmp/a" })).out, "/tmp/b\n");
  assert.equal((await runCli(["try"], { commands, cwd: "/tmp", env: { OUROBOX_DIRECTORY: "/x" } })).out, "/x\n");
});

test("every kind of error has its status, a message and a hint", async () => {
  const statuses = { "no-box": 10, locked: 11, "wrong-key": 12, usage: 2, aborted: 130, corrupt: 1 } as const;
  for (const [kind, status] of Object.entries(statuses)) {
    const commands = commandThat(() => {
      throw new OuroError(kind as keyof typeof statuses, "Cannot do it: no", { hint: "Do it otherwise." });
    });
    const expected = { out: "", err: "ourobox: Cannot do it: no\nDo it otherwise.\n", status };
    assert.deepEqual(await runCli(["try"], { commands }), expected);
  }
});

test("with --json an error is one object on stderr", async () => {
  const commands = commandThat(({ messages }) => {
    messages.notice("soon");
    throw new OuroError("locked", "Cannot do it: no", { hint: "Wait.", subject: "x" });
  });
  const { err, status } = await runCli(["try", "--json"], { commands });
  const lines = err
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  const error = { kind: "locked", message: "Cannot do it: no", hint: "Wait.", subject: "x", status: 11 };
  assert.deepEqual(lines, [{ notice: "soon" }, { error }]);
  assert.equal(status, 11);
  const usage = await runCli(["try", "--jsno", "--json"], { commands });
  assert.equal((JSON.parse(usage.err) as { error: { status: number } }).error.status, 2);
});

test("an unexpected exception is called a bug, with its stack only on -v", async () => {
  const commands = commandThat(() => {
    throw new TypeError("x is not a function");
  });
  const plain = await runCli(["try"], { commands });
  assert.match(
    plain.err,
    /^ourobox: This is a bug in Ourobox, please report it: TypeError: x is not a function\nRun .* -v/,
  );
  assert.doesNotMatch(plain.err, /main\.test\.ts/);
  assert.equal(plain.status, 1);
  assert.match((await runCli(["try", "-v"], { commands })).err, /main\.test\.ts/);
});

test("an interrupted command ends with 130, with 143 after SIGTERM and 129 after SIGHUP", async () => {
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    const aborter = new AbortController();
    const commands = commandThat(({ world }) => {
      aborter.abort(new OuroError("aborted", "Interrupted", { subject: signal }));
      world.signal.throwIfAborted();
      return 0;
    });
    assert.deepEqual(await runCli(["try"], { commands, signal: aborter.signal }), {
      out: "",
      err: "ourobox: Interrupted\n",
      status,
    });
  }
});

test("a reader that stops reading ends the command without a word", async () => {
  const commands = commandThat(() => {
    throw new BrokenPipe("gone");
  });
  assert.deepEqual(await runCli(["try"], { commands }), { out: "", err: "", status: 141 });
});

test("what was printed before a failure is printed", async () => {
  const commands = commandThat(({ out }) => {
    out.line("first");
    throw new OuroError("io", "Cannot go on");
  });
  assert.equal((await runCli(["try"], { commands })).out, "first\n");
});

test("an argument that is not UTF-8 comes as its bytes", async () => {
  const bytes = Uint8Array.of(0x66, 0xff);
  let seen: readonly Uint8Array[] = [];
  const commands = commandThat((_context, _values, operands) => {
    seen = operands.map((operand) => operand.bytes);
    return 0;
  });
  await runCli(["try", "a", "f\ufffd"], { commands, argumentBytes: [utf8("try"), utf8("a"), bytes] });
  assert.deepEqual(
    seen.map((each) => [...each]),
    [[0x61], [0x66, 0xff]],
  );
});

test("--dry-run is refused by a command that cannot tell", async () => {
  const { err, status } = await runCli(["try", "--dry-run"], { commands: seenValues });
  assert.match(err, /Cannot use --dry-run with try/);
  assert.equal(status, 2);
});

test("--help tells a command's usage, flags and variables, and does not run it", async () => {
  const { out, status } = await runCli(["try", "--help", "--dry-run"], { commands: seenValues });
  assert.match(out, /^Try\n\nUsage: ourobox try \[PATH…\]\n\nIt tries\.\n\nFlags:\n {2}-n, --limit N/);
  assert.match(out, /a variable too, such as\sOUROBOX_TRY_LIMIT/);
  assert.equal(status, 0);
});

test("--version, -V and version are the same, and help lists every command", async () => {
  const versions = await Promise.all([["--version"], ["-V"], ["version"]].map((args) => runCli(args)));
  for (const { out } of versions) assert.match(out, /^ourobox \d+\.\d+\.\d+\n$/);
  const { out } = await runCli([]);
  for (const name of ["init", "commit", "restore", "push", "gc"]) assert.match(out, new RegExp(`^ {2}${name} `, "m"));
});

test("NO_COLOR, --color and what is no terminal decide over colour", async () => {
  const commands = commandThat(({ out, style }) => {
    out.write(style.red("x"));
    return 0;
  });
  const red = "\x1b[31mx\x1b[39m";
  assert.equal((await runCli(["try"], { commands, terminal: 80 })).out, red);
  assert.equal((await runCli(["try"], { commands })).out, "x");
  assert.equal((await runCli(["try"], { commands, terminal: 80, env: { NO_COLOR: "1" } })).out, "x");
  assert.equal((await runCli(["try", "--color=always"], { commands, env: { NO_COLOR: "1" } })).out, red);
});
