import { testEveryOperation } from "../support/every-operation.ts";

testEveryOperation({ step: 1 });
