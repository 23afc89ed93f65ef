import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { copiesOf } from "@/api/copies";
import type { Copy } from "@/ui/overlays/copy-menu";
import { copiesOfList } from "./copies";
import type { JobsSearch } from "./jobs-search";

/** Run what was copied in a real shell, where each program prints its arguments; what it would run, it must not. */
function runInShell(text: string, shell: "bash" | "sh" = "bash"): string[] {
  const show = "printf '%s\\0' \"$@\"";
  const script = `signoff() { ${show}; }\ncurl() { ${show}; }\n${text}\n`;
  const env = { SIGNOFF_TOKEN: "a secret", LC_ALL: "C", PATH: "" };
  return execFileSync(`/bin/${shell}`, ["-c", script], { encoding: "utf8", env, stdio: ["ignore", "pipe", "inherit"] })
    .split("\0")
    .slice(0, -1);
}

function make(copies: readonly Copy[], words: string): string {
  const found = copies.find((copy) => copy.words === words);
  if (!found) throw new Error(`it cannot be copied as ${words}`);
  return found.make();
}

/** Texts that a shell must neither run, split nor expand, nor a terminal act on. */
const HOSTILE = [
  "it's",
  '"; touch owned; "',
  "$(touch owned) `touch owned` $HOME $((1+1))",
  "two\nlines; touch owned\n",
  "a\ttab and \x1b[201~ the end of a paste\x03",
  "!! and it's !\x07",
  "back\\slash \\' \\n",
  "-x",
  "--status",
  "=ls",
  "*.py ~ {a,b} [a-z] #no",
  "häuser 中文 😀 \u202eright to left\u202c \u009b31m",
  " ",
];

it.each(HOSTILE)("quotes %j for a shell", (text) => {
  const command = make(copiesOfList({ text, criterion: text, notCriterion: [text] }), "CLI");
  expect(command).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  const options = ["--criterion-not-met", "--not-criterion-not-met", "--text"];
  const expected = options.flatMap((flag) => (text.startsWith("-") ? [`${flag}=${text}`] : [flag, text]));
  expect(runInShell(command)).toEqual(["jobs", "list", ...expected]);
  const [, header, address = ""] = runInShell(make(copiesOfList({ text }), "curl"));
  expect(header).toBe("Authorization: Bearer a secret");
  expect(new URL(address).searchParams.get("text")).toBe(text);
});

it.each([
  ["job", "poem:1", "/api/jobs/poem%3A1", ["jobs", "show", "poem:1"]],
  ["agent", "writer", "/api/agents/writer", ["agents", "show", "writer"]],
  ["batch", "0199", "/api/operations/0199", ["batches", "get", "0199"]],
  ["judge policy", "strict", "/api/judges/strict", ["judges", "show", "strict"]],
  ["criteria set", "prose", "/api/criteria-sets/prose", ["criteria", "show", "prose"]],
] as const)("copies a %s as what reads it, in any shell", (kind, id, path, words) => {
  const copies = copiesOf(kind, id);
  expect(copies.map((copy) => copy.words)).toEqual(["link", kind.includes(" ") ? "name" : "id", "curl", "CLI"]);
  expect(runInShell(make(copies, "CLI"), "sh")).toEqual(words);
  expect(make(copies, "curl")).toBe(`curl -H "Authorization: Bearer $SIGNOFF_TOKEN" ${location.origin}${path}`);
  expect(make(copies, "link")).toBe(location.href);
});

it("names each filter as the command line does", () => {
  expect(make(copiesOfList({}), "CLI")).toBe("signoff jobs list");
  expect(make(copiesOfList({ status: ["FAILED", "ASSIGNED"], agent: "writer", period: "24h" }), "CLI")).toBe(
    "signoff jobs list --status FAILED --status ASSIGNED --agent writer --created-after 24h --not-cancelled",
  );
  const search: JobsSearch = {
    label: ["team:a:b"],
    notLabel: ["floor:2"],
    batch: "0199",
    notAgent: ["x"],
    tenant: "-a",
  };
  expect(make(copiesOfList(search), "CLI")).toBe(
    "signoff jobs list --tenant=-a --batch 0199 --label team=a:b --not-agent x --not-label floor=2",
  );
  expect(make(copiesOfList({ costMin: 0.5, durationMax: 60, sort: "cost", cancelled: true }), "CLI")).toBe(
    "signoff jobs list --cost-usd-min 0.5 --duration-s-max 60 --order=-cost_usd --cancelled",
  );
});

it("offers no command that would ask something else", () => {
  expect(copiesOfList({ unknown: ["sttus=FAILED"] }).map(({ words }) => words)).toEqual(["link"]);
  expect(copiesOfList({ label: ["a=b:c"] }).map(({ words }) => words)).toEqual(["link", "curl"]);
});
