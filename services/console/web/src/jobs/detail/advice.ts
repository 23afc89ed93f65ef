/** What each error code means for whoever reads it: a sentence, and what to do. */
type Advice = { means: string; todo: string };

const ADVICE: Record<string, Advice> = {
  agent_status: {
    means: "The agent answered with an HTTP status that is no success.",
    todo: "Look at its answer below and at the agent's own log; then execute again, or assign another agent.",
  },
  agent_timeout: {
    means: "The agent did not answer within the time of one attempt.",
    todo: "Give the attempt more time in the policy, or assign a quicker agent; then execute again.",
  },
  agent_connect_timeout: {
    means: "No connection to the agent came about in time.",
    todo: "See whether the agent runs and can be reached from the executor; then execute again.",
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
    means: "An asynchronous agent was silent for longer than agreed.",
    todo: "See whether the agent still works; then execute again.",
  },
  agent_work_lost: {
    means: "The agent no longer knows of the work it was given.",
    todo: "It probably restarted. Execute again.",
  },
  agent_failed: {
    means: "The agent said that it failed.",
    todo: "Read its message below; change the payload or assign another agent.",
  },
  agent_declined: {
    means: "The agent declined the job.",
    todo: "Read its reason below; assign another agent.",
  },
  agent_invalid_json: {
    means: "What the agent answered is not JSON.",
    todo: "The agent must be mended; nothing was judged.",
  },
  agent_address_forbidden: {
    means: "The agent's address lies in a network that executors may not call.",
    todo: "Correct the address, or let the executor call that network (SIGNOFF_AGENT_NETWORKS).",
  },
  attempts_exhausted: {
    means: "All attempts that the policy allows were used up.",
    todo: "Read what each attempt met, in the history; then execute again.",
  },
  deadline_exceeded: {
    means: "The job was not done within its deadline.",
    todo: "Give it more time in the policy, then execute again.",
  },
  queue_timeout: {
    means: "No executor took the work in time.",
    todo: "See whether executors run and keep up; then execute again.",
  },
  judging_timeout: {
    means: "The result was not judged in time.",
    todo: "See whether validators run and the judge's model answers; then execute again.",
  },
  lease_lapsed: {
    means: "A worker disappeared while it held the job; the work was given to another.",
    todo: "Nothing, as long as the job goes on.",
  },
  budget_exhausted: {
    means: "The job has spent its budget.",
    todo: "Raise the budget in the policy, or leave it.",
  },
  queue_full: { means: "The queue of this limit is full.", todo: "Wait until it drains, or raise the limit." },
  no_agent_matches: {
    means: "No enabled agent has the capabilities that the job asks for.",
    todo: "Register such an agent, or assign one by hand.",
  },
  cancelled: { means: "Somebody cancelled it.", todo: "Assign and execute it again if it is still wanted." },
};

const UNKNOWN: Advice = {
  means: "The job failed for a reason that this page has no words for.",
  todo: "Read the message below; the code finds it in the services' logs.",
};

export function adviceOn(code: string | null | undefined): Advice {
  return (code && ADVICE[code]) || UNKNOWN;
}
