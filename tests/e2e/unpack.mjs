// Unpacks the package's Chromium, the libraries it needs and a font into the folder that is named.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import chromium, { inflate } from "@sparticuz/chromium";

// Its own names two folders of the machine, and not this one.
const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir></fontconfig>
`;

const folder = resolve(process.argv[2]);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
process.env.TMPDIR = folder; // the package unpacks to wherever temporary files go
const libraries = new URL("../bin/al2023.tar.br", import.meta.resolve("@sparticuz/chromium"));
await Promise.all([chromium.executablePath(), inflate(fileURLToPath(libraries))]);
writeFileSync(`${folder}/fonts/fonts.conf`, FONTS);
