import { Link, useNavigate } from "@tanstack/react-router";
import { AgentName } from "@/api/AgentName";
import { useAgentNames } from "@/api/agents";
import type { Quality, QualityOf, QualityOfCriterion } from "@/api/types";
import { formatCount, formatPercent } from "@/lib/format";
import { type Column, FigureTable } from "@/ui/display/FigureTable";
import { describeRight, shareRight, splitReference, useEvaluations } from "./evaluated";
import type { QualitySearch } from "./search";

const LINK = "font-medium hover:underline";

type TablesProps = { quality: Quality; search: QualitySearch };

/** Figures by agent, by judge and by criterion. */
export function QualityTables({ quality, search }: TablesProps) {
  const { nameOf } = useAgentNames();
  const navigate = useNavigate();
  const evaluated = useEvaluations(quality.judges);
  const sort = (table: "agents" | "judges" | "criteria") => (sorted: string) =>
    void navigate({
      to: "/quality",
      search: { ...search, [table]: sorted },
      replace: true,
      resetScroll: false,
    });
  const { others } = quality;
  return (
    <>
      <FigureTable
        title="By agent"
        hint="Whose results are accepted."
        columns={[
          {
            key: "agent",
            name: "Agent",
            valueOf: ({ name }) => nameOf(name).toLowerCase(),
            show: ({ name }) => (
              <>
                <Link to="/agents/$id" params={{ id: name }} className={LINK}>
                  <AgentName id={name} />
                </Link>
                <Only search={{ ...search, agent: name }} what={nameOf(name)} />
              </>
            ),
          },
          ...COUNTS,
        ]}
        rows={quality.agents}
        keyOf={({ name }) => name}
        none="No result was judged."
        sorted={search.agents}
        onSort={sort("agents")}
      />
      <FigureTable
        title="By judge"
        hint="What each version of a policy accepts, and whether it is any good: how it agrees with labels, and with itself."
        columns={[
          {
            key: "judge",
            name: "Judge",
            valueOf: ({ name }) => name,
            show: ({ name, models }) => (
              <>
                <JudgeLink name={name} />
                <Only search={{ ...search, judge: name }} what={name} />
                <span className="block text-xs text-muted">
                  <bdi>{Object.keys(models).join(", ")}</bdi>
                </span>
              </>
            ),
          },
          ...COUNTS,
          {
            key: "labels",
            name: "Right on labels",
            isExtra: true,
            valueOf: ({ name }) => shareRight(evaluated.get(name)),
            show: ({ name }) => describeRight(evaluated.get(name)),
          },
        ]}
        rows={quality.judges}
        keyOf={({ name }) => name}
        none="No judge has judged."
        sorted={search.judges}
        onSort={sort("judges")}
      />
      <FigureTable
        title="By criterion"
        hint="What fails most, and what cannot be assessed: those need other words, or another judge."
        columns={criteriaColumns(search)}
        rows={quality.criteria}
        keyOf={({ text }) => text}
        none="No criterion was judged."
        sorted={search.criteria}
        onSort={sort("criteria")}
        footer={
          others && (
            <p className="text-muted">
              All other criteria together: {formatCount(others.passed)} passed, {formatCount(others.failed)} failed,{" "}
              {formatCount(others.unassessed)} not assessed.
            </p>
          )
        }
      />
    </>
  );
}

const COUNTS: readonly Column<QualityOf>[] = [
  { key: "judged", name: "Judged", valueOf: ({ judged }) => judged, show: ({ judged }) => formatCount(judged) },
  {
    key: "accepted",
    name: "Accepted",
    valueOf: ({ acceptance_rate: rate }) => rate,
    show: ({ acceptance_rate: rate }) => (rate == null ? "–" : formatPercent(rate)),
  },
  {
    key: "unjudged",
    name: "Not judged",
    isExtra: true,
    valueOf: ({ unjudged }) => unjudged,
    show: ({ unjudged }) => formatCount(unjudged),
  },
  {
    key: "flipped",
    name: "Flipped",
    valueOf: ({ flipped, compared }) => (compared > 0 ? flipped / compared : null),
    show: ({ flipped, compared }) => (compared > 0 ? `${formatCount(flipped)} of ${formatCount(compared)}` : "–"),
  },
];

const criteriaColumns = (search: QualitySearch): readonly Column<QualityOfCriterion>[] => [
  {
    key: "criterion",
    name: "Criterion",
    valueOf: ({ text }) => text.toLowerCase(),
    show: ({ text }) => (
      <>
        <Link
          to="/jobs"
          search={{ criterion: text, ...(search.agent && { agent: search.agent }) }}
          className={LINK}
          title="Jobs that did not meet it"
        >
          <bdi>{text}</bdi>
        </Link>
        <Only search={{ ...search, criterion: text }} what={text} />
      </>
    ),
  },
  {
    key: "passed",
    name: "Passed",
    valueOf: ({ passed, failed }) => (passed + failed > 0 ? passed / (passed + failed) : null),
    show: ({ passed, failed }) => (passed + failed > 0 ? formatPercent(passed / (passed + failed)) : "–"),
  },
  { key: "failed", name: "Failed", valueOf: ({ failed }) => failed, show: ({ failed }) => formatCount(failed) },
  {
    key: "unassessed",
    name: "Not assessed",
    valueOf: ({ unassessed }) => unassessed,
    show: ({ unassessed }) => formatCount(unassessed),
  },
];

/** Way to the same page with one of its rows alone, over time. */
function Only({ search, what }: { search: QualitySearch; what: string }) {
  return (
    <Link
      to="/quality"
      search={search}
      aria-label={`Only ${what}`}
      className="ml-2 inline-flex min-h-6 items-center text-xs text-muted underline hover:text-text"
    >
      only
    </Link>
  );
}

function JudgeLink({ name: reference }: { name: string }) {
  const { name, version } = splitReference(reference);
  return (
    <Link to="/quality/judges/$name" params={{ name }} search={version ? { version } : {}} className={LINK}>
      <bdi>{reference}</bdi>
    </Link>
  );
}
