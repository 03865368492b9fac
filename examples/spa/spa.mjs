// A public client in a browser: PAR, PKCE, and DPoP with a key that no script can read (oauth4webapi).
import * as oauth from "./oauth4webapi.mjs";
import { forget, keep, load } from "./kept.mjs";

const config = await (await fetch("config.json")).json();
const client = { client_id: config.client_id };
const nobody = oauth.None(); // a page can keep no secret
const redirectUri = new URL("/", location.href).href;
const isLocal = new URL(config.issuer).hostname === "127.0.0.1";
const options = { [oauth.allowInsecureRequests]: isLocal };

const keyPair = await loadKeyPair();
const DPoP = oauth.DPoP(client, keyPair);
const as = await discover();

/** The key of this browser. It is not extractable: a script that gets in can use it while the page is open, and no longer. */
async function loadKeyPair() {
  const kept = await load("key pair");
  if (kept) return kept;
  const made = await oauth.generateKeyPair("ES256", { extractable: false });
  await keep("key pair", made);
  return made;
}

async function discover() {
  const issuer = new URL(config.issuer);
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...options }));
}

/** Send; send once more if the server wants its nonce in the proof. */
async function withNonce(send) {
  try {
    return await send();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return send();
  }
}

async function signIn() {
  const request = { verifier: oauth.generateRandomCodeVerifier(), state: oauth.generateRandomState() };
  sessionStorage.setItem("request", JSON.stringify(request));
  const parameters = {
    redirect_uri: redirectUri,
    response_type: "code",
    scope: "profile.read",
    code_challenge: await oauth.calculatePKCECodeChallenge(request.verifier),
    code_challenge_method: "S256",
    state: request.state,
  };
  const pushed = await withNonce(async () => {
    const answer = await oauth.pushedAuthorizationRequest(as, client, nobody, parameters, { DPoP, ...options });
    return oauth.processPushedAuthorizationResponse(as, client, answer);
  });
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri });
  location.assign(url);
}

/** The person is back, with a code or an error in the URL. */
async function finishSignIn() {
  const request = JSON.parse(sessionStorage.getItem("request") ?? "{}");
  sessionStorage.removeItem("request");
  const answer = new URL(location.href);
  history.replaceState(null, "", redirectUri); // the code is in no bookmark
  const callback = oauth.validateAuthResponse(as, client, answer, request.state ?? oauth.expectNoState);
  const tokens = await withNonce(async () => {
    const response = await oauth.authorizationCodeGrantRequest(
      as, client, nobody, callback, redirectUri, request.verifier, { DPoP, ...options },
    );
    return oauth.processAuthorizationCodeResponse(as, client, response);
  });
  await keep("tokens", tokens);
}

/** New tokens; one tab at a time, because a refresh token is replaced when it is used. */
function refresh() {
  return navigator.locks.request("refresh", async () => {
    const before = await load("tokens");
    const tokens = await withNonce(async () => {
      const response = await oauth.refreshTokenGrantRequest(as, client, nobody, before.refresh_token, { DPoP, ...options });
      return oauth.processRefreshTokenResponse(as, client, response);
    });
    await keep("tokens", { ...before, ...tokens });
  });
}

async function callApi() {
  const { access_token: token } = await load("tokens");
  const answer = await withNonce(() =>
    oauth.protectedResourceRequest(token, "GET", new URL(`${config.api}/me`), undefined, undefined, { DPoP, ...options }),
  );
  return `You are ${(await answer.json()).name}.`;
}

async function signOut() {
  const { refresh_token: token } = await load("tokens");
  await forget("tokens");
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, nobody, token, options));
}

// --- the page ------------------------------------------------------------------------------------------------------
const element = (id) => document.getElementById(id);
const say = (text) => (element("said").textContent = text);

async function show(text) {
  const signedIn = Boolean(await load("tokens"));
  element("sign-in").hidden = signedIn;
  for (const id of ["call", "refresh", "sign-out"]) element(id).hidden = !signedIn;
  say(text ?? (signedIn ? "You are signed in." : "Nobody is signed in."));
}

async function act(doIt) {
  say("One moment …");
  try {
    await show(await doIt());
  } catch (error) {
    // What the server says of a refusal can be read across origins, its reference too.
    const reference = error.response?.headers.get("Error-Reference");
    await show(`That did not work: ${error.error ?? error.message}${reference ? ` (reference ${reference})` : ""}`);
  }
}

element("sign-in").onclick = () => act(signIn);
element("call").onclick = () => act(callApi);
element("refresh").onclick = () => act(async () => (await refresh(), "You have new tokens."));
element("sign-out").onclick = () => act(signOut);

if (/[?&](code|error)=/.test(location.search)) await act(finishSignIn);
else await show();
