import { testEveryOperation } from "../support/every-operation.ts";

// The slow tests take every operation.
testEveryOperation({ step: 17 });
