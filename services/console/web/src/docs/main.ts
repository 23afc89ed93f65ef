import "swagger-ui-dist/swagger-ui.css";
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

// The API's description, to read and to try out; a page of its own, which shares nothing with the other.
SwaggerUI({
  dom_id: "#root",
  url: "/openapi.json",
  validatorUrl: null, // else a stranger's server is asked what it thinks of it
  deepLinking: true,
  docExpansion: "list",
});
