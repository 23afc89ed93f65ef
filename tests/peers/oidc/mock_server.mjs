// A provider that signs in everybody as `johndoe`, of the group `press`: `node mock_server.mjs PORT OTHER`. GET at the other port adds a key.
import { createServer } from "node:http";
import { OAuth2Server } from "oauth2-mock-server";

const [port, other] = process.argv.slice(2).map(Number);
const server = new OAuth2Server();
await server.issuer.keys.generate("RS256");
server.service.on("beforeTokenSigning", (token) => {
  token.payload.groups = ["press"];
});
await server.start(port, "127.0.0.1");
createServer(async (_, response) => {
  await server.issuer.keys.generate("ES256");
  response.end();
}).listen(other, "127.0.0.1");
