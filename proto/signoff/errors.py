"""List every code of an error, a refusal or a log's entry, with its statuses and what to do about it.

Who answers a code takes its statuses from here; docs/contracts.md shows the list, which a test compares. A client may
meet codes that it does not know, of a newer server: they are texts, and `is_retryable` and `find_http_status` say what
their gRPC status says.
"""

from enum import StrEnum, auto
from typing import Final, NamedTuple, Self


class Answer(NamedTuple):
    """How a code is answered: by the name of a gRPC status, and by an HTTP status; None where it is recorded only.

    `is_retryable`: the same request may succeed later, with nothing mended.
    """

    grpc: str | None
    http: int | None
    is_retryable: bool = False


_UNAUTHENTICATED: Final = Answer("UNAUTHENTICATED", 401)
_FORBIDDEN: Final = Answer("PERMISSION_DENIED", 403)
_NOT_FOUND: Final = Answer("NOT_FOUND", 404)
_CONFLICT: Final = Answer("ALREADY_EXISTS", 409)
_REFUSED: Final = Answer("FAILED_PRECONDITION", 409)
_STALE: Final = Answer("FAILED_PRECONDITION", 412)
_TOO_LARGE: Final = Answer("INVALID_ARGUMENT", 413)
_INVALID: Final = Answer("INVALID_ARGUMENT", 422)
_OUT_OF_RANGE: Final = Answer("OUT_OF_RANGE", 422)
_BUSY: Final = Answer("RESOURCE_EXHAUSTED", 429, is_retryable=True)
_FAULT: Final = Answer("INTERNAL", 500)
_AWAY: Final = Answer("UNAVAILABLE", 503, is_retryable=True)
#: In logs, reports, dead letters and on a command line: of those that pass, another try may succeed.
_RECORDED: Final = Answer(None, None)
_PASSING: Final = Answer(None, None, is_retryable=True)


