// An A2A server by @a2a-js/sdk on loopback, at the port that it is given: JSON-RPC at /rpc, HTTP+JSON at /rest.
// The first word of a message says what becomes of it; each is answered in its own time, of which `slow` takes long.
import express from "express";
import { AGENT_CARD_PATH, TaskState } from "@a2a-js/sdk";
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from "@a2a-js/sdk/server";
import { UserBuilder, agentCardHandler, jsonRpcHandler, restHandler } from "@a2a-js/sdk/server/express";

const [port, binding] = [Number(process.argv[2]), process.argv[3]];
const base = `http://127.0.0.1:${port}`;
const places = { JSONRPC: `${base}/rpc`, "HTTP+JSON": `${base}/rest` };
const card = {
  name: "Echo",
  description: "Says what it is told",
  version: "1",
  supportedInterfaces: [{ url: places[binding], protocolBinding: binding, protocolVersion: "1.0", tenant: "" }],
  capabilities: { streaming: false, pushNotifications: false, extensions: [] },
  defaultInputModes: ["text/plain"],
  defaultOutputModes: ["text/plain", "application/json"],
  skills: [{ id: "echo", name: "Echo", description: "Says what it is told", tags: ["echo"], examples: [] }],
  securitySchemes: {},
  securityRequirements: [],
  signatures: [],
};
const part = (content) => ({ content, metadata: undefined, filename: "", mediaType: "" });
const text = (value) => part({ $case: "text", value });
const PARTS = {
  data: part({ $case: "data", value: { sky: "blue" } }),
  file: part({ $case: "raw", value: Buffer.from("blue") }),
};
const ENDS = { fail: TaskState.TASK_STATE_FAILED, reject: TaskState.TASK_STATE_REJECTED, ask: TaskState.TASK_STATE_INPUT_REQUIRED };

class Echo {
  canceled = new Set();

  async execute({ taskId, contextId, userMessage, task }, bus) {
    const said = userMessage.parts[0].content.value;
    const [word] = said.split(" ");
    const tell = (state, words) => {
      const message = words && { messageId: crypto.randomUUID(), contextId, taskId, role: 2, parts: [text(words)], metadata: undefined, extensions: [], referenceTaskIds: [] };
      const status = { state, message, timestamp: new Date().toISOString() };
      bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status, metadata: undefined }));
    };
    const status = { state: TaskState.TASK_STATE_SUBMITTED, message: undefined, timestamp: new Date().toISOString() };
    bus.publish(AgentEvent.task(task ?? { id: taskId, contextId, status, artifacts: [], history: [userMessage], metadata: undefined }));
    tell(TaskState.TASK_STATE_WORKING, "at it");
    const end = Date.now() + (word === "slow" ? 60_000 : 300);
    while (Date.now() < end && !this.canceled.has(taskId)) await new Promise((resolve) => setTimeout(resolve, 50));
    if (this.canceled.has(taskId)) tell(TaskState.TASK_STATE_CANCELED);
    else if (word in ENDS) tell(ENDS[word], `${word}, it said`);
    else {
      const artifact = { artifactId: "a1", name: "answer", description: "", parts: [PARTS[word] ?? text(said)], metadata: undefined, extensions: [] };
      bus.publish(AgentEvent.artifactUpdate({ taskId, contextId, artifact, append: false, lastChunk: true, metadata: undefined }));
      tell(TaskState.TASK_STATE_COMPLETED);
    }
    bus.finished();
  }

  cancelTask = async (taskId) => void this.canceled.add(taskId);
}

const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), new Echo());
const userBuilder = UserBuilder.noAuthentication;
const app = express();
app.use(`/${AGENT_CARD_PATH}`, agentCardHandler({ agentCardProvider: requestHandler }));
app.use("/rpc", jsonRpcHandler({ requestHandler, userBuilder }));
app.use("/rest", restHandler({ requestHandler, userBuilder }));
app.listen(port, "127.0.0.1");
