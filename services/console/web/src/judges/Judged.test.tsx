import { render } from "@testing-library/react";
import { expect, it } from "vitest";
import { Judged } from "./Judged";

it("does not call free what nobody told the cost of", () => {
  const counts = { met: 3, not_met: 1, unjudged: 0, cost_usd: "0", tokens: 900 };
  expect(render(<Judged counts={counts} />).container).toHaveTextContent(/^3 accepted, 1 not \(75 %\)$/);
});
