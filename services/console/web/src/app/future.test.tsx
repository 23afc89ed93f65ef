import { QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRouter, RouterProvider } from "@tanstack/react-router";
import { render, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";
import { LiveStream } from "@/live/live-stream";
import { createQueryClient } from "@/live/query-client";
import { FakeEventSource } from "@/testing/fake-event-source";
import { json, on } from "@/testing/server";
import api from "../../openapi.json";
import { router } from "./router";

type Schema = {
  $ref?: string;
  type?: string;
  format?: string;
  const?: unknown;
  enum?: string[];
  "x-extensible-enum"?: string[];
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
};

const NEW_WORD = "A_NEW_WORD";
const schemas = api.components.schemas as unknown as Record<string, Schema>;

/** Texts that have a form of their own, by the name of their member. */
const TEXTS: Record<string, string> = { url: "http://agent", code: "a_new_code", evidence: "moon" };

/** Return what a server of the future answers: each enumeration has a new word, and each object a new member. */
function answerAnew(schema: Schema, name = "", depth = 0): unknown {
  if (schema.$ref) return answerAnew(schemas[schema.$ref.split("/").at(-1) ?? ""] ?? {}, name, depth);
  const some = schema.anyOf?.filter(({ type }) => type !== "null");
  if (some) return answerAnew(some[0] ?? {}, name, depth);
  if (schema["x-extensible-enum"] || schema.enum) return NEW_WORD;
  switch (schema.type) {
    case "array":
      return [answerAnew(schema.items ?? {}, name, depth)];
    case "object":
      return answerObject(schema, name, depth);
    case "string":
      return schema.format === "date-time" ? "2030-01-02T03:04:05.000000Z" : textOf(name, schema.format);
    case "integer":
      return 2;
    case "number":
      return 0.5;
    case "boolean":
      return true;
    default:
      return { new: [1] };
  }
}

function textOf(name: string, format?: string): string {
  if (name === "next_page_token") return "";
  if (name.endsWith("_usd") || name.startsWith("cost_")) return "0.5";
  return TEXTS[name] ?? (format === "uuid" ? "0197a0a0-0000-7000-8000-000000000001" : "a text");
}

function answerObject(schema: Schema, name: string, depth: number): Record<string, unknown> {
  if (depth > 8) return {};
  const members = Object.entries(schema.properties ?? {}).map(([key, member]) => [
    key,
    answerAnew(member, key, depth + 1),
  ]);
  const values = schema.additionalProperties;
  const others = typeof values === "object" ? [[NEW_WORD, answerAnew(values, name, depth + 1)]] : [["new", [1]]];
  return Object.fromEntries([...members, ...others]);
}

/** Answer each GET of the API's document. */
function serveTheFuture() {
  for (const [path, methods] of Object.entries(api.paths as Record<string, Record<string, unknown>>)) {
    const get = methods.get as { responses: Record<string, { content?: Record<string, { schema: Schema }> }> };
    const schema = get?.responses["200"]?.content?.["application/json"]?.schema;
    if (schema) on("get", path.replaceAll(/\{(\w+)\}/g, ":$1"), () => json(answerAnew(schema) as object));
  }
}

beforeEach(() => {
  vi.stubGlobal("EventSource", FakeEventSource);
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue(new DOMRect(0, 0, 400, 180));
  serveTheFuture();
});

async function open(address: string, client = createQueryClient()) {
  const history = createMemoryHistory({ initialEntries: [address] });
  const pages = createRouter({ ...router.options, history, scrollRestoration: false } as never);
  render(
    <QueryClientProvider client={client}>
      <RouterProvider router={pages as never} />
    </QueryClientProvider>,
  );
  await waitFor(() => expect(screen.queryByText(/^Loading/)).not.toBeInTheDocument());
}

it.each([
  ["/", "Inbox"],
  ["/jobs", "A_NEW_WORD"],
  ["/jobs/poem", "A_NEW_WORD"],
  ["/new", "Create"],
  ["/batches", "A_NEW_WORD"],
  ["/batches/b", "A_NEW_WORD"],
  ["/agents", "A_NEW_WORD"],
  ["/system/limits", "a text"],
  ["/quality/judges", "a text"],
  ["/quality/judges/strict", "a text"],
  ["/quality/criteria-sets/plain", "a text"],
  ["/quality/try", "Try a judge"],
  ["/quality/evaluations", "Evaluations"],
  ["/system", "System"],
  ["/system/dead-letters", "a_new_code"],
])("%s shows what a server of the future answers", async (address, words) => {
  const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
  await open(address);
  await waitFor(() => expect(document.body.textContent?.toUpperCase()).toContain(words.toUpperCase()));
  expect(screen.queryByRole("alert")).not.toBeInTheDocument();
  expect(errors.mock.calls.flat().filter((each) => each instanceof Error)).toEqual([]);
});

it("so does an event of the stream", async () => {
  const client = createQueryClient();
  const stop = new LiveStream(client, (address) => new FakeEventSource(address)).start();
  await open("/jobs", client);
  FakeEventSource.last.emitOpen();
  const change = answerAnew({ $ref: "#/components/schemas/JobChange" }) as { job: object; log: object };
  const later = { ...change, version: 3, job: { ...change.job, version: 3, status: "ANOTHER_WORD" } };
  FakeEventSource.last.emit("job-changed", { ...later, job_id: "a text", log: { ...change.log, version: 3 } });
  await waitFor(() => expect(document.body).toHaveTextContent("ANOTHER_WORD"));
  stop();
});
