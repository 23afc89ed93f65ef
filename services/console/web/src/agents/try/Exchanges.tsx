import type { AgentExchange } from "@/api/types";
import { formatCount, formatDuration, pluralize } from "@/lib/format";

/** Characters of a body that are drawn at once. */
const SHOWN_CHARS = 65_536;

/** Each request of a try with its answer, folded at first. */
export function Exchanges({ exchanges, leftOut }: { exchanges: readonly AgentExchange[]; leftOut: number }) {
  if (exchanges.length === 0) return null;
  return (
    <section aria-label="Requests and answers" className="space-y-2">
      <h2 className="text-lg font-semibold">Requests and answers</h2>
      <ol className="space-y-2">
        {exchanges.map((each, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the place is what names a request, and none moves
          <li key={place}>
            <Exchange exchange={each} place={place} />
          </li>
        ))}
      </ol>
      {leftOut > 0 && <p className="text-xs text-muted">{pluralize(leftOut, "request")} between them are left out.</p>}
    </section>
  );
}

function Exchange({ exchange, place }: { exchange: AgentExchange; place: number }) {
  const { method, url, status, code, message, advice, duration_s } = exchange;
  return (
    <details className="rounded border p-3">
      <summary className="min-h-6 wrap-anywhere">
        <span className="text-muted">{formatCount(place + 1)}.</span>{" "}
        <span className="font-mono text-xs">{method}</span> <bdi className="font-mono text-xs">{url}</bdi>{" "}
        <span className={status == null ? "text-failed" : "font-medium"}>{status ?? code ?? "no answer"}</span>{" "}
        <span className="text-xs text-muted">{formatDuration(duration_s * 1_000)}</span>
      </summary>
      <div className="space-y-3 pt-3">
        {code && (
          <p className="text-failed wrap-anywhere">
            <span className="font-mono text-xs">{code}</span> <bdi>{message}</bdi> {advice}
          </p>
        )}
        <Message name={`Request ${place + 1}`} headers={exchange.request_headers} body={exchange.request_body} />
        {status != null && (
          <Message name={`Answer ${place + 1}`} headers={exchange.response_headers} body={exchange.response_body} />
        )}
      </div>
    </details>
  );
}

function Message({ name, headers, body }: { name: string; headers: Record<string, string>; body: string }) {
  return (
    <div className="space-y-1">
      <h3 className="font-medium">{name}</h3>
      <dl className="grid gap-x-3 font-mono text-xs sm:grid-cols-[auto_1fr]">
        {Object.entries(headers).map(([header, value]) => (
          <div key={header} className="contents">
            <dt className="text-muted wrap-anywhere">{header}</dt>
            <dd className="wrap-anywhere">
              <bdi>{value}</bdi>
            </dd>
          </div>
        ))}
      </dl>
      {body !== "" && <BodyText label={`Body of ${name.toLowerCase()}`} text={body} />}
    </div>
  );
}

/** Text of an agent, as it is, in a box of bounded height. */
export function BodyText({ label, text }: { label: string; text: string }) {
  return (
    <section aria-label={label} tabIndex={0} className="max-h-80 overflow-auto rounded bg-sunken p-2">
      <pre dir="auto" className="font-mono text-xs whitespace-pre-wrap wrap-anywhere">
        {text.slice(0, SHOWN_CHARS)}
      </pre>
      {text.length > SHOWN_CHARS && <p className="text-xs text-muted">The rest is not shown.</p>}
    </section>
  );
}
