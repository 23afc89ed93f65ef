import type { Judges } from "@/api/types";

/** The validators that are there, and what each is set to. */
export function Validators({ validators }: Pick<Judges, "validators">) {
  const settings = new Set(validators.map(({ judge }) => judge));
  return (
    <section aria-label="Validators" className="space-y-2">
      <h2 className="text-lg font-semibold">Validators</h2>
      {validators.length === 0 && <p className="text-muted">None is running: nothing is judged until one is.</p>}
      {settings.size > 1 && (
        <p className="text-resubmit">
          They are configured differently: how a result is judged depends on which of them takes it.
        </p>
      )}
      <ul className="divide-y">
        {validators.map(({ owner, judge, keys = [] }) => (
          <li key={owner} className="flex min-h-8 flex-wrap items-center gap-x-4 py-1">
            <code className="min-w-0 font-mono text-xs break-all">{owner}</code>
            <bdi>{judge || "has not reported its settings"}</bdi>
            {keys.length > 0 && <span className="text-muted wrap-anywhere">keys: {keys.join(", ")}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}