class ErrorCode(StrEnum):
    """A stable code. `answer` says with which statuses, and `sentence` what it means and what to do."""

    answer: Answer
    sentence: str

    def __new__(cls, code: str, answer: Answer, sentence: str) -> Self:
        """Make the member of a code."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.answer = answer
        member.sentence = sentence
        return member

    # Of any call; the first of a gRPC status says the HTTP status of codes that are not known.
    UNAUTHENTICATED = auto(), _UNAUTHENTICATED, "The call has no token, or an unknown one: give a valid one."
    FORBIDDEN = auto(), _FORBIDDEN, "The token does not allow the call: use one of another role."
    NOT_FOUND = auto(), _NOT_FOUND, "Nothing has the id, name or address that was given: correct it."
    CONFLICT = auto(), _CONFLICT, "Something else has the id that was given: choose another."
    REFUSED = auto(), _REFUSED, "The state of what is asked for does not allow it: read it, and decide anew."
    INVALID_REQUEST = auto(), _INVALID, "The request is not well formed: the fields that are named say how to mend it."
    PERMANENT = auto(), _INVALID, "What was given cannot be processed, however often it is: correct it."
    UNKNOWN_CURSOR = auto(), _OUT_OF_RANGE, "A watch cannot be resumed after this event: begin a new one."
    TOO_MANY_CALLS = (
        auto(),
        _BUSY,
        "As many calls as the caller's role may have are under way: ask again a little later.",
    )
    TOO_SLOW = auto(), _BUSY, "The request came, or an answer was taken, too slowly: ask again on a better line."
    UNAVAILABLE = auto(), _AWAY, "The jobstore cannot be reached now: ask again."
    INTERNAL = auto(), _FAULT, "The service failed by a fault of its own: its log says more under the request's id."
    UNIMPLEMENTED = (
        auto(),
        Answer("UNIMPLEMENTED", 501),
        "The server does not know the call: it may be of an older version.",
    )
    CALL_CANCELLED = (
        auto(),
        Answer("CANCELLED", 503, is_retryable=True),
        "The call was cut off, as by a server that stops: ask again.",
    )
    CALL_DEADLINE_EXCEEDED = (
        auto(),
        Answer("DEADLINE_EXCEEDED", 503, is_retryable=True),
        "No answer came within the call's time: ask again, or allow more.",
    )
    RESOURCE_EXHAUSTED = (
        auto(),
        Answer("RESOURCE_EXHAUSTED", 413),
        "A message is larger than gRPC takes: ask for less, or in parts.",
    )
    PAYLOAD_TOO_LARGE = (
        auto(),
        _TOO_LARGE,
        "The payload or body has more bytes than may be: send less, or a link to it.",
    )
    MALFORMED_JSON = auto(), Answer(None, 400), "A body is not JSON: correct it."
    INVALID_PAGE_TOKEN = auto(), _INVALID, "The page token is of another list or filter: begin at the first page."
    UNKNOWN_FIELD = auto(), _INVALID, "A field is named that cannot be asked about: use one that the message lists."
    # Of the REST API alone.
    CROSS_ORIGIN = (
        auto(),
        Answer(None, 403),
        "With a session cookie, requests come from the page's own origin only: send a token instead.",
    )
    MALFORMED_REQUEST = auto(), Answer(None, 400), "The bytes are no HTTP request: correct the client."
    METHOD_NOT_ALLOWED = auto(), Answer(None, 405), "The address does not take the method: use one that `Allow` names."
    REQUEST_TIMEOUT = auto(), Answer(None, 408, is_retryable=True), "The request came too slowly: send it again."
    UNSUPPORTED_MEDIA_TYPE = auto(), Answer(None, 415), "A body is not application/json: send JSON, and say so."
    HEAD_TOO_LARGE = auto(), Answer(None, 431), "The address and the headers are too large together: send less."
    TOO_MANY_BYTES = (
        auto(),
        Answer(None, 429, is_retryable=True),
        "Bodies of too many bytes are under way together: send it again a little later.",
    )
    TOO_MANY_REQUESTS = (
        auto(),
        Answer(None, 429, is_retryable=True),
        "Too many requests wait for their turn: send it again a little later.",
    )
    TOO_MANY_CONNECTIONS = (
        auto(),
        Answer(None, 503, is_retryable=True),
        "Too many connections are open: connect again later, or close some.",
    )
    TOO_MANY_VIEWERS = (
        auto(),
        Answer(None, 503, is_retryable=True),
        "Too many event streams are open: connect again later, or close some.",
    )
    IDEMPOTENCY_KEY_REUSED = (
        auto(),
        _INVALID,
        "The idempotency key is that of another request: use a key of its own for each request.",
    )
    # What is not there.
    UNKNOWN_JOB = auto(), _NOT_FOUND, "No job has this id: correct it, or create the job first."
    UNKNOWN_EXECUTION = (
        auto(),
        _NOT_FOUND,
        "No such execution is known, or none of this job: correct the id.",
    )
    UNKNOWN_AGENT = auto(), _NOT_FOUND, "No agent has this id: correct it, or register the agent first."
    UNKNOWN_BATCH = auto(), _NOT_FOUND, "No batch or operation has this id: correct it."
    UNKNOWN_LIMIT = auto(), _NOT_FOUND, "No limit has this name: the list of limits shows all."
    UNKNOWN_JUDGE_POLICY = (
        auto(),
        _NOT_FOUND,
        "The judge policy is not known, or retired: name another, or put it first.",
    )
    UNKNOWN_CRITERIA_SET = (
        auto(),
        _NOT_FOUND,
        "The criteria set is not known, or retired: name another, or put it first.",
    )
    UNKNOWN_GOLDEN_SET = auto(), _NOT_FOUND, "The judge policy has no golden set: put one first."
    UNKNOWN_JUDGINGS = auto(), _NOT_FOUND, "No judgings have this id: they are kept for a day."
    UNKNOWN_EVALUATION = auto(), _NOT_FOUND, "No evaluation has this id: make one with `signoff judge test`."
    UNKNOWN_LOGIN_CODE = auto(), _UNAUTHENTICATED, "The link was used already, or is too old: make another."
    NO_RESULT = auto(), _NOT_FOUND, "There is no result there: the job's log says where it has one."
    NO_VERDICT = auto(), _NOT_FOUND, "There is no verdict there: the job's log says where it has one."
    NO_DLQ = auto(), _NOT_FOUND, "The topic has no dead letters: name the topic that they came from."
    # What contradicts what stands.
    JOB_CONFLICT = auto(), _CONFLICT, "Another job has this id: choose another id, or use that job."
    AGENT_CONFLICT = auto(), _CONFLICT, "Another agent has this id: choose another, or change that agent."
    EXECUTION_CONFLICT = auto(), _CONFLICT, "The execution id is another job's, or was cancelled: choose another."
    VERSION_CONFLICT = auto(), _STALE, "It has changed since it was read: read it again, and decide anew."
    JUDGE_POLICY_CONFLICT = auto(), _STALE, "The policy has a newer version: look at it, and change that one."
    CRITERIA_SET_CONFLICT = auto(), _STALE, "The set has a newer version: look at it, and change that one."
    GOLDEN_SET_CONFLICT = auto(), _STALE, "The golden set has a newer version: look at it, and change that one."
    # What a state does not allow.
    ILLEGAL_TRANSITION = auto(), _REFUSED, "The job's status does not allow it: read the job, and decide anew."
    EXECUTION_LIVE = auto(), _REFUSED, "An execution of the job is under way: wait for its end, or cancel it."
    MOVED_ON = auto(), _REFUSED, "The job has moved on since this was asked for: read it, and decide anew."
    CANCELLED = auto(), _REFUSED, "Somebody cancelled it: execute it again if it is still wanted."
    TOO_MANY_CANCELS = (
        auto(),
        _REFUSED,
        "Too many executions that nobody requested are cancelled already: wait until they are forgotten.",
    )
    AGENT_DISABLED = auto(), _REFUSED, "The agent is disabled: enable it, or assign another."
    NO_AGENT_MATCHES = auto(), _REFUSED, "No enabled agent has the job's capabilities: register one, or assign one."
    QUEUE_FULL = (
        auto(),
        _REFUSED,
        "As many executions of the tenant wait as its limit allows: wait, then execute under another id.",
    )
    SUBMISSIONS_EXHAUSTED = (
        auto(),
        _REFUSED,
        "The policy allows no more submissions: raise it, or assign the job again.",
    )
    BUDGET_EXHAUSTED = auto(), _REFUSED, "The job's budget is used up: raise it in the policy, or stop here."
    BATCH_TOO_LARGE = auto(), _INVALID, "The filter or list has more jobs than one operation may have: divide it."
    OPERATION_ENDED = auto(), _REFUSED, "The batch or operation is at a state that does not allow it: read it."
    NOTHING_MATCHES = auto(), _REFUSED, "No job matches: widen the filter."
    NOTHING_TO_RETRY = auto(), _REFUSED, "Nothing of the batch stands at a status that is retried: read it."
    NOTHING_TO_JUDGE = auto(), _REFUSED, "The job has no result that could be judged: execute it first."
    UNJUDGED = auto(), _REFUSED, "The judge did not judge the result: judge it again."
    EVALUATION_UNFINISHED = auto(), _REFUSED, "The evaluation has not ended: wait for it."
    JUDGE_POLICY_RESERVED = (
        auto(),
        _REFUSED,
        "The policy is what validators are set to: change their settings, or name another.",
    )
    GOLDEN_NOT_EVALUATED = (
        auto(),
        _REFUSED,
        "The policy has a golden set: evaluate the version on it and give the report, or a reason.",
    )
    GOLDEN_NOT_KEPT = auto(), _REFUSED, "No evaluation is kept of which the report could be: evaluate again."
    GOLDEN_REPORT_DIFFERS = (
        auto(),
        _REFUSED,
        "The report is not what is kept of its evaluation: give that one, or evaluate again.",
    )
    GOLDEN_OTHER_CASES = auto(), _REFUSED, "The report is on other cases than the golden set: evaluate on the set."
    GOLDEN_OTHER_VERSION = auto(), _REFUSED, "The report is of another version: evaluate the one that is promoted."
    GOLDEN_FAILED = auto(), _REFUSED, "The version does not pass the golden set: mend it, or give a reason to force it."
    TOO_MANY_JUDGINGS = auto(), _BUSY, "Too many judgings of the last day are kept: ask again later, or for fewer."
    TOO_MANY_VERSIONS = auto(), _REFUSED, "The name has as many versions as it may: begin another name."
    TOO_MANY_NAMES = auto(), _REFUSED, "There are as many names as there may be: put versions of one that is there."
    # What is wrong with what was given.
    CRITERIA_CONFLICT = auto(), _INVALID, "Criteria are given in two forms: give one."
    CRITERIA_EMPTY = (
        auto(),
        _INVALID,
        "A job needs a criterion, or the name of a set, and a criterion needs words: add them.",
    )
    CRITERIA_TOO_MANY = auto(), _INVALID, "There are too many criteria: give fewer."
    CRITERION_TOO_LONG = auto(), _INVALID, "A criterion is too long: shorten or divide it."
    CRITERION_RESERVED = auto(), _INVALID, "A criterion begins with a word that is kept for later: begin it otherwise."
    CRITERION_AMBIGUOUS = (
        auto(),
        _INVALID,
        "The text of a criterion could be read in two ways: write it as the message says.",
    )
    NO_REQUIRED_CRITERION = auto(), _INVALID, "All criteria are optional, so that any result would do: require one."
    CHECK_UNKNOWN = auto(), _INVALID, "There is no check of this name: use one that the message names."
    CHECK_INVALID = auto(), _INVALID, "The text of a check is not well formed: correct it as the message says."
    REFERENCE_UNKNOWN = (
        auto(),
        _INVALID,
        "A reference is for a criterion that the job does not have: correct its number.",
    )
    REFERENCE_EMPTY = auto(), _INVALID, "A reference has no words: add them, or leave it out."
    REFERENCE_TOO_LONG = auto(), _INVALID, "A reference is too long: shorten it."
    REFERENCE_IN_RECORD = (
        auto(),
        _INVALID,
        "A request by a topic has references, which agents could read there: create the job by a call.",
    )
    GOLDEN_SET_INVALID = auto(), _INVALID, "The text is no golden set: correct it as the message says."
    URL_HAS_USERINFO = auto(), _INVALID, "An agent's address holds a name or password: give a header instead."
    RESULT_TOO_LARGE_TO_JUDGE = (
        auto(),
        _REFUSED,
        "Criteria and result have more characters than the judge takes: shorten them, or name another judge.",
    )
    # Of the database and of Kafka.
    DATABASE_UNAVAILABLE = (
        auto(),
        _AWAY,
        "The database is out of reach: start it, or correct SIGNOFF_DATABASE_URL; it is tried again.",
    )
    DATABASE_IN_RECOVERY = auto(), _AWAY, "The database is in recovery: wait, promote it, or name the primary."
    DATABASE_READ_ONLY = (
        auto(),
        _AWAY,
        "The database is read-only: find who set default_transaction_read_only, and reset it.",
    )
    DATABASE_OUT_OF_SPACE = (
        auto(),
        _AWAY,
        "The database's disk is full: free space, or enlarge it; nothing needs a restart.",
    )
    DATABASE_OUT_OF_CONNECTIONS = auto(), _AWAY, "The database takes no more connections: end some, or allow more."
    DATABASE_FORBIDDEN = auto(), _AWAY, "The jobstore's role lacks a privilege: grant it."
    DATABASE_NOT_MIGRATED = (
        auto(),
        _AWAY,
        "The jobstore's tables are missing or of another version: name the right database.",
    )
    DATABASE_BUSY = auto(), _AWAY, "The database was busy with others at this call: ask again."
    RACED = auto(), _AWAY, "Another transaction wrote first: ask again."
    EPOCH_ENDED = auto(), _AWAY, "This jobstore had stopped or was cut off: ask another, or again."
    KAFKA_UNAVAILABLE = auto(), _AWAY, "Kafka does not answer, or did not acknowledge: it is tried again."
    TOPICS_MISSING = auto(), _AWAY, "Topics are missing: create them, or let the jobstore (SIGNOFF_CREATE_TOPICS)."
    TOPIC_NOT_CREATED = auto(), _AWAY, "The broker did not create a topic: read its log."
    WRONG_SECRETS = auto(), _AWAY, "SIGNOFF_SECRETS are not those of the facts in Kafka: correct them."
    DATABASE_ERROR = auto(), _FAULT, "The database failed at this call alone: the jobstore's log says why."
    INVALID_DATA = auto(), _INVALID, "A value cannot be stored, such as a text with U+0000: correct it."
    JOBSTORE_UNREACHABLE = (
        auto(),
        _AWAY,
        "The jobstore does not answer, or does not say why it does not serve: see whether it runs.",
    )
    # In an execution's entries: of its agent.
    AGENT_ERROR = auto(), _RECORDED, "The call of the agent failed: read the message."
    AGENT_STATUS = (
        auto(),
        _RECORDED,
        "The agent answered with an HTTP error status; after 408, 425, 429 and 5xx it is called again.",
    )
    AGENT_REDIRECT = (
        auto(),
        _RECORDED,
        "The agent answered with a redirect, which is not followed: register where it leads.",
    )
    AGENT_DECLINED = auto(), _RECORDED, "The agent declined the job: read its reason, and assign another."
    AGENT_FAILED = auto(), _RECORDED, "The agent reported that it failed: read its message."
    AGENT_INVALID_JSON = auto(), _RECORDED, "What the agent answered is not JSON: the agent has to be mended."
    AGENT_INVALID_STATUS = (
        auto(),
        _RECORDED,
        "The agent reported a status of its work that is not understood: it has to be mended.",
    )
    AGENT_INVALID_LOCATION = (
        auto(),
        _RECORDED,
        "The agent did not say where its work's status can be read: it has to be mended.",
    )
    AGENT_INVALID_URL = auto(), _RECORDED, "The agent's address cannot be called: correct it."
    AGENT_ADDRESS_FORBIDDEN = (
        auto(),
        _RECORDED,
        "The agent's address is in a network that is not allowed: correct it, or SIGNOFF_AGENT_NETWORKS.",
    )
    AGENT_HEADER_UNRESOLVED = (
        auto(),
        _PASSING,
        "The value of a header of the agent cannot be read: provide it where executors run.",
    )
    AGENT_UNREACHABLE = auto(), _PASSING, "The agent could not be reached: see whether it runs at its address."
    AGENT_CONNECT_TIMEOUT = (
        auto(),
        _PASSING,
        "No connection to the agent was made in time: see whether it can be reached.",
    )
    AGENT_CONNECTION_LOST = (
        auto(),
        _PASSING,
        "The connection broke before the agent had answered: execute again; the work may be done twice.",
    )
    AGENT_TIMEOUT = (
        auto(),
        _PASSING,
        "The agent did not answer in time: allow more in the policy, or assign a quicker one.",
    )
    AGENT_HEARTBEAT_TIMEOUT = auto(), _PASSING, "An asynchronous agent was silent for too long: see whether it works."
    AGENT_WORK_LOST = auto(), _PASSING, "The agent no longer knows of the work that it was given: execute again."
    EXECUTOR_ERROR = auto(), _PASSING, "An executor failed by an error of its own: its log says why."
    UNKNOWN_PROTOCOL = auto(), _RECORDED, "The executor does not know the agent's protocol: update executors."
    RESULT_TOO_LARGE = auto(), _RECORDED, "The result is larger than may be: ask for less, or for a link to it."
    # In an execution's entries: of its way.
    MATCHED = auto(), _RECORDED, "An agent was found for the job; nothing is to be done."
    HANDED_ON = auto(), _RECORDED, "The job was given to another agent by its policy; nothing is to be done."
    MATCHING_FAILED = (
        auto(),
        _RECORDED,
        "No enabled agent has the job's capabilities: register one, and it is tried again.",
    )
    EDITED = auto(), _RECORDED, "Somebody changed the job; nothing is to be done."
    RESULT_REUSED = (
        auto(),
        _RECORDED,
        "The result of an equal request was taken, and no agent called; nothing is to be done.",
    )
    VERDICT_REUSED = (
        auto(),
        _RECORDED,
        "The verdict on an equal result was taken, and no judge asked; nothing is to be done.",
    )
    REJUDGED = auto(), _RECORDED, "The result was judged again, without its agent; nothing is to be done."
    HANDED_OVER = auto(), _RECORDED, "The worker stopped, and another goes on; nothing is to be done."
    BEGUN = auto(), _RECORDED, "The work was given back after its call had begun; nothing is to be done."
    WORKER_STOPPED = (
        auto(),
        _RECORDED,
        "The worker stopped while it called an agent that is called at most once: see whether it did the work.",
    )
    LEASE_LAPSED = (
        auto(),
        _RECORDED,
        "The worker that held it was lost; unless its agent is called at most once, another goes on.",
    )
    ATTEMPTS_EXHAUSTED = auto(), _RECORDED, "All calls that the policy allows are used up: read what each met."
    DEADLINE_EXCEEDED = auto(), _RECORDED, "The job was not done within its deadline: allow more in the policy."
    QUEUE_TIMEOUT = (
        auto(),
        _RECORDED,
        "No executor took it in time: see whether executors run, and whether the agent is paused.",
    )
    JUDGING_TIMEOUT = auto(), _RECORDED, "The result was not judged in time: see whether validators run."
    NO_PROGRESS = (
        auto(),
        _RECORDED,
        "The result equals the one before, and fails alike: change the criteria or the payload.",
    )
    REBUILT = (
        auto(),
        _RECORDED,
        "The database was rebuilt while an agent was perhaps called that may be called once: see what it did.",
    )
    # In an execution's entries: of its judge.
    JUDGMENT_FAILED = auto(), _RECORDED, "The result could not be judged: execute again, by another judge."
    JUDGING_LOST = auto(), _RECORDED, "Too many validators were lost while they judged it: their logs say why."
    VERDICT_MISMATCH = (
        auto(),
        _RECORDED,
        "A verdict was none on the job's criteria: see that all validators run the jobstore's version.",
    )
    VERDICT_TOO_LARGE = auto(), _RECORDED, "The verdict is larger than may be: use fewer criteria."
    VERDICT_UNPROVEN = (
        auto(),
        _REFUSED,
        "The judge let the result pass, and proved nothing: judge it again, by another judge.",
    )
    VALIDATOR_ERROR = auto(), _RECORDED, "Validators failed by an error of their own: their logs say why."
    NO_CRITERIA = auto(), _RECORDED, "There is no criterion to judge by: edit the job."
    RESULT_NOT_JSON = auto(), _RECORDED, "The result cannot be written as JSON: the agent has to be mended."
    COST_UNKNOWN = (
        auto(),
        _RECORDED,
        "The operation has a budget in USD, and no judge tells its cost: name prices in the policy.",
    )
    JUDGE_POLICY_NOT_SUPPORTED = auto(), _PASSING, "The policy is of a later version: update validators."
    JUDGE_PROMPT_UNKNOWN = auto(), _RECORDED, "The validator lacks the prompt that the policy names: name another."
    JUDGE_REFUSED = auto(), _RECORDED, "The judge refused to answer: read the result, or use another judge."
    JUDGE_CONTENT_FILTER = (
        auto(),
        _RECORDED,
        "A content filter stopped the judge's answer: read the result, or use another judge.",
    )
    JUDGE_INCOMPLETE = auto(), _RECORDED, "The judge's answers were cut off: use fewer criteria, or let it write more."
    JUDGE_INVALID_JSON = auto(), _RECORDED, "What the judge answered is not JSON: use another model."
    JUDGE_WRONG_SHAPE = auto(), _RECORDED, "The judge's answers did not have the requested form: use another model."
    JUDGE_CRITERIA_MISMATCH = (
        auto(),
        _RECORDED,
        "The judge answered about other criteria than the job's: use another model.",
    )
    JUDGE_CANARY = auto(), _RECORDED, "The judge wrote what it must never write: read the result, which may steer it."
    JUDGE_FAILED = (
        auto(),
        _RECORDED,
        "The judge's API reported that its answer failed: execute again, or use another model.",
    )
    JUDGE_REQUEST_REJECTED = auto(), _RECORDED, "The judge's API did not take the request: correct the policy."
    JUDGE_UNREACHABLE = auto(), _PASSING, "The judge cannot be reached: see whether it runs at its address."
    JUDGE_TIMEOUT = auto(), _PASSING, "The judge did not answer in time: allow more, or use a quicker one."
    JUDGE_RATE_LIMITED = auto(), _PASSING, "The judge's API takes fewer requests: it is asked again."
    JUDGE_UNAVAILABLE = auto(), _PASSING, "The judge's API failed: it is asked again."
    JUDGE_QUOTA_EXCEEDED = auto(), _PASSING, "The quota at the judge's API is used up: raise it."
    JUDGE_UNAUTHORIZED = auto(), _PASSING, "The judge's API does not take the key: correct it."
    JUDGE_NOT_FOUND = auto(), _PASSING, "The judge's API does not know the model or the address: correct the policy."
    JUDGE_NOT_CONFIGURED = auto(), _PASSING, "No judge is set: set OPENAI_API_KEY, or name a key in the policy."
    JUDGE_KEY_UNKNOWN = auto(), _PASSING, "Validators have no key of this name: add it to SIGNOFF_JUDGE_KEYS."
    JUDGE_KEY_NOT_ALLOWED = (
        auto(),
        _PASSING,
        "The key may not be sent to this address: add the address to it in SIGNOFF_JUDGE_KEYS.",
    )
    JUDGE_ADDRESS_FORBIDDEN = (
        auto(),
        _PASSING,
        "The judge's address is in a network that is not allowed: correct it, or SIGNOFF_JUDGE_NETWORKS.",
    )
    # In refusals of reports and claims, which repeat or come late.
    REPEAT = auto(), _RECORDED, "It was reported before; nothing is to be done."
    FENCED = (
        auto(),
        _RECORDED,
        "The lease is not the current one, or the execution has moved on; nothing is to be done.",
    )
    CONCLUDED = auto(), _RECORDED, "The execution has ended; nothing is to be done."
    LEASE_RUNS = auto(), _RECORDED, "The lease still runs; nothing is to be done."
    DEADLINE_AHEAD = auto(), _RECORDED, "The time limit is still ahead; nothing is to be done."
    NOT_DUE = auto(), _PASSING, "The time of the execution has not come; it is offered again."
    NO_ROOM = auto(), _PASSING, "A limit leaves no room now; it is offered again."
    LIMITED = auto(), _PASSING, "A limit leaves no room now, and others wait; it is offered again."
    REUSABLE = auto(), _PASSING, "A result of an equal request may do; it is offered again, and that is looked at."
    REPLAYED = auto(), _RECORDED, "A record that was published again admits nothing; nothing is to be done."
    CIRCUIT_OPEN = auto(), _PASSING, "The agent fails too often, and is called again later; it is offered again."
    UNABLE = auto(), _PASSING, "This worker cannot do it, and a newer one may: update workers."
    # In dead letters, and of facts and their rebuild.
    BAD_SIGNATURE = auto(), _RECORDED, "Nobody vouches for the record or receipt: its signature is missing or wrong."
    UNREADABLE_BATCH = auto(), _RECORDED, "A batch of records cannot be read: find who wrote it."
    SCHEMA_MISMATCH = auto(), _INVALID, "The record does not have the shape of its topic: correct who writes it."
    EMPTY_BODY = auto(), _RECORDED, "The record has no body: correct who writes it."
    MALFORMED_HEADER = auto(), _RECORDED, "A header's name is not UTF-8: correct who writes it."
    MESSAGE_TOO_LARGE = auto(), _RECORDED, "The broker takes no record of this size: allow more, or write less."
    MESSAGE_REFUSED = auto(), _RECORDED, "The broker refuses the record: its log says why."
    UNSTORABLE = auto(), _RECORDED, "What was reported cannot be stored: read the dead letter."
    FACT_TOO_LARGE = (
        auto(),
        _RECORDED,
        "A fact does not fit into its topic, and a stub stands for it: the database has it.",
    )
    FACT_REFUSED = auto(), _RECORDED, "The broker refused a fact, and a stub stands for it: the database has it."
    CONSUMER_DEAD = auto(), _PASSING, "A consumer stopped: its process begins it again."
    UNKNOWN_TOPIC = auto(), _RECORDED, "The broker has no such topic: correct the name, or create it."
    UNRELEASED_FACTS = auto(), _RECORDED, "The facts are of an earlier, unreleased version: begin with empty topics."
    NO_VOUCHED_FACTS = (
        auto(),
        _RECORDED,
        "No fact is vouched for by the keys that were given: give those of the jobstore.",
    )
    GAPS = auto(), _RECORDED, "Facts are missing: find them, or accept the gaps."
    DATABASE_NOT_EMPTY = auto(), _RECORDED, "The database holds something already: name an empty one."
    DATABASE_OLDER_THAN_FACTS = (
        auto(),
        _RECORDED,
        "The database is older than the facts: restore a newer one, or rebuild it.",
    )
    UNKNOWN_REVISION = (
        auto(),
        _RECORDED,
        "The database is of a version that this program does not know: run the newer one.",
    )
    BAD_SETTINGS = auto(), _RECORDED, "Settings are missing or wrong: correct those that are named."
    # Of receipts.
    MALFORMED_RECEIPT = auto(), _RECORDED, "The text is no receipt: take it as the API gives it."
    MALFORMED_KEYS = auto(), _RECORDED, "The text is no list of keys of receipts: take it as the API gives it."
    OTHER_PAYLOAD_TYPE = auto(), _RECORDED, "The envelope holds something else than a receipt: take another."
    UNKNOWN_KEY = (
        auto(),
        _RECORDED,
        "The receipt is signed by a key that is not trusted: give the jobstore's keys, or do not trust it.",
    )
    UNKNOWN_PREDICATE = auto(), _RECORDED, "The statement is of a kind that is not known: it may be of a newer version."
    OTHER_RESULT = auto(), _RECORDED, "The receipt is genuine, and about another result."
    OTHER_TASK = auto(), _RECORDED, "The receipt is genuine, and its agent was asked for something else."
    OTHER_REFERENCES = auto(), _RECORDED, "The receipt is genuine, and other references were judged by."
    # Warnings, which hinder nothing.
    CRITERION_SAYS_NOTHING = auto(), _RECORDED, "The criterion says nothing that could fail: say what is wanted."
    CRITERION_BETTER_AS_CHECK = auto(), _RECORDED, "A check decides it for nothing: write it as one."
    CRITERION_OUT_OF_SIGHT = (
        auto(),
        _RECORDED,
        "The judge cannot see what the criterion is about: say it of the result.",
    )
    CRITERION_READS_AS_ABSENCE = auto(), _RECORDED, "It reads as if something must be missing: say which is meant."
    CRITERION_VAGUE = auto(), _RECORDED, "The criterion is vague: say by what it is met."
    CRITERION_JOINS_TWO = auto(), _RECORDED, "The criterion joins two: divide it."
    CRITERION_ABOUT_THE_WHOLE = auto(), _RECORDED, "The criterion is about all criteria together: leave it out."
    CRITERION_CONTRADICTS = auto(), _RECORDED, "Two criteria contradict each other: make one optional."
    QUORUM_ALIKE = auto(), _RECORDED, "All votes of the quorum err alike: name judges of other families."
    QUORUM_NOT_MEASURED = auto(), _RECORDED, "What the quorum is worth is not measured: evaluate it."
    QUORUM_ADDS_NOTHING = auto(), _RECORDED, "The quorum adds nothing to one of its votes: take that one alone."
    JUDGE_KEY_ELSEWHERE = (
        auto(),
        _RECORDED,
        "The key of the policy may not be sent to its address: add the address to it.",
    )
    # Of the command line.
    FAILED = auto(), _RECORDED, "The command failed: the message says why."
    USAGE = auto(), _RECORDED, "The command was wrongly asked for: its --help shows how."
    TIMEOUT = auto(), _RECORDED, "What was waited for has not ended in time: look again, or wait longer."
    NOT_COMPLETED = auto(), _RECORDED, "What was waited for has ended otherwise than COMPLETED: its log says why."
    NOT_CONFIRMED = auto(), _RECORDED, "It was not confirmed, and nothing was done."
    JUDGINGS_LOST = auto(), _RECORDED, "Fewer judgings came back than were asked for: ask again."
    STACK = auto(), _RECORDED, "The local stack does not run: its logs say why."
    AMBIGUOUS_ID = auto(), _RECORDED, "The part of an id fits several: give more of it."
    BAD_CASES = auto(), _RECORDED, "The file of cases is not well formed: correct the lines that are named."
    NO_CASES = auto(), _RECORDED, "The file has no cases: add some."
    UNREADABLE = auto(), _RECORDED, "A file cannot be read: correct its name or its rights."
    UNWRITABLE = auto(), _RECORDED, "A file cannot be written: correct its name or its rights."
    LOG_TOO_LONG = auto(), _RECORDED, "The job's log is too long to be shown whole: ask for pages."
    NOT_REPLAYABLE = auto(), _RECORDED, "The topic is never published again: no service consumes it."
    UNKNOWN_PARTITION = auto(), _RECORDED, "The topic has no such partition: name one that it has."
    UNKNOWN_ADDRESS = auto(), _RECORDED, "An address is not known: give --endpoints of a local stack."
    NO_JOBSTORE = auto(), _RECORDED, "No jobstore is known: start one, or give --jobstore or --endpoints."
    NO_CONSOLE = auto(), _RECORDED, "No console is known: give --http or --endpoints."
    NO_KAFKA = auto(), _RECORDED, "No Kafka is known: give --kafka or --endpoints."
    NO_DATABASE = auto(), _RECORDED, "No database is known: give --live or --endpoints."
    NO_FACT_KEYS = auto(), _RECORDED, "No key of facts is known: set SIGNOFF_SECRETS or SIGNOFF_FACT_KEYS."
    NO_RECEIPT_KEYS = auto(), _RECORDED, "No key of receipts is known: give --keys, --key or --jobstore."
    TWO_KEYS = auto(), _RECORDED, "Keys are given in two ways: give one."
    TWO_TOKENS = auto(), _RECORDED, "A token is given in two ways: give one."
    TOKEN_UNREADABLE = auto(), _RECORDED, "The token's file cannot be read: correct its name or its rights."
    TOKEN_FOR_ANOTHER = (
        auto(),
        _RECORDED,
        "The token is not sent to a jobstore that only a file names: name the place, too.",
    )
    ENDPOINTS_UNREADABLE = auto(), _RECORDED, "The endpoints file cannot be read: see whether `signoff up` runs."


_KNOWN: Final[dict[str, ErrorCode]] = {str(code): code for code in ErrorCode}
_HTTP_OF_GRPC: Final[dict[str, int]] = {}
for _code in ErrorCode:
    if _code.answer.grpc is not None and _code.answer.http is not None:
        _HTTP_OF_GRPC.setdefault(_code.answer.grpc, _code.answer.http)


def find_code(code: str) -> ErrorCode | None:
    """Return a code of this list; None of one that is not known."""
    return _KNOWN.get(code)


def is_retryable(code: str, grpc_status: str | None = None) -> bool:
    """Return whether the same request may succeed later; of a code that is not known, whether its status says so."""
    known = _KNOWN.get(code)
    return grpc_status == _AWAY.grpc if known is None else known.answer.is_retryable


def find_http_status(code: str, grpc_status: str) -> int:
    """Return the HTTP status of a code; of one that has none, or is not known, that of its gRPC status."""
    known = _KNOWN.get(code)
    status = None if known is None else known.answer.http
    return status or _HTTP_OF_GRPC.get(grpc_status, 502)
