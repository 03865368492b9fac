// @atproto/oauth-client-node: what the test tells it to do, one step after the other. Handles and DIDs are looked up in
// what the test wrote first, never on the network.
import { JoseKey } from "@atproto/jwk-jose";
import { NodeOAuthClient } from "@atproto/oauth-client-node";
import { read, write } from "./lines.mjs";

const setup = await read();

const identityResolver = {
  async resolve(input) {
    const found = setup.accounts.find(({ did, handle }) => input === did || input === handle);
    if (!found) throw new Error(`nobody is called ${input}`);
    const service = { id: "#atproto_pds", type: "AtprotoPersonalDataServer", serviceEndpoint: found.pds };
    const didDoc = { "@context": ["https://www.w3.org/ns/did/v1"], id: found.did, alsoKnownAs: [`at://${found.handle}`], service: [service] };
    return { did: found.did, handle: found.handle, didDoc };
  },
};

const stores = { state: new Map(), session: new Map() };
const storeOf = (map) => ({
  async set(key, value) { map.set(key, value); },
  async get(key) { return map.get(key); },
  async del(key) { map.delete(key); },
});

async function build({ metadata, keys }) {
  return new NodeOAuthClient({
    clientMetadata: metadata,
    keyset: keys && await Promise.all(keys.map((jwk) => JoseKey.fromImportable(jwk, jwk.kid))),
    stateStore: storeOf(stores.state),
    sessionStore: storeOf(stores.session),
    identityResolver,
    allowHttp: true,
    requestLock: (_name, work) => work(),
  });
}

let client = await build(setup);
let session;

const steps = {
  async authorize({ input, options }) { return { url: (await client.authorize(input, options)).href }; },
  async callback({ url, redirect_uri }) {
    const done = await client.callback(new URL(url).searchParams, redirect_uri && { redirect_uri });
    session = done.session;
    return { did: session.did, state: done.state };
  },
  async call({ path }) {
    const answer = await session.fetchHandler(path);
    return { status: answer.status, body: await answer.json() };
  },
  async refresh() {
    session = await client.restore(session.did, true);
    const { scope, aud, iss, sub } = await session.getTokenInfo(false);
    return { scope, aud, iss, sub };
  },
  async tokens() { return stores.session.get(session.did)?.tokenSet ?? null; },
  async putBack({ tokens }) { stores.session.get(session.did).tokenSet = tokens; return {}; },
  async rebuild(changed) { client = await build(changed); return {}; },
  async signOut() { await session.signOut(); return { left: stores.session.size }; },
};

for (;;) {
  const step = await read();
  if (step.step === "end") break;
  try {
    write(await steps[step.step](step));
  } catch (error) {
    const cause = error.cause ?? error;
    write({ error: cause.error ?? cause.payload?.error ?? cause.message, kind: error.constructor.name });
  }
}
