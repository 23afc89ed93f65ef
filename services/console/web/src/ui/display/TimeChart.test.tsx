import { fireEvent, render } from "@testing-library/react";
import { expect, it } from "vitest";
import { findTicks, TimeChart } from "./TimeChart";

it.each([
  [0, false, [0, 0.5, 1]],
  [0, true, [0, 1]],
  [3, true, [0, 1, 2, 3]],
  [1, false, [0, 0.5, 1]],
  [0.02, false, [0, 0.005, 0.01, 0.015, 0.02]],
  [1_200, true, [0, 500, 1_000, 1_500]],
  [7, true, [0, 2, 4, 6, 8]],
])("an axis up to %s has a few round steps", (largest, isWhole, expected) => {
  expect(findTicks(largest, isWhole).map((tick) => Number(tick.toPrecision(6)))).toEqual(expected);
});

it("says the values of the time that is pointed at, and that one is missing", () => {
  const series = [
    { key: "a", word: "Accepted", ink: "red", values: [1, 2] },
    { key: "b", word: "Failed", ink: "blue", values: [3, null] },
  ];
  const { container } = render(
    <TimeChart title="Ended" hint="By outcome" kind="bar" times={["9:00", "10:00"]} series={series} format={String} />,
  );
  expect(container.querySelectorAll("svg[width='400'] rect")).toHaveLength(3);
  const drawing = container.querySelector("figure > [aria-hidden]") as HTMLElement;
  fireEvent.pointerMove(drawing, { clientX: 390 });
  expect(drawing).toHaveTextContent("Accepted 2Failed –");
  fireEvent.pointerLeave(drawing);
  expect(drawing).not.toHaveTextContent("Accepted");
});
