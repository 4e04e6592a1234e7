// The same tests, with as many flips of every file as there is time for.
process.env["FLIPS"] = "60";
await import("../faults/bit-flips.test.ts");

export {};
