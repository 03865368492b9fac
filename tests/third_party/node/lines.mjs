// How a script talks with its test: one line of JSON for each message.
import { createInterface } from "node:readline";
import { importJWK } from "jose";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export async function read() {
  const { value } = await lines.next();
  return JSON.parse(value);
}

export function write(value) {
  console.log(JSON.stringify(value));
}

/** The private key of a JWK, with its name. */
export async function readKey(jwk, alg) {
  return { key: await importJWK(jwk, alg), kid: jwk.kid };
}

/** What became of a call: its value, or the error code of the server's refusal. */
export async function outcome(call) {
  try {
    return await call();
  } catch (error) {
    if (error.error) return { error: error.error };
    throw error;
  }
}
