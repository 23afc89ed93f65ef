import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { budget } from "./budget.ts";

const COMPRESSED = /\.(js|css|svg|json)$/;
const COMPRESSED_MIN_BYTES = 1_000;
const CONSOLE = process.env.SIGNOFF_CONSOLE ?? "http://127.0.0.1:8080";

/** Writes a .gz beside each text file, so that the console compresses nothing twice. */
function precompress(): Plugin {
  let directory = "";
  return {
    name: "precompress",
    apply: "build",
    configResolved: (config) => {
      directory = join(config.build.outDir, config.build.assetsDir);
    },
    closeBundle: () => {
      for (const name of readdirSync(directory)) {
        const data = readFileSync(join(directory, name));
        if (COMPRESSED.test(name) && data.length >= COMPRESSED_MIN_BYTES) {
          writeFileSync(join(directory, `${name}.gz`), gzipSync(data, { level: constants.Z_BEST_COMPRESSION }));
        }
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), tailwindcss(), precompress(), budget()],
  resolve: {
    alias: {
      "@": fileURLToPath(new URL("./src", import.meta.url)),
      // The parser of Markdown runs in a worker, which has no document to ask for the names of characters.
      "decode-named-character-reference": fileURLToPath(
        new URL("./node_modules/decode-named-character-reference/index.js", import.meta.url),
      ),
    },
  },
  // The console puts each answer's own nonce in the place of this word.
  html: { cspNonce: "NONCE" },
  build: {
    outDir: fileURLToPath(new URL("../console/static", import.meta.url)),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2_000, // Swagger UI, which is fetched for /docs alone
    rolldownOptions: { input: ["index.html", "docs.html"] },
  },
  worker: { format: "es" },
  // The console begins and ends sessions; the page at /login, to which login links lead, is the one that is worked on.
  server: {
    proxy: {
      "/api": CONSOLE,
      "^/log(in|out)$": {
        target: CONSOLE,
        changeOrigin: true,
        bypass: ({ method }) => (method === "POST" ? undefined : "/index.html"),
      },
    },
  },
  test: {
    environment: "jsdom",
    environmentOptions: { jsdom: { url: "http://signoff.test/" } },
    setupFiles: ["src/testing/setup.ts"],
    restoreMocks: true,
    unstubGlobals: true,
    maxWorkers: 2,
    isolate: false, // setup.ts leaves nothing behind; a jsdom for each file would take half of the time
    testTimeout: 30_000, // on a machine that has much else to do
    css: false,
  },
});
