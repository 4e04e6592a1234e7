/** Something with methods that does some of them differently: slowly, or wrongly. */

/** @param methods In place of those of `object`, which may be called in them; the others are called on `object` itself. */
export function withMethods<T extends object>(object: T, methods: Partial<T>): T {
  return new Proxy<T>(object, {
    get: (target, key) => {
      const own = Reflect.get(methods, key) as unknown;
      if (own !== undefined) return own;
      const value = Reflect.get(target, key) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
