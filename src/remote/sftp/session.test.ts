import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, equalBytes, utf8 } from "../../base/bytes.ts";
import { isKind } from "../../base/errors.ts";
import { Prng } from "../../base/prng.ts";
import { SftpFiles } from "./files.ts";
import { type Channel, type ChannelEvents, SftpSession, StatusError } from "./session.ts";
import { readBlocks } from "./transfer.ts";
import { PacketReader, PacketSplitter, PacketWriter, packetType } from "./wire.ts";

const options = { host: "there", command: "ssh there", connectMsMax: 1000, silenceMsMax: 1000 };

/** A server of one file, which answers each request with what `answer` makes of it. */
function serve(
  answer: (request: PacketReader, id: number, send: (packet: PacketWriter) => void) => void,
): (events: ChannelEvents) => Channel {
  return (events) => {
    const splitter = new PacketSplitter();
    const send = (packet: PacketWriter): void => void setImmediate(() => events.onData(packet.finish()));
    return {
      write(bytes) {
        splitter.push(bytes, (packet) => {
          const request = new PacketReader(packet);
          const number = request.u32();
          if (request.type === packetType.init) send(new PacketWriter(packetType.version).u32(3));
          else answer(request, number, send);
        });
      },
      async close() {},
    };
  };
}

test("sftp session: answers in any order and shorter than asked for make one blob", async () => {
  const prng = new Prng(5);
  const blob = prng.bytes(1_000_000);
  const held: PacketWriter[] = [];
  const session = await SftpSession.open(
    serve((request, id, send) => {
      request.string();
      const at = request.u64();
      const length = prng.int(1, request.u32());
      held.push(new PacketWriter(packetType.data).u32(id).string(blob.subarray(at, at + length)));
      setImmediate(() => {
        for (let left = held.length; left > 0; left -= 1)
          send(held.splice(prng.int(0, held.length - 1), 1)[0] as PacketWriter);
      });
    }),
    options,
  );
  const blocks: Uint8Array[] = [];
  const count = await readBlocks(new SftpFiles(session), utf8("h"), { start: 0, end: blob.length }, (bytes) =>
    blocks.push(new Uint8Array(bytes)),
  );
  assert.equal(count, blob.length);
  assert.ok(equalBytes(concatBytes(blocks), blob));
  await session.close();
});

const answers: [string, (id: number) => PacketWriter, RegExp][] = [
  ["to nothing that was asked", (id) => new PacketWriter(packetType.attrs).u32(id + 1).u32(0), /was not asked/],
  ["of another type", (id) => new PacketWriter(packetType.data).u32(id).string("a"), /of type 103/],
  ["that ends early", (id) => new PacketWriter(packetType.attrs).u32(id).u32(1), /ends early/],
  ["with a size above 2^53", (id) => new PacketWriter(packetType.attrs).u32(id).u32(1).u32(0x200000).u32(0), /large/],
];
for (const [what, answer, says] of answers) {
  test(`sftp session: an answer ${what} is refused`, async () => {
    const session = await SftpSession.open(
      serve((_request, id, send) => send(answer(id))),
      options,
    );
    await assert.rejects(
      new SftpFiles(session).stat("a"),
      (thrown) => isKind(thrown, "io") && says.test(thrown.message),
    );
    await session.close();
  });
}

test("sftp session: a packet longer than any is the end of it", async () => {
  let events: ChannelEvents | undefined;
  const open = serve(() => events?.onData(Uint8Array.of(0x7f, 0, 0, 0, 1)));
  const session = await SftpSession.open((given) => {
    events = given;
    return open(given);
  }, options);
  await assert.rejects(new SftpFiles(session).stat("a"), (thrown) => isKind(thrown, "io"));
  assert.ok(session.end !== undefined);
  await assert.rejects(new SftpFiles(session).stat("a"), (thrown) => isKind(thrown, "io"));
});

test("sftp session: random bytes never do more than end it", async () => {
  const prng = new Prng(6);
  for (let run = 0; run < 300; run += 1) {
    const session = await SftpSession.open(
      serve((_request, id, send) => {
        const packet = new PacketWriter(prng.pick([101, 102, 103, 104, 105, 201])).u32(id);
        for (let left = prng.int(0, 12); left > 0; left -= 1)
          packet.u32(prng.chance(0.7) ? prng.int(0, 9) : prng.u32());
        send(packet);
      }),
      options,
    );
    const files = new SftpFiles(session);
    const tries = [
      files.stat("a"),
      files.openToRead("a"),
      Array.fromAsync(files.list("a")),
      files.read(utf8("h"), 0, 9),
    ];
    for (const { reason } of (await Promise.allSettled(tries)).filter((each) => each.status === "rejected"))
      assert.ok(reason instanceof StatusError || isKind(reason), String(reason));
    await session.close();
  }
});
