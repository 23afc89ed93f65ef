"""List every code of an error, a refusal or a log's entry, with its statuses and what to do about it.

Parts that answer with a code take its statuses from here; docs/contracts.md shows the list, which a test compares. A
client may meet codes of a newer server that it does not know: these are texts, and `is_retryable` and
`find_http_status` go by their gRPC status.
"""

from enum import StrEnum, auto
from typing import Any, Final, NamedTuple, Self


class Answer(NamedTuple):
    """The gRPC status and the HTTP status that a code is answered with; None if the code is only recorded.

    `is_retryable`: the same request may succeed later, with nothing mended.
    """

    grpc: str | None
    http: int | None
    is_retryable: bool = False

    def __call__(self, sentence: str) -> tuple[Any, Self, str]:
        """Return the value of a member of ErrorCode: its own name, this answer, and its sentence."""
        return auto(), self, sentence


_UNAUTHENTICATED: Final = Answer("UNAUTHENTICATED", 401)
_FORBIDDEN: Final = Answer("PERMISSION_DENIED", 403)
_NOT_FOUND: Final = Answer("NOT_FOUND", 404)
_GONE: Final = Answer("NOT_FOUND", 410)
_CONFLICT: Final = Answer("ALREADY_EXISTS", 409)
_REFUSED: Final = Answer("FAILED_PRECONDITION", 409)
_STALE: Final = Answer("FAILED_PRECONDITION", 412)
_TOO_LARGE: Final = Answer("INVALID_ARGUMENT", 413)
_INVALID: Final = Answer("INVALID_ARGUMENT", 422)
_OUT_OF_RANGE: Final = Answer("OUT_OF_RANGE", 422)
_BUSY: Final = Answer("RESOURCE_EXHAUSTED", 429, is_retryable=True)
_NO_STORAGE: Final = Answer("RESOURCE_EXHAUSTED", 507, is_retryable=True)
_FAULT: Final = Answer("INTERNAL", 500)
_AWAY: Final = Answer("UNAVAILABLE", 503, is_retryable=True)
#: By the REST API alone.
_MALFORMED: Final = Answer(None, 400)
_TOO_MANY: Final = Answer(None, 429, is_retryable=True)
_FULL: Final = Answer(None, 503, is_retryable=True)
#: In logs, reports, dead letters and on a command line: of those that pass, another try may succeed.
_RECORDED: Final = Answer(None, None)
_PASSING: Final = Answer(None, None, is_retryable=True)


