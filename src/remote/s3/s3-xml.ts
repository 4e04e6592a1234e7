/**
 * The few shapes of XML that S3 answers with, read by their tags: what is looked for is known, does not nest in itself, and
 * has neither attributes nor CDATA in any server's answer. Anything else in a document is not looked at.
 */

/** What stands in the first element of that name, decoded; undefined when there is none. */
export function findElement(xml: string, name: string): string | undefined {
  return elementsOf(xml, name).next().value;
}

/** What stands in each element of that name, decoded where it is text. */
export function* elementsOf(xml: string, name: string): Generator<string, undefined> {
  const open = new RegExp(`<(?:[A-Za-z0-9]+:)?${name}(?:\\s[^>]*)?(/?)>`, "g");
  for (;;) {
    const found = open.exec(xml);
    if (found === null) return undefined;
    if (found[1] === "/") {
      yield "";
      continue;
    }
    const close = new RegExp(`</(?:[A-Za-z0-9]+:)?${name}\\s*>`, "g");
    close.lastIndex = open.lastIndex;
    const end = close.exec(xml);
    if (end === null) return undefined;
    const inner = xml.slice(open.lastIndex, end.index);
    yield inner.includes("<") ? inner : decodeEntities(inner);
    open.lastIndex = close.lastIndex;
  }
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  return text.replace(/&(?:#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|([a-z]+));/g, (whole, hex, decimal, name) => {
    if (name !== undefined) return entities[name] ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
