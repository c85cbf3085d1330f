// @node-oauth/oauth2-server behind Express, as its documentation runs it: client credentials, opaque tokens, in memory.
// node rival_oauth2_server.mjs PORT CLIENTS.json   (clients: [[id, secret], …]; run where the packages are installed)

import { readFileSync } from 'node:fs';
import express from 'express';
import OAuthServer from '@node-oauth/express-oauth-server';

const [port, file] = process.argv.slice(2);
const secrets = new Map(JSON.parse(readFileSync(file, 'utf8')));
const tokens = new Map();
const MOST_KEPT = 100_000;

const oauth = new OAuthServer({
  model: {
    getClient: (id, secret) => (secrets.get(id) === secret ? { id, grants: ['client_credentials'] } : null),
    getUserFromClient: (client) => ({ id: client.id }),
    validateScope: (user, client, scope) => scope,
    saveToken: (token, client, user) => {
      if (tokens.size >= MOST_KEPT) tokens.clear(); // so that it can run for as long as it likes
      const kept = { ...token, client, user };
      tokens.set(token.accessToken, kept);
      return kept;
    },
  },
});

const app = express();
app.use(express.urlencoded({ extended: false }));
app.post('/oauth/token', oauth.token());
app.get('/', (_, response) => response.send('ready'));
app.listen(Number(port), '127.0.0.1');
