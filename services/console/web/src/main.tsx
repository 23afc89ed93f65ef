import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App, takeLoginCode } from "./app/App";
import "./styles/app.css";

// A dialog locks the scrolling with a style of its own, which the page's policy lets through by this nonce alone.
setNonce(document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "");

const loginCode = takeLoginCode();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App loginCode={loginCode} />
    </StrictMode>,
  );
}
