/** A filesystem, a remote or the like that does some things differently: slowly, or wrongly. */

/** @param methods In place of those of `target`, which may be called in them. */
export function withMethods<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy<T>(target, {
    get: (_, key) => {
      const own = Reflect.get(methods, key) as unknown;
      if (own !== undefined) return own;
      const value = Reflect.get(target, key) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