class ErrorCode(StrEnum):
    """A stable code. `answer` says with which statuses, and `sentence` what it means and what to do."""

    answer: Answer
    sentence: str

    def __new__(cls, code: str, answer: Answer, sentence: str) -> Self:
        """Make the member of ErrorCode for a code."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.answer = answer
        member.sentence = sentence
        return member

    # Of any call; the first of a gRPC status says the HTTP status of codes that are not known.
    UNAUTHENTICATED = _UNAUTHENTICATED("The call has no token, or an unknown one: give a valid one.")
    FORBIDDEN = _FORBIDDEN("The token does not allow the call: use one of a role that the message names.")
    JUDGE_POLICY_FORBIDDEN = _FORBIDDEN(
        "The tenant may not name the judge policy: name one that its limit allows, or none."
    )
    NOT_FOUND = _NOT_FOUND("Nothing has the id, name or address that was given: correct it.")
    CONFLICT = _CONFLICT("Something else has the id that was given: choose another.")
    REFUSED = _REFUSED("The state of what is asked for does not allow it: read it, and decide anew.")
    INVALID_REQUEST = _INVALID("The request is not well formed: the fields that are named say how to mend it.")
    PERMANENT = _INVALID("What was given cannot be processed, however often it is: correct it.")
    UNKNOWN_CURSOR = _OUT_OF_RANGE("A watch cannot be resumed after this event: begin a new one.")
    TOO_MANY_CALLS = _BUSY("As many calls as the caller's role may have are under way: ask again a little later.")
    TOO_SLOW = _BUSY("The request came, or an answer was taken, too slowly: ask again on a better line.")
    STORAGE_FULL = _NO_STORAGE(
        "A disk or the database is nearly full, and no new work is taken: free space, and ask again; "
        "`signoff doctor` says which."
    )
    UNAVAILABLE = _AWAY("The jobstore cannot be reached now: ask again.")
    INTERNAL = _FAULT("The service failed by a fault of its own: its log says more under the request's id.")
    UNIMPLEMENTED = Answer("UNIMPLEMENTED", 501)("The server does not know the call: it may be of an older version.")
    CALL_CANCELLED = Answer("CANCELLED", 503, is_retryable=True)(
        "The call was cut off, as by a server that stops: ask again."
    )
    CALL_DEADLINE_EXCEEDED = Answer("DEADLINE_EXCEEDED", 503, is_retryable=True)(
        "No answer came within the call's time: ask again, or allow more."
    )
    RESOURCE_EXHAUSTED = Answer("RESOURCE_EXHAUSTED", 413)(
        "A message is larger than gRPC takes: ask for less, or in parts."
    )
    PAYLOAD_TOO_LARGE = _TOO_LARGE("The payload or body has more bytes than may be: send less, or a link to it.")
    MALFORMED_JSON = _MALFORMED("A body is not JSON: correct it.")
    INVALID_PAGE_TOKEN = _INVALID("The page token is of another list or filter: begin at the first page.")
    UNKNOWN_TENANT = _INVALID("No tenant of yours has this name: correct it, or have it registered first.")
    TENANT_NEEDED = _INVALID("The token is of several tenants: say in which of them.")
    ID_PREFIX = _INVALID("An id that is chosen begins with `<tenant>:`, but in `default`: choose one that does.")
    UNKNOWN_FIELD = _INVALID("A field is named that cannot be asked about: use one that the message lists.")
    # Of the REST API alone.
    CROSS_ORIGIN = Answer(None, 403)(
        "With a session cookie, requests come from the page's own origin only: send a token instead."
    )
    MALFORMED_REQUEST = _MALFORMED("The bytes are no HTTP request: correct the client.")
    METHOD_NOT_ALLOWED = Answer(None, 405)("The address does not take the method: use one that `Allow` names.")
    REQUEST_TIMEOUT = Answer(None, 408, is_retryable=True)("The request came too slowly: send it again.")
    UNSUPPORTED_MEDIA_TYPE = Answer(None, 415)("A body is not application/json: send JSON, and say so.")
    HEAD_TOO_LARGE = Answer(None, 431)("The address and the headers are too large together: send less.")
    TOO_MANY_BYTES = _TOO_MANY("Bodies of too many bytes are under way together: send it again a little later.")
    TOO_MANY_REQUESTS = _TOO_MANY("Too many requests wait for their turn: send it again a little later.")
    TOO_MANY_CONNECTIONS = _FULL("Too many connections are open: connect again later, or close some.")
    TOO_MANY_VIEWERS = _FULL("Too many event streams are open: connect again later, or close some.")
    IDEMPOTENCY_KEY_REUSED = _INVALID(
        "The idempotency key is that of another request: use a key of its own for each request."
    )
    # What is not there.
    JOB_REMOVED = _GONE("The job was removed: its id stays taken, and the archive has what it was.")
    UNKNOWN_JOB = _NOT_FOUND("No job has this id: correct it, or create the job first.")
    UNKNOWN_EXECUTION = _NOT_FOUND("No such execution is known, or none of this job: correct the id.")
    UNKNOWN_AGENT = _NOT_FOUND("No agent has this id: correct it, or register the agent first.")
    UNKNOWN_BATCH = _NOT_FOUND("No batch or operation has this id: correct it.")
    UNKNOWN_LIMIT = _NOT_FOUND("No limit has this name: the list of limits shows all.")
    UNKNOWN_RETENTION = _NOT_FOUND("No retention has this name: the list of retentions shows all.")
    UNKNOWN_JUDGE_POLICY = _NOT_FOUND("The judge policy is not known, or retired: name another, or put it first.")
    UNKNOWN_CRITERIA_SET = _NOT_FOUND("The criteria set is not known, or retired: name another, or put it first.")
    UNKNOWN_GOLDEN_SET = _NOT_FOUND("The judge policy has no golden set: put one first.")
    UNKNOWN_JUDGINGS = _NOT_FOUND("No judgings have this id: they are kept for a day.")
    UNKNOWN_TRY = _NOT_FOUND("No try of this agent has this id: tries are kept for a day.")
    UNKNOWN_EVALUATION = _NOT_FOUND("No evaluation has this id: make one with `signoff judge test`.")
    UNKNOWN_TOKEN = _NOT_FOUND("No live token has this name: `signoff tokens list` shows all.")
    UNKNOWN_SESSION = _NOT_FOUND("No open session has this id: `signoff sessions list` shows all.")
    SIGN_IN_UNAVAILABLE = _AWAY(
        "The provider of identities is away, slow or answers nonsense: sign in again later, or with a token."
    )
    UNKNOWN_LOGIN_CODE = _UNAUTHENTICATED("The link was used already, or is too old: make another.")
    NO_RESULT = _NOT_FOUND("There is no result there: the job's log says where it has one.")
    NO_VERDICT = _NOT_FOUND("There is no verdict there: the job's log says where it has one.")
    NO_DLQ = _NOT_FOUND("The topic has no dead letters: name the topic that they came from.")
    # What contradicts what stands.
    JOB_CONFLICT = _CONFLICT("Another job has this id: choose another id, or use that job.")
    AGENT_CONFLICT = _CONFLICT("Another agent has this id: choose another, or change that agent.")
    TENANT_CONFLICT = _CONFLICT(
        "Another tenant has this name, or ids or values of others do: choose another name, as the message says."
    )
    TOKEN_CONFLICT = _CONFLICT("A live token has this name: rotate it, or choose another name.")
    EXECUTION_CONFLICT = _CONFLICT("The execution id is another job's, or was cancelled: choose another.")
    VERSION_CONFLICT = _STALE("It has changed since it was read: read it again, and decide anew.")
    JUDGE_POLICY_CONFLICT = _STALE("The policy has a newer version: look at it, and change that one.")
    CRITERIA_SET_CONFLICT = _STALE("The set has a newer version: look at it, and change that one.")
    GOLDEN_SET_CONFLICT = _STALE("The golden set has a newer version: look at it, and change that one.")
    # What a state does not allow.
    ILLEGAL_TRANSITION = _REFUSED("The job's status does not allow it: read the job, and decide anew.")
    EXECUTION_LIVE = _REFUSED("An execution of the job is under way: wait for its end, or cancel it.")
    JOB_HELD = _REFUSED("The job is held, and not removed: release it first, if it may go.")
    JOB_LABELLED = _REFUSED("The job is a labelled case, and not removed: take it out of the golden set first.")
    OPERATION_LIVE = _REFUSED("The job is part of an operation that is under way: wait for its end, or cancel it.")
    NO_ARCHIVE = _REFUSED("Nothing is removed that no archive has: set SIGNOFF_ARCHIVE, and wait for its first part.")
    NOT_ARCHIVED = _REFUSED(
        "The archive does not have it yet, and soon will (`signoff doctor` says what keeps it back); or not any more."
    )
    MOVED_ON = _REFUSED("The job has moved on since this was asked for: read it, and decide anew.")
    CANCELLED = _REFUSED("Somebody cancelled it: execute it again if it is still wanted.")
    TOO_MANY_CANCELS = _REFUSED(
        "Too many executions that nobody requested are cancelled already: wait until they are forgotten."
    )
    AGENT_DISABLED = _REFUSED("The agent is disabled: enable it, or assign another.")
    AGENT_PROTOCOL_FIXED = _REFUSED("The protocol of an agent never changes: register another agent.")
    NO_AGENT_MATCHES = _REFUSED("No enabled agent has the job's capabilities: register one, or assign one.")
    QUEUE_FULL = _REFUSED(
        "As many executions of the tenant wait as its limit allows: wait, then execute under another id."
    )
    SUBMISSIONS_EXHAUSTED = _REFUSED("The policy allows no more submissions: raise it, or assign the job again.")
    BUDGET_EXHAUSTED = _REFUSED("The job's budget is used up: raise it in the policy, or stop here.")
    BATCH_TOO_LARGE = _INVALID("The filter or list has more jobs than one operation may have: divide it.")
    OPERATION_ENDED = _REFUSED("The batch or operation is at a state that does not allow it: read it.")
    NOTHING_MATCHES = _REFUSED("No job matches: widen the filter.")
    NOTHING_TO_RETRY = _REFUSED("Nothing of the batch stands at a status that is retried: read it.")
    NOTHING_TO_JUDGE = _REFUSED("The job has no result that could be judged: execute it first.")
    UNJUDGED = _REFUSED("The judge did not judge the result: judge it again.")
    EVALUATION_UNFINISHED = _REFUSED("The evaluation has not ended: wait for it.")
    JUDGE_POLICY_RESERVED = _REFUSED(
        "The policy is what validators are set to: change their settings, or name another."
    )
    GOLDEN_NOT_EVALUATED = _REFUSED(
        "The policy has a golden set: evaluate the version on it and give the report, or a reason."
    )
    GOLDEN_NOT_KEPT = _REFUSED("No evaluation is kept of which the report could be: evaluate again.")
    GOLDEN_REPORT_DIFFERS = _REFUSED(
        "The report is not what is kept of its evaluation: give that one, or evaluate again."
    )
    GOLDEN_OTHER_CASES = _REFUSED("The report is on other cases than the golden set: evaluate on the set.")
    GOLDEN_OTHER_VERSION = _REFUSED("The report is of another version: evaluate the one that is promoted.")
    GOLDEN_FAILED = _REFUSED("The version does not pass the golden set: mend it, or give a reason to force it.")
    TOO_MANY_JUDGINGS = _BUSY("Too many judgings of the last day are kept: ask again later, or for fewer.")
    TOO_MANY_TRIES = _BUSY("Ten tries of agents are under way: wait until one has ended.")
    TOO_MANY_VERSIONS = _REFUSED("The name has as many versions as it may: begin another name.")
    TOO_MANY_NAMES = _REFUSED("There are as many names as there may be: put versions of one that is there.")
    # What is wrong with what was given.
    CRITERIA_CONFLICT = _INVALID("Criteria are given in two forms: give one.")
    CRITERIA_EMPTY = _INVALID("A job needs a criterion, or the name of a set, and a criterion needs words: add them.")
    CRITERIA_TOO_MANY = _INVALID("There are too many criteria: give fewer.")
    CRITERION_TOO_LONG = _INVALID("A criterion is too long: shorten or divide it.")
    CRITERION_RESERVED = _INVALID("A criterion begins with a word that is kept for later: begin it otherwise.")
    CRITERION_AMBIGUOUS = _INVALID("The text of a criterion could be read in two ways: write it as the message says.")
    NO_REQUIRED_CRITERION = _INVALID("All criteria are optional, so that any result would do: require one.")
    CHECK_UNKNOWN = _INVALID("There is no check of this name: use one that the message names.")
    CHECK_INVALID = _INVALID("The text of a check is not well formed: correct it as the message says.")
    REFERENCE_UNKNOWN = _INVALID("A reference is for a criterion that the job does not have: correct its number.")
    REFERENCE_EMPTY = _INVALID("A reference has no words: add them, or leave it out.")
    REFERENCE_TOO_LONG = _INVALID("A reference is too long: shorten it.")
    REFERENCE_IN_RECORD = _INVALID(
        "A request by a topic has references, which agents could read there: create the job by a call."
    )
    GOLDEN_SET_INVALID = _INVALID("The text is no golden set: correct it as the message says.")
    TOOLS_NEED_A_LOOP = _INVALID(
        "Such a tool is run between two requests: `signoff-agent run` does that; register it as an agent of http_async."
    )
    URL_HAS_USERINFO = _INVALID("An agent's address holds a name or password: give a header instead.")
    RESULT_TOO_LARGE_TO_JUDGE = _REFUSED(
        "Criteria and result have more characters than the judge takes: shorten them, or name another judge."
    )
    # Of the database and of Kafka.
    DATABASE_UNAVAILABLE = _AWAY(
        "The database is out of reach: start it, or correct SIGNOFF_DATABASE_URL; it is tried again."
    )
    DATABASE_IN_RECOVERY = _AWAY("The database is in recovery: wait, promote it, or name the primary.")
    DATABASE_READ_ONLY = _AWAY("The database is read-only: find who set default_transaction_read_only, and reset it.")
    DATABASE_OUT_OF_SPACE = _AWAY("The database's disk is full: free space, or enlarge it; nothing needs a restart.")
    DATABASE_OUT_OF_CONNECTIONS = _AWAY("The database takes no more connections: end some, or allow more.")
    DATABASE_FORBIDDEN = _AWAY("The jobstore's role lacks a privilege: grant it.")
    DATABASE_NOT_MIGRATED = _AWAY("The jobstore's tables are missing or of another version: name the right database.")
    DATABASE_BUSY = _AWAY("The database was busy with others at this call: ask again.")
    RACED = _AWAY("Another transaction wrote first: ask again.")
    EPOCH_ENDED = _AWAY("This jobstore had stopped or was cut off: ask another, or again.")
    KAFKA_UNAVAILABLE = _AWAY("Kafka does not answer, or did not acknowledge: it is tried again.")
    KAFKA_UNAUTHENTICATED = _AWAY(
        "Kafka does not accept the client, or its CA is not the client's: correct SIGNOFF_KAFKA_*, as the message says."
    )
    KAFKA_FORBIDDEN = _AWAY("Kafka's ACLs do not allow it: give the user what `signoff kafka acls` prints.")
    TOPICS_MISSING = _AWAY("Topics are missing: create them, or let the jobstore (SIGNOFF_CREATE_TOPICS).")
    TOPIC_NOT_CREATED = _AWAY("The broker did not create a topic: read its log.")
    WRONG_SECRETS = _AWAY("SIGNOFF_SECRETS are not those of the facts in Kafka: correct them.")
    ARCHIVE_UNAVAILABLE = _AWAY(
        "The archive, or another place for objects, cannot be reached, read or written: mend it as the message says."
    )
    WRONG_ARCHIVE = _REFUSED(
        "The archive was changed, lacks a part, or is another installation's: give back what the message names."
    )
    DATABASE_ERROR = _FAULT("The database failed at this call alone: the jobstore's log says why.")
    INVALID_DATA = _INVALID("A value cannot be stored, such as a text with U+0000: correct it.")
    JOBSTORE_UNREACHABLE = _AWAY(
        "The jobstore does not answer, or does not say why it does not serve: see whether it runs."
    )
    # In an execution's entries: of its agent.
    AGENT_ERROR = _RECORDED("The call of the agent failed: read the message.")
    AGENT_STATUS = _RECORDED(
        "The agent answered with an HTTP error status; after 408, 425, 429 and 5xx it is called again."
    )
    AGENT_REDIRECT = _RECORDED("The agent answered with a redirect, which is not followed: register where it leads.")
    AGENT_DECLINED = _RECORDED("The agent declined the job: read its reason, and assign another.")
    AGENT_FAILED = _RECORDED("The agent reported that it failed: read its message.")
    AGENT_REFUSED = _RECORDED("The model refused the task: read its words, and change the task or its instructions.")
    AGENT_TRUNCATED = _RECORDED(
        "The model's answer reached its bound of tokens: allow more by its agent's parameters, or budget_tokens."
    )
    AGENT_CONTENT_FILTERED = _RECORDED("A content filter of the model's server stopped the answer: change the task.")
    AGENT_QUOTA_EXHAUSTED = _RECORDED(
        "The key's quota at the model's server is used up: raise it there, then execute again."
    )
    AGENT_OUTPUT_INVALID = _PASSING(
        "The answer has no text, or is no JSON by the agent's schema: the model is asked again, or has to be another."
    )
    AGENT_INVALID_JSON = _RECORDED("What the agent answered is not JSON: the agent has to be mended.")
    AGENT_INVALID_STATUS = _RECORDED(
        "The agent reported a status of its work that is not understood: it has to be mended."
    )
    AGENT_INVALID_LOCATION = _RECORDED(
        "The agent did not say where its work's status can be read: it has to be mended."
    )
    AGENT_INVALID_URL = _RECORDED("The agent's address cannot be called: correct it.")
    AGENT_ADDRESS_FORBIDDEN = _RECORDED(
        "The agent's address is in a network that is not allowed: correct it, or SIGNOFF_AGENT_NETWORKS."
    )
    AGENT_HEADER_UNRESOLVED = _PASSING(
        "A header of the agent, or the secret that signs its calls, cannot be read: provide it where executors run."
    )
    AGENT_VALUE_FORBIDDEN = _INVALID(
        "A header of the agent, or the secret that signs its calls, is another tenant's: name one of the agent's own."
    )
    AGENT_UNREACHABLE = _PASSING("The agent could not be reached: see whether it runs at its address.")
    AGENT_CONNECT_TIMEOUT = _PASSING("No connection to the agent was made in time: see whether it can be reached.")
    AGENT_CONNECTION_LOST = _PASSING(
        "The connection broke before the agent had answered: execute again; the work may be done twice."
    )
    AGENT_TIMEOUT = _PASSING("The agent did not answer in time: allow more in the policy, or assign a quicker one.")
    AGENT_HEARTBEAT_TIMEOUT = _PASSING("An asynchronous agent was silent for too long: see whether it works.")
    AGENT_WORK_LOST = _PASSING("The agent no longer knows of the work that it was given: execute again.")
    AGENT_WORK_UNKNOWN = _RECORDED(
        "Its executor was lost, the agent does not show the work, and the job's policy has it called at most once."
    )
    TRY_NOT_TAKEN = _PASSING("No executor that calls agents by this protocol took the try: see whether one runs.")
    TRY_LOST = _PASSING("The executor that called the agent was lost or stopped: try again; the work may be done.")
    AGENT_INPUT_REQUIRED = _RECORDED(
        "The agent asks for more, which nobody can give it: put it into the payload, and execute again."
    )
    AGENT_AUTH_REQUIRED = _RECORDED("The agent asks for an authorization: give its headers the rights that it names.")
    AGENT_CANCELED = _RECORDED("The agent says that its work was canceled, and not from here: ask its owner.")
    AGENT_CARD_UNREADABLE = _PASSING(
        "The agent's card cannot be read, and nothing was sent: see whether the agent's URL is right."
    )
    AGENT_PROTOCOL_VERSION = _RECORDED(
        "The agent does not speak the protocol's version that executors speak: update it, or register another."
    )
    AGENT_PART_UNSUPPORTED = _RECORDED(
        "The agent's result has a file, which is not taken: have it answer with text or data."
    )
    AGENT_OUTPUT_MISSING = _RECORDED(
        "What the agent made has nothing where its settings say that the result is: correct the path."
    )
    EXECUTOR_ERROR = _PASSING("An executor failed by an error of its own: its log says why.")
    UNKNOWN_PROTOCOL = _RECORDED("The executor does not know the agent's protocol: update executors.")
    RESULT_TOO_LARGE = _RECORDED("The result is larger than may be: ask for less, or for a link to it.")
    # In an execution's entries: of its way.
    MATCHED = _RECORDED("An agent was found for the job; nothing is to be done.")
    HANDED_ON = _RECORDED("The job was given to another agent by its policy; nothing is to be done.")
    MATCHING_FAILED = _RECORDED("No enabled agent has the job's capabilities: register one, and it is tried again.")
    EDITED = _RECORDED("Somebody changed the job; nothing is to be done.")
    RESULT_REUSED = _RECORDED("The result of an equal request was taken, and no agent called; nothing is to be done.")
    VERDICT_REUSED = _RECORDED("The verdict on an equal result was taken, and no judge asked; nothing is to be done.")
    REJUDGED = _RECORDED("The result was judged again, without its agent; nothing is to be done.")
    HANDED_OVER = _RECORDED("The worker stopped, and another goes on; nothing is to be done.")
    BEGUN = _RECORDED("The work was given back after its call had begun; nothing is to be done.")
    WORKER_STOPPED = _RECORDED(
        "The worker stopped while it called an agent that is called at most once: see whether it did the work."
    )
    LEASE_LAPSED = _RECORDED(
        "The worker that held it was lost; unless its agent is called at most once, another goes on."
    )
    ATTEMPTS_EXHAUSTED = _RECORDED("All calls that the policy allows are used up: read what each met.")
    DEADLINE_EXCEEDED = _RECORDED("The job was not done within its deadline: allow more in the policy.")
    QUEUE_TIMEOUT = _RECORDED(
        "No executor took it in time: see whether executors run, and whether the agent is paused."
    )
    JUDGING_TIMEOUT = _RECORDED("The result was not judged in time: see whether validators run.")
    NO_PROGRESS = _RECORDED("The result equals the one before, and fails alike: change the criteria or the payload.")
    REBUILT = _RECORDED(
        "The database was rebuilt while an agent was perhaps called that may be called once: see what it did."
    )
    # In an execution's entries: of its judge.
    JUDGMENT_FAILED = _RECORDED("The result could not be judged: execute again, by another judge.")
    JUDGING_LOST = _RECORDED("Too many validators were lost while they judged it: their logs say why.")
    VERDICT_MISMATCH = _RECORDED(
        "A verdict was none on the job's criteria: see that all validators run the jobstore's version."
    )
    VERDICT_TOO_LARGE = _RECORDED("The verdict is larger than may be: use fewer criteria.")
    VERDICT_UNPROVEN = _REFUSED("The judge let the result pass, and proved nothing: judge it again, by another judge.")
    VALIDATOR_ERROR = _RECORDED("Validators failed by an error of their own: their logs say why.")
    NO_CRITERIA = _RECORDED("There is no criterion to judge by: edit the job.")
    RESULT_NOT_JSON = _RECORDED("The result cannot be written as JSON: the agent has to be mended.")
    COST_UNKNOWN = _RECORDED(
        "The operation has a budget in USD, and no judge tells its cost: name prices in the policy."
    )
    JUDGE_POLICY_NOT_SUPPORTED = _PASSING("The policy is of a later version: update validators.")
    JUDGE_PROMPT_UNKNOWN = _RECORDED("The validator lacks the prompt that the policy names: name another.")
    JUDGE_REFUSED = _RECORDED("The judge refused to answer: read the result, or use another judge.")
    JUDGE_CONTENT_FILTER = _RECORDED(
        "A content filter stopped the judge's answer: read the result, or use another judge."
    )
    JUDGE_INCOMPLETE = _RECORDED("The judge's answers were cut off: use fewer criteria, or let it write more.")
    JUDGE_INVALID_JSON = _RECORDED("What the judge answered is not JSON: use another model.")
    JUDGE_WRONG_SHAPE = _RECORDED("The judge's answers did not have the requested form: use another model.")
    JUDGE_CRITERIA_MISMATCH = _RECORDED("The judge answered about other criteria than the job's: use another model.")
    JUDGE_CANARY = _RECORDED("The judge wrote what it must never write: read the result, which may steer it.")
    JUDGE_FAILED = _RECORDED("The judge's API reported that its answer failed: execute again, or use another model.")
    JUDGE_REQUEST_REJECTED = _RECORDED("The judge's API did not take the request: correct the policy.")
    JUDGE_UNREACHABLE = _PASSING("The judge cannot be reached: see whether it runs at its address.")
    JUDGE_TIMEOUT = _PASSING("The judge did not answer in time: allow more, or use a quicker one.")
    JUDGE_RATE_LIMITED = _PASSING("The judge's API takes fewer requests: it is asked again.")
    JUDGE_UNAVAILABLE = _PASSING("The judge's API failed: it is asked again.")
    JUDGE_QUOTA_EXCEEDED = _PASSING("The quota at the judge's API is used up: raise it.")
    JUDGE_UNAUTHORIZED = _PASSING("The judge's API does not take the key: correct it.")
    JUDGE_NOT_FOUND = _PASSING("The judge's API does not know the model or the address: correct the policy.")
    JUDGE_NOT_CONFIGURED = _PASSING("No judge is set: set OPENAI_API_KEY, or name a key in the policy.")
    JUDGE_KEY_UNKNOWN = _PASSING(
        "Validators have no key of this name for the policy: add it to SIGNOFF_JUDGE_KEYS, or to its tenant's folder."
    )
    JUDGE_KEY_NOT_ALLOWED = _PASSING(
        "The key may not be sent to this address: add the address to it in SIGNOFF_JUDGE_KEYS."
    )
    JUDGE_ADDRESS_FORBIDDEN = _PASSING(
        "The judge's address is in a network that is not allowed: correct it, or SIGNOFF_JUDGE_NETWORKS."
    )
    # In refusals of reports and claims, which repeat or come late.
    REPEAT = _RECORDED("It was reported before; nothing is to be done.")
    FENCED = _RECORDED("The lease is not the current one, or the execution has moved on; nothing is to be done.")
    CONCLUDED = _RECORDED("The execution has ended; nothing is to be done.")
    LEASE_RUNS = _RECORDED("The lease still runs; nothing is to be done.")
    DEADLINE_AHEAD = _RECORDED("The time limit is still ahead; nothing is to be done.")
    NOT_DUE = _PASSING("The time of the execution has not come; it is offered again.")
    PROTOCOL_NOT_CALLED = _PASSING("No executor calls agents by its protocol; it is offered again.")
    SETTINGS_UNKNOWN = _PASSING("The settings that it froze are not known: save the agent with them again.")
    NO_ROOM = _PASSING("A limit leaves no room now; it is offered again.")
    LIMITED = _PASSING("A limit leaves no room now, and others wait; it is offered again.")
    REUSABLE = _PASSING("A result of an equal request may do; it is offered again, and that is looked at.")
    REPLAYED = _RECORDED("A record that was published again admits nothing; nothing is to be done.")
    CIRCUIT_OPEN = _PASSING("The agent fails too often, and is called again later; it is offered again.")
    UNABLE = _PASSING("This worker cannot do it, and a newer one may: update workers.")
    # In dead letters, and of facts and their rebuild.
    BAD_SIGNATURE = _RECORDED("Nobody vouches for the record or receipt: its signature is missing or wrong.")
    FORBIDDEN_TENANT = _RECORDED(
        "The secret of the upstream is of other tenants than the job: bind it to that one, or name a job of its own."
    )
    UNREADABLE_BATCH = _RECORDED("A batch of records cannot be read: find who wrote it.")
    SCHEMA_MISMATCH = _INVALID("The record does not have the shape of its topic: correct who writes it.")
    EMPTY_BODY = _RECORDED("The record has no body: correct who writes it.")
    MALFORMED_HEADER = _RECORDED("A header's name is not UTF-8: correct who writes it.")
    MESSAGE_TOO_LARGE = _RECORDED("The broker takes no record of this size: allow more, or write less.")
    MESSAGE_REFUSED = _RECORDED("The broker refuses the record: its log says why.")
    UNSTORABLE = _RECORDED("What was reported cannot be stored: read the dead letter.")
    FACT_TOO_LARGE = _RECORDED("A fact does not fit into its topic, and a stub stands for it: the database has it.")
    FACT_REFUSED = _RECORDED("The broker refused a fact, and a stub stands for it: the database has it.")
    CONSUMER_DEAD = _PASSING("A consumer stopped: its process begins it again.")
    UNKNOWN_TOPIC = _RECORDED("The broker has no such topic: correct the name, or create it.")
    NO_VOUCHED_FACTS = _RECORDED("No fact is vouched for by the keys that were given: give those of the jobstore.")
    GAPS = _RECORDED("Facts are missing: find them, or accept the gaps.")
    DATABASE_NOT_EMPTY = _RECORDED("The database holds something already: name an empty one.")
    DATABASE_OLDER_THAN_FACTS = _RECORDED("The database is older than the facts: restore a newer one, or rebuild it.")
    UNKNOWN_REVISION = _RECORDED("The database is of a version that this program does not know: run the newer one.")
    BAD_SETTINGS = _RECORDED("Settings are missing or wrong: correct those that are named.")
    # Of receipts.
    MALFORMED_RECEIPT = _RECORDED("The text is no receipt: take it as the API gives it.")
    MALFORMED_KEYS = _RECORDED("The text is no list of keys of receipts: take it as the API gives it.")
    OTHER_PAYLOAD_TYPE = _RECORDED("The envelope holds something else than a receipt: take another.")
    UNKNOWN_KEY = _RECORDED(
        "The receipt is signed by a key that is not trusted: give the jobstore's keys, or do not trust it."
    )
    UNKNOWN_PREDICATE = _RECORDED("The statement is of a kind that is not known: it may be of a newer version.")
    OTHER_RESULT = _RECORDED("The receipt is genuine, and about another result.")
    OTHER_TASK = _RECORDED("The receipt is genuine, and its agent was asked for something else.")
    OTHER_REFERENCES = _RECORDED("The receipt is genuine, and other references were judged by.")
    # Warnings, which hinder nothing.
    CRITERION_SAYS_NOTHING = _RECORDED("The criterion says nothing that could fail: say what is wanted.")
    CRITERION_BETTER_AS_CHECK = _RECORDED("A check decides it for nothing: write it as one.")
    CRITERION_OUT_OF_SIGHT = _RECORDED("The judge cannot see what the criterion is about: say it of the result.")
    CRITERION_READS_AS_ABSENCE = _RECORDED("It reads as if something must be missing: say which is meant.")
    CRITERION_VAGUE = _RECORDED("The criterion is vague: say by what it is met.")
    CRITERION_JOINS_TWO = _RECORDED("The criterion joins two: divide it.")
    CRITERION_ABOUT_THE_WHOLE = _RECORDED("The criterion is about all criteria together: leave it out.")
    CRITERION_CONTRADICTS = _RECORDED("Two criteria contradict each other: make one optional.")
    QUORUM_ALIKE = _RECORDED("All votes of the quorum err alike: name judges of other families.")
    QUORUM_NOT_MEASURED = _RECORDED("What the quorum is worth is not measured: evaluate it.")
    QUORUM_ADDS_NOTHING = _RECORDED("The quorum adds nothing to one of its votes: take that one alone.")
    JUDGE_KEY_ELSEWHERE = _RECORDED("The key of the policy may not be sent to its address: add the address to it.")
    # Of the command line, and of clients.
    TLS_REFUSED = _RECORDED(
        "The jobstore and its caller do not trust each other: the message says which file or address to correct."
    )
    FAILED = _RECORDED("The command failed: the message says why.")
    USAGE = _RECORDED("The command was wrongly asked for: its --help shows how.")
    TIMEOUT = _RECORDED("What was waited for has not ended in time: look again, or wait longer.")
    NOT_COMPLETED = _RECORDED("What was waited for has ended otherwise than COMPLETED: its log says why.")
    NOT_CONFIRMED = _RECORDED("It was not confirmed, and nothing was done.")
    JUDGINGS_LOST = _RECORDED("Fewer judgings came back than were asked for: ask again.")
    STACK = _RECORDED("The local stack does not run: its logs say why.")
    AMBIGUOUS_ID = _RECORDED("The part of an id fits several: give more of it.")
    BAD_CASES = _RECORDED("The file of cases is not well formed: correct the lines that are named.")
    NO_CASES = _RECORDED("The file has no cases: add some.")
    UNREADABLE = _RECORDED("A file cannot be read: correct its name or its rights.")
    UNWRITABLE = _RECORDED("A file cannot be written: correct its name or its rights.")
    LOG_TOO_LONG = _RECORDED("The job's log is too long to be shown whole: ask for pages.")
    NOT_REPLAYABLE = _RECORDED("The topic is never published again: no service consumes it.")
    UNKNOWN_PARTITION = _RECORDED("The topic has no such partition: name one that it has.")
    UNKNOWN_ADDRESS = _RECORDED("An address is not known: give --endpoints of a local stack.")
    NO_JOBSTORE = _RECORDED("No jobstore is known: start one, or give --jobstore or --endpoints.")
    NO_CONSOLE = _RECORDED("No console is known: give --http or --endpoints.")
    NO_KAFKA = _RECORDED("No Kafka is known: give --kafka or --endpoints.")
    NO_DATABASE = _RECORDED("No database is known: give --live or --endpoints.")
    NO_FACT_KEYS = _RECORDED("No key of facts is known: set SIGNOFF_SECRETS or SIGNOFF_FACT_KEYS.")
    NO_RECEIPT_KEYS = _RECORDED("No key of receipts is known: give --keys, --key or --jobstore.")
    TWO_KEYS = _RECORDED("Keys are given in two ways: give one.")
    TWO_TOKENS = _RECORDED("A token is given in two ways: give one.")
    TOKEN_UNREADABLE = _RECORDED("The token's file cannot be read: correct its name or its rights.")
    UNKNOWN_PROFILE = _RECORDED("There is no such profile: `signoff profiles` lists them, `signoff login` makes one.")
    PROFILE_FOR_ANOTHER = _RECORDED("The profile is for another jobstore than the one that is named: give one of them.")
    PROFILES_UNREADABLE = _RECORDED("The file of profiles cannot be read, or others can read it: mend it.")
    TOKEN_FOR_ANOTHER = _RECORDED("The token is not sent to a jobstore that only a file names: name the place, too.")
    ENDPOINTS_UNREADABLE = _RECORDED("The endpoints file cannot be read: see whether `signoff up` runs.")


_KNOWN: Final[dict[str, ErrorCode]] = {str(code): code for code in ErrorCode}
_HTTP_OF_GRPC: Final[dict[str, int]] = {}
for _code in ErrorCode:
    if _code.answer.grpc is not None and _code.answer.http is not None:
        _HTTP_OF_GRPC.setdefault(_code.answer.grpc, _code.answer.http)


def find_code(code: str) -> ErrorCode | None:
    """Return the member of ErrorCode for a text; None if the code is not known."""
    return _KNOWN.get(code)


def is_retryable(code: str, grpc_status: str | None = None) -> bool:
    """Return whether the same request may succeed later; for an unknown code, the gRPC status decides."""
    known = _KNOWN.get(code)
    return grpc_status == _AWAY.grpc if known is None else known.answer.is_retryable


def find_http_status(code: str, grpc_status: str) -> int:
    """Return the HTTP status of a code; if the code has none, or is not known, that of the gRPC status."""
    known = _KNOWN.get(code)
    status = None if known is None else known.answer.http
    return status or _HTTP_OF_GRPC.get(grpc_status, 502)
