// oauth4webapi: one flow, by name, with what the test writes first.
import * as oauth from "oauth4webapi";
import { outcome, read, readKey, write } from "./lines.mjs";

const setup = await read();
const insecure = { [oauth.allowInsecureRequests]: true };

const issuer = new URL(setup.issuer);
const as = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: setup.algorithm ?? "oauth2", ...insecure }),
);
const client = { client_id: setup.client_id };
const auth = oauth.PrivateKeyJwt(await readKey(setup.key, setup.alg));
const dpop = oauth.DPoP(client, await oauth.generateKeyPair(setup.alg));
const thief = oauth.DPoP(client, await oauth.generateKeyPair(setup.alg));

/** Sends; sends once more if the server wants its nonce in the proof. */
async function withNonce(send) {
  try {
    return await send();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return await send();
  }
}

async function callApi(token, DPoP = dpop) {
  const send = () => oauth.protectedResourceRequest(token, "GET", new URL(setup.api), undefined, undefined, { DPoP, ...insecure });
  try {
    return await (await withNonce(send)).json();
  } catch (error) {
    if (error.code !== oauth.WWW_AUTHENTICATE_CHALLENGE) throw error;
    return { error: error.cause[0].parameters.error };
  }
}

const flows = {
  async machine() {
    const token = await outcome(() => withNonce(async () => {
      const answer = await oauth.clientCredentialsGrantRequest(as, client, auth, {}, { DPoP: dpop, ...insecure });
      return await oauth.processClientCredentialsResponse(as, client, answer);
    }));
    if (token.error) return write({ token });
    write({ token: { type: token.token_type }, api: await callApi(token.access_token), stolen: await callApi(token.access_token, thief) });
  },

  async person() {
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const nonce = oauth.generateRandomNonce();
    const parameters = {
      redirect_uri: setup.redirect_uri,
      response_type: "code",
      scope: setup.scope,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      state,
      nonce,
    };
    const pushed = await withNonce(async () => {
      const answer = await oauth.pushedAuthorizationRequest(as, client, auth, parameters, { DPoP: dpop, ...insecure });
      return await oauth.processPushedAuthorizationResponse(as, client, answer);
    });
    const url = new URL(as.authorization_endpoint);
    url.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri });
    write(url.href);
    const callback = oauth.validateAuthResponse(as, client, new URL(await read()), state);

    const redeem = (DPoP, code_verifier = verifier) => outcome(() => withNonce(async () => {
      const answer = await oauth.authorizationCodeGrantRequest(
        as, client, auth, callback, setup.redirect_uri, code_verifier, { DPoP, ...insecure },
      );
      return await oauth.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: nonce, requireIdToken: true });
    }));
    const withAnotherKey = await redeem(thief);
    const withAnotherVerifier = await redeem(dpop, oauth.generateRandomCodeVerifier());
    const token = await redeem(dpop);
    const claims = oauth.getValidatedIdTokenClaims(token);
    const first = await callApi(token.access_token);

    const refreshed = await withNonce(async () => {
      const answer = await oauth.refreshTokenGrantRequest(as, client, auth, token.refresh_token, { DPoP: dpop, ...insecure });
      return await oauth.processRefreshTokenResponse(as, client, answer);
    });
    const userinfo = await withNonce(async () => {
      const answer = await oauth.userInfoRequest(as, client, refreshed.access_token, { DPoP: dpop, ...insecure });
      return await oauth.processUserInfoResponse(as, client, claims.sub, answer);
    });
    const second = await callApi(refreshed.access_token);
    const seen = await (async () => {
      const answer = await oauth.introspectionRequest(as, client, auth, refreshed.access_token, insecure);
      return await oauth.processIntrospectionResponse(as, client, answer);
    })();
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(as, client, auth, refreshed.refresh_token ?? token.refresh_token, insecure),
    );
    const afterwards = await outcome(() => withNonce(async () => {
      const answer = await oauth.refreshTokenGrantRequest(as, client, auth, token.refresh_token, { DPoP: dpop, ...insecure });
      return await oauth.processRefreshTokenResponse(as, client, answer);
    }));
    write({
      withAnotherKey, withAnotherVerifier, first, second, afterwards,
      sub: claims.sub, userinfo: userinfo.sub, active: seen.active, type: refreshed.token_type,
    });
  },
};

await flows[setup.flow]();
process.exit(0);
