// openid-client: one flow, by name, with what the test writes first.
import * as openid from "openid-client";
import { outcome, read, readKey, write } from "./lines.mjs";

const setup = await read();
const auth = openid.PrivateKeyJwt(await readKey(setup.key, setup.alg));
const config = await openid.discovery(new URL(setup.issuer), setup.client_id, {}, auth, {
  algorithm: setup.algorithm ?? "oauth2",
  execute: [openid.allowInsecureRequests],
});
const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair(setup.alg));
const thief = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair(setup.alg));

async function callApi(token, handle = DPoP) {
  try {
    const answer = await openid.fetchProtectedResource(config, token, new URL(setup.api), "GET", undefined, undefined, { DPoP: handle });
    return await answer.json();
  } catch (error) {
    if (error.code !== "OAUTH_WWW_AUTHENTICATE_CHALLENGE") throw error;
    return { error: error.cause[0].parameters.error };
  }
}

const flows = {
  async machine() {
    const token = await outcome(() => openid.clientCredentialsGrant(config, {}, { DPoP }));
    if (token.error) return write({ token });
    write({ token: { type: token.token_type }, api: await callApi(token.access_token), stolen: await callApi(token.access_token, thief) });
  },

  async person() {
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const expectedState = openid.randomState();
    const expectedNonce = openid.randomNonce();
    const url = await openid.buildAuthorizationUrlWithPAR(config, {
      redirect_uri: setup.redirect_uri,
      scope: setup.scope,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: "S256",
      state: expectedState,
      nonce: expectedNonce,
    }, { DPoP });
    write(url.href);
    const callback = new URL(await read());
    const redeem = (handle, verifier = pkceCodeVerifier) => outcome(() => openid.authorizationCodeGrant(
      config, callback, { pkceCodeVerifier: verifier, expectedState, expectedNonce, idTokenExpected: true }, {}, { DPoP: handle },
    ));
    const withAnotherKey = await redeem(thief);
    const withAnotherVerifier = await redeem(DPoP, openid.randomPKCECodeVerifier());
    const token = await redeem(DPoP);
    const sub = token.claims().sub;
    const first = await callApi(token.access_token);
    const refreshed = await openid.refreshTokenGrant(config, token.refresh_token, {}, { DPoP });
    const userinfo = await openid.fetchUserInfo(config, refreshed.access_token, sub, { DPoP });
    const second = await callApi(refreshed.access_token);
    const seen = await openid.tokenIntrospection(config, refreshed.access_token);
    await openid.tokenRevocation(config, refreshed.refresh_token ?? token.refresh_token);
    const afterwards = await outcome(() => openid.refreshTokenGrant(config, token.refresh_token, {}, { DPoP }));
    write({
      withAnotherKey, withAnotherVerifier, first, second, afterwards,
      sub, userinfo: userinfo.sub, active: seen.active, type: refreshed.token_type,
    });
  },
};

await flows[setup.flow]();
process.exit(0);
