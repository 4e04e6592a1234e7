import { meet } from "../support/meeting-folders.ts";
import { testSeeds } from "../support/seeds.ts";

testSeeds("folders that meet only through a remote end the same, whatever was done in them", 12, (prng) =>
  meet(prng, { folders: prng.int(2, 3), rounds: prng.int(1, 4), changes: 6 }),
);
