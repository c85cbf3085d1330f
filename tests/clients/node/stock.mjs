// What stock clients and resource servers of Node make of a token server: `node stock.mjs NAME` prints one line of JSON.
// ISSUER, AUDIENCE, CLIENT_ID and CLIENT_SECRET come from the environment. Plain http is allowed: it is this machine.
import express from "express";
import { auth } from "express-oauth2-jwt-bearer";
import * as jose from "jose";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";

const { ISSUER, AUDIENCE, CLIENT_ID, CLIENT_SECRET } = process.env;
const insecure = { [oauth.allowInsecureRequests]: true };

async function configuration() {
  return openid.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET, undefined, {
    algorithm: "oauth2",
    execute: [openid.allowInsecureRequests],
  });
}

async function token() {
  return (await openid.clientCredentialsGrant(await configuration())).access_token;
}

const stories = {
  async oauth4webapi() {
    const url = new URL(ISSUER);
    const found = await oauth.discoveryRequest(url, { algorithm: "oauth2", ...insecure });
    const server = await oauth.processDiscoveryResponse(url, found);
    const client = { client_id: CLIENT_ID };
    const proof = oauth.ClientSecretBasic(CLIENT_SECRET);
    const answer = await oauth.clientCredentialsGrantRequest(server, client, proof, {}, insecure);
    const granted = await oauth.processClientCredentialsResponse(server, client, answer);
    const request = new Request("https://api.example.com/", {
      headers: { authorization: `Bearer ${granted.access_token}` },
    });
    const claims = await oauth.validateJwtAccessToken(server, request, AUDIENCE, insecure);
    return { type: granted.token_type, client: claims.client_id };
  },

  async "openid-client"() {
    const config = await configuration();
    const granted = await openid.clientCredentialsGrant(config, { scope: "reports:read" });
    await openid.tokenRevocation(config, granted.access_token);
    const wrong = await openid.discovery(new URL(ISSUER), CLIENT_ID, "tss_wrong", undefined, {
      algorithm: "oauth2",
      execute: [openid.allowInsecureRequests],
    });
    const refused = await openid.clientCredentialsGrant(wrong).catch((fault) => fault.status);
    return { scope: granted.scope, refused };
  },

  async jose() {
    const keys = jose.createRemoteJWKSet(new URL(`${ISSUER}/.well-known/jwks.json`));
    const wanted = { issuer: ISSUER, audience: AUDIENCE, typ: "at+jwt", algorithms: ["ES256"] };
    const { payload } = await jose.jwtVerify(await token(), keys, wanted);
    const elsewhere = await jose
      .jwtVerify(await token(), keys, { ...wanted, audience: "https://other.example.com" })
      .catch((fault) => fault.claim);
    return { client: payload.client_id, roles: payload.roles, elsewhere };
  },

  async "express-oauth2-jwt-bearer"() {
    const app = express();
    app.use(
      auth({
        issuer: ISSUER,
        jwksUri: `${ISSUER}/.well-known/jwks.json`,
        audience: AUDIENCE,
        tokenSigningAlg: "ES256",
        strict: true,
      }),
    );
    app.get("/", (request, answer) => answer.json({ client: request.auth.payload.client_id }));
    app.use((fault, _request, answer, _next) => answer.status(fault.status).json({}));
    const server = app.listen(0, "127.0.0.1");
    await new Promise((done) => server.on("listening", done));
    const url = `http://127.0.0.1:${server.address().port}/`;
    const good = await fetch(url, { headers: { authorization: `Bearer ${await token()}` } });
    const none = await fetch(url);
    const forged = await fetch(url, { headers: { authorization: `Bearer ${await token()}x` } });
    const told = { client: (await good.json()).client, statuses: [good.status, none.status, forged.status] };
    server.close();
    return told;
  },
};

console.log(JSON.stringify(await stories[process.argv[2]]()));
process.exit(0);
