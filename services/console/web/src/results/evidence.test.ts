import { expect, it } from "vitest";
import { piecesOf, placeOf, placesOf } from "./evidence";

it("a quote is found as it is written, or with other white space", () => {
  expect(placeOf("between A and B", "A and")).toEqual({ from: 8, to: 13 });
  expect(placeOf("between A\n  and B", "a AND b")).toEqual({ from: 8, to: 17 });
  expect(placeOf("(a) [b] *c*", "[b] *c*")).toEqual({ from: 4, to: 11 });
  expect(placeOf("nothing", "of the kind")).toBeNull();
  expect(placeOf("nothing", " ")).toBeNull();
});

it("marks lie beside each other, never across", () => {
  const text = "one two three";
  const places = placesOf(text, [
    { id: "a", text: "two three" },
    { id: "b", text: "one two" },
    { id: "c", text: "four" },
  ]);
  expect(places).toEqual([{ id: "b", from: 0, to: 7 }]);
  expect(
    piecesOf(text, places)
      .map((piece) => piece.text)
      .join(""),
  ).toBe(text);
});

it("a quote of everything hides no other, until it is asked for", () => {
  const quotes = [
    { id: "all", text: "one two three" },
    { id: "b", text: "two" },
  ];
  expect(placesOf("one two three", quotes)).toEqual([{ id: "b", from: 4, to: 7 }]);
  expect(placesOf("one two three", quotes, "all")).toEqual([{ id: "all", from: 0, to: 13 }]);
});

it("a quote stands where the server found it, counted in characters; else where the page finds it", () => {
  const text = "🌙 a moon, a moon";
  const spans = (...all: [number, number][]) => placesOf(text, [{ id: "q", text: "a moon", spans: all }]);
  expect(spans([10, 16])).toEqual([{ id: "q", from: 11, to: 17 }]);
  expect(spans([2, 3], [10, 16]).map(({ from }) => from)).toEqual([3, 11]);
  for (const wrong of [
    [10, 99],
    [90, 99],
    [5, 5],
  ] as [number, number][]) {
    expect(spans(wrong)).toEqual([{ id: "q", from: 3, to: 9 }]);
  }
  expect(spans()).toEqual([{ id: "q", from: 3, to: 9 }]);
});
