/** The options of `mount -o`, in the words of mount(8). */
import { usage } from "./options.ts";

export interface ReadOptions {
  readonly allowOther: boolean;
  readonly readOnly: boolean;
  readonly owners: { readonly uid?: number; readonly gid?: number; readonly umask?: number };
}

const idMax = 2 ** 32 - 2;
const umaskMax = 0o777;

/** @throws OuroError "usage". */
export function readMountOptions(text: string): ReadOptions {
  const owners: { uid?: number; gid?: number; umask?: number } = {};
  let allowOther = false;
  let readOnly = false;
  for (const option of text.split(",").filter((each) => each !== "")) {
    const [, name = option, value] = /^(\w+)=(.*)$/.exec(option) ?? [];
    if (option === "allow_other") allowOther = true;
    else if (option === "ro") readOnly = true;
    else if (name === "uid" || name === "gid") owners[name] = number(option, value, /^\d{1,10}$/, 10, idMax);
    else if (name === "umask") owners.umask = number(option, value, /^[0-7]{1,4}$/, 8, umaskMax);
    else throw usage(`Cannot use -o ${option}: it is one of allow_other, ro, uid=N, gid=N, umask=OCTAL`);
  }
  return { allowOther, readOnly, owners };
}

/** @throws OuroError "usage": those are of commits only. */
export function refuseOwners({ owners }: ReadOptions): void {
  const [name] = Object.keys(owners);
  if (name !== undefined)
    throw usage(
      `Cannot use -o ${name} with the box itself: its files belong to whom they belong to in its folder`,
      "It is for commits: `ourobox mount -o … COMMIT DIR`.",
    );
}

function number(option: string, value: string | undefined, form: RegExp, radix: 8 | 10, max: number): number {
  const parsed = value !== undefined && form.test(value) ? Number.parseInt(value, radix) : Number.POSITIVE_INFINITY;
  if (parsed <= max) return parsed;
  const what = radix === 8 ? "three octal digits" : "a number";
  throw usage(
    `Cannot use -o ${option}: it takes ${what}`,
    `Try -o ${option.replace(/=.*/, "")}=${radix === 8 ? "022" : "1000"}.`,
  );
}
