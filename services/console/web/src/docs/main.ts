import "swagger-ui-dist/swagger-ui.css";
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

const DARK = matchMedia("(prefers-color-scheme: dark)");

/** Apply the theme that was chosen in the console, else the system's. */
function follow(): void {
  const chosen = choice();
  const isDark = chosen === '"dark"' || (chosen !== '"light"' && DARK.matches);
  document.documentElement.classList.toggle("dark-mode", isDark);
  document.documentElement.style.colorScheme = isDark ? "dark" : "light";
}

function choice(): string | null {
  try {
    return localStorage.getItem("signoff.theme");
  } catch {
    return null; // storage is forbidden
  }
}

follow();
DARK.addEventListener("change", follow);

// The API's description, to read and to try out; a page of its own, which shares nothing else with the other.
SwaggerUI({
  dom_id: "#root",
  url: "/openapi.json",
  validatorUrl: null, // else a stranger's server is asked what it thinks of it
  deepLinking: true,
  docExpansion: "list",
});
