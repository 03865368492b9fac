// An app of the AT Protocol in development: it signs a person in, calls their server, renews its tokens and signs out.
//
//     npm install @atproto/oauth-client-node
//     node client.mjs
//
// Its client_id is http://localhost with a query, so it publishes nothing. A finished app publishes its metadata at an
// https URL, which is then its client_id.
import { createServer } from "node:http";
import { NodeOAuthClient } from "@atproto/oauth-client-node";

const server = process.env.PDS ?? "http://127.0.0.1:5001";
const port = process.env.PORT ?? "8123";
const callback = `http://127.0.0.1:${port}/callback`;
const scope = "atproto transition:generic";

const states = new Map();
const sessions = new Map();
const keepIn = (map) => ({
  set: async (key, value) => void map.set(key, value),
  get: async (key) => map.get(key),
  del: async (key) => void map.delete(key),
});

const client = new NodeOAuthClient({
  clientMetadata: {
    client_id: `http://localhost?${new URLSearchParams({ redirect_uri: callback, scope })}`,
    redirect_uris: [callback],
    scope,
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    application_type: "native",
    token_endpoint_auth_method: "none",
    dpop_bound_access_tokens: true,
  },
  stateStore: keepIn(states),
  sessionStore: keepIn(sessions),
  requestLock: (_name, work) => work(), // one process, one person
  allowHttp: true, // in development only
});

async function show(session) {
  const answer = await session.fetchHandler("/xrpc/app.example.listNotes");
  console.log(`${answer.status} ${JSON.stringify(await answer.json())}`);
}

const listener = createServer(async (request, response) => {
  const url = new URL(request.url, callback);
  if (url.pathname !== "/callback") return response.writeHead(404).end();
  try {
    const { session } = await client.callback(url.searchParams, { redirect_uri: callback });
    response.end("You are signed in; go back to the terminal.");
    console.log(`signed in as ${session.did}`);
    await show(session);
    const renewed = await client.restore(session.did, true);
    console.log("renewed");
    await show(renewed);
    await renewed.signOut();
    console.log("signed out");
  } catch (error) {
    response.end("That did not work; the terminal says why.");
    console.error(error);
    process.exitCode = 1;
  }
  listener.close();
  listener.closeAllConnections();
});

listener.listen(Number(port), "127.0.0.1", async () => {
  const url = await client.authorize(server, { scope });
  console.log(`open ${url}`);
});
