/** A filesystem that does some things differently: slowly, or wrongly. */
import type { Filesystem } from "../../src/vfs/mod.ts";

/** @param methods In place of those of `filesystem`, which may be called in them. */
export function withMethods(filesystem: Filesystem, methods: Partial<Filesystem>): Filesystem {
  return new Proxy<Filesystem>(filesystem, {
    get: (target, key) => {
      const own = Reflect.get(methods, key) as unknown;
      if (own !== undefined) return own;
      const value = Reflect.get(target, key) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
