// A certified provider: `node oidc_provider.mjs PORT SECRET REDIRECT_URI`. Who signs in with any name is in the group `press`.
import Provider from "oidc-provider";

const [port, secret, redirectUri] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { client_id: "signoff", client_secret: secret, redirect_uris: [redirectUri] },
    {
      client_id: "signoff-cli",
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["urn:ietf:params:oauth:grant-type:device_code"],
      response_types: [],
      redirect_uris: [],
    },
  ],
  claims: { profile: ["preferred_username", "groups"] },
  conformIdTokenClaims: false,
  cookies: { keys: ["of a test"] },
  features: { deviceFlow: { enabled: true } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, groups: ["press"] }),
  }),
});
provider.listen(Number(port), "127.0.0.1");
