/** What a code of a call of an agent means, and what to do about it. */
export type Advice = { means: string; todo: string };

const EXECUTE_AGAIN = "Execute again, or assign another agent.";
export const MEND_AGENT = "The agent has to be fixed; nothing was judged.";

/** Advice for each code that a call of an agent records. */
export const AGENT_ADVICE: Record<string, Advice> = {
  agent_status: {
    means: "The agent answered with an HTTP error status.",
    todo: "Look at its answer below and at the agent's own log; then execute again, or assign another agent.",
  },
  agent_redirect: {
    means: "The agent answered with a redirect, which is not followed.",
    todo: "Register the agent with the address that it redirects to.",
  },
  agent_timeout: {
    means: "The agent did not answer within the time of one attempt.",
    todo: "Give the attempt more time in the policy, or assign a quicker agent; then execute again.",
  },
  agent_connect_timeout: {
    means: "No connection to the agent was made in time.",
    todo: "Check whether the agent runs and can be reached from the executor; then execute again.",
  },
  agent_unreachable: {
    means: "The agent could not be reached at its address.",
    todo: "Check the agent's address and whether it runs; then execute again.",
  },
  agent_connection_lost: {
    means: "The connection broke before the agent had answered.",
    todo: "The agent may have restarted. Execute again; the work may then be done twice.",
  },
  agent_heartbeat_timeout: {
    means: "An asynchronous agent was silent for longer than allowed.",
    todo: "Check whether the agent still works; then execute again.",
  },
  agent_work_unknown: { means: "The agent does not show the work, and is called once.", todo: "Ask its owner." },
  agent_work_lost: {
    means: "The agent no longer knows of the work it was given.",
    todo: "It probably restarted. Execute again.",
  },
  agent_failed: {
    means: "The agent reported that it failed.",
    todo: "Read its message below; change the payload or assign another agent.",
  },
  agent_refused: {
    means: "The model refused the task.",
    todo: "Read its words below; change the task or the agent's instructions, or assign another agent.",
  },
  agent_truncated: {
    means: "The model's answer reached its bound of tokens.",
    todo: "Allow more by the agent's parameters or the policy's budget of tokens; then execute again.",
  },
  agent_content_filtered: {
    means: "A content filter of the model's server stopped the answer.",
    todo: "Change the task, or assign another agent.",
  },
  agent_quota_exhausted: {
    means: "The key's quota at the model's server is used up.",
    todo: "Raise it there; then execute again.",
  },
  agent_output_invalid: {
    means: "The model's answer has no text, or is no JSON by the agent's schema.",
    todo: "Execute again; if that fails, too, change the schema or instructions, or use another model.",
  },
  agent_declined: { means: "The agent declined the job.", todo: "Read its reason below; assign another agent." },
  agent_error: { means: "The call of the agent failed.", todo: EXECUTE_AGAIN },
  agent_invalid_json: { means: "What the agent answered is not JSON.", todo: MEND_AGENT },
  agent_invalid_status: { means: "The agent reported a status of its work that is not understood.", todo: MEND_AGENT },
  agent_invalid_location: { means: "The agent did not say where its work's status can be read.", todo: MEND_AGENT },
  agent_invalid_url: { means: "The agent's address cannot be called.", todo: "Correct it; then execute again." },
  agent_address_forbidden: {
    means: "The agent's address lies in a network that executors may not call.",
    todo: "Correct the address, or let the executor call that network (SIGNOFF_AGENT_NETWORKS).",
  },
  agent_header_unresolved: {
    means: "The executor could not read a header of the agent, or the secret that signs its calls; nothing was sent.",
    todo: "Provide the variable or file that the message names where the executors run; then execute again.",
  },
  agent_value_forbidden: {
    means: "A header of the agent, or the secret that signs its calls, is not of the agent's tenant; nothing was sent.",
    todo: "Name a value of its own tenant, as the message says; then execute again.",
  },
  unknown_protocol: {
    means: "The executor does not know the agent's protocol.",
    todo: "Update the executors, or register the agent with a protocol that they know.",
  },
  result_too_large: {
    means: "The agent's result is larger than allowed.",
    todo: "Ask for less, or have the agent answer with a link to its result.",
  },
  agent_input_required: {
    means: "The agent's work waits for an answer, which nobody gives it.",
    todo: "Put what it asks for into the payload; then execute again.",
  },
  agent_canceled: {
    means: "The agent's work was canceled at the agent, and not from here.",
    todo: "Ask the agent's owner; then execute again.",
  },
  agent_output_missing: {
    means: "What the agent made has nothing where its settings say that the result is.",
    todo: "Correct the path in the agent's settings, as the message says; then execute again.",
  },
  agent_auth_required: {
    means: "The agent's work waits for an authorization, which nobody gives it.",
    todo: "Give the agent's headers the rights that it asks for; then execute again.",
  },
  agent_card_unreadable: {
    means: "The card that says where the agent is called cannot be read; nothing was sent.",
    todo: "Check whether the agent's URL is the one below which its card is; then execute again.",
  },
  agent_protocol_version: {
    means: "The agent does not speak the version of its protocol that executors speak.",
    todo: "Update the agent, or assign another.",
  },
  agent_part_unsupported: {
    means: "The agent's result has a file, or not the parts that its settings name.",
    todo: "Have it answer with text or data, or correct the agent's settings; then execute again.",
  },
};
