import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePath, encodeQuery, signRequest } from "./signature.ts";

// The examples of AWS's documentation ("Signature Calculations for the Authorization Header").
const example = {
  payloadHash: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  nowMs: Date.UTC(2013, 4, 24),
  region: "us-east-1",
  credentials: { accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" },
};

const cases = [
  {
    what: "GET of a range",
    request: { method: "GET", path: "/test.txt", headers: { range: "bytes=0-9" } },
    signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  },
  {
    what: "PUT",
    request: {
      method: "PUT",
      path: "/test%24file.text",
      headers: { date: "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" },
      payloadHash: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
    },
    signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
  },
  {
    what: "GET of a query without a value",
    request: { method: "GET", path: "/?lifecycle=", headers: {} },
    signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  },
  {
    what: "a listing",
    request: { method: "GET", path: `/?${encodeQuery({ prefix: "J", "max-keys": "2" })}`, headers: {} },
    signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  },
];
for (const { what, request, signature } of cases) {
  test(`s3 signature: ${what} is signed as in AWS's example`, () => {
    const { path, ...rest } = request;
    const url = new URL(`https://examplebucket.s3.amazonaws.com${path}`);
    const { authorization = "" } = signRequest({ ...example, ...rest, url });
    assert.match(authorization, new RegExp(`Signature=${signature}$`));
  });
}

test("s3 signature: what has a meaning in a URL is encoded in keys and queries", () => {
  assert.equal(encodePath("a b+ü/(c)*!'"), "a%20b%2B%C3%BC/%28c%29%2A%21%27");
  assert.equal(encodeQuery({ b: "1&2", a: "" }), "a=&b=1%262");
});
