import type { Series } from "./TimeChart";

type Parts = { title: string; times: readonly string[]; series: readonly Series[]; format: (value: number) => string };

/** Legend of a chart with several series; with one, it keeps its height so that charts align. */
export function ChartLegend({ series }: Pick<Parts, "series">) {
  return (
    <ul className="flex min-h-6 flex-wrap gap-x-3 text-xs text-muted">
      {series.length > 1 &&
        series.map(({ key, word, icon: Icon, ink, dashes }) => (
          <li key={key} className="inline-flex items-center gap-1">
            {Icon ? (
              <Icon aria-hidden size={14} color={ink} />
            ) : (
              <svg aria-hidden width={18} height={8}>
                <line x1={0} x2={18} y1={4} y2={4} stroke={ink} strokeWidth={2} strokeDasharray={dashes} />
              </svg>
            )}
            {word}
          </li>
        ))}
    </ul>
  );
}

/** Table of a chart's numbers for screen readers. */
export function ChartTable({ title, times, series, format }: Parts) {
  return (
    // A table cannot be narrower than its words, so the element around it hides it.
    <div className="sr-only">
      <table>
        <caption>{title} over time</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {series.map(({ key, word }) => (
              <th key={key} scope="col">
                {word}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times.map((time, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two times may read alike
            <tr key={index}>
              <th scope="row">{time}</th>
              {series.map(({ key, values }) => {
                const value = values[index];
                return <td key={key}>{value == null ? "nothing" : format(value)}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
