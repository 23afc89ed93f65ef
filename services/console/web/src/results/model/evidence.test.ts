import { expect, it } from "vitest";
import { findPlaces, findRanges, findRenderedRanges, pickPlace, splitAtPlaces } from "./evidence";
import { PLACES_MAX } from "./limits";

it("a quote is found wherever it stands, in any case and with other white space", () => {
  expect(findRanges("A and B; a\n  AND b", "A and")).toEqual([
    { from: 0, to: 5 },
    { from: 9, to: 16 },
  ]);
  expect(findRanges("(a) [b] *c*", "[b] *c*")).toEqual([{ from: 4, to: 11 }]);
  expect(findRanges("nothing", "of the kind")).toEqual([]);
  expect(findRanges("nothing", " ")).toEqual([]);
  expect(findRanges("a ".repeat(1_000), "a")).toHaveLength(PLACES_MAX);
});

it("a quote does not begin or end within a word, where a script puts spaces between words", () => {
  expect(findRanges("Item 30, item 3, items 3", "item 3")).toEqual([{ from: 9, to: 15 }]);
  expect(findRanges("übergroß groß", "groß")).toEqual([{ from: 9, to: 13 }]);
  expect(findRanges("天空是蓝色的", "蓝色")).toEqual([{ from: 3, to: 5 }]);
});

it("marks lie beside each other, never across", () => {
  const text = "one two three";
  const places = findPlaces(text, [
    { id: "a", text: "two three" },
    { id: "b", text: "one two" },
    { id: "c", text: "four" },
  ]);
  expect(places).toEqual([{ id: "b", from: 0, to: 7 }]);
  expect(
    splitAtPlaces(text, places)
      .map((piece) => piece.text)
      .join(""),
  ).toBe(text);
});

it("a quote of everything hides no other, until it is asked for", () => {
  const quotes = [
    { id: "all", text: "one two three" },
    { id: "b", text: "two" },
  ];
  expect(findPlaces("one two three", quotes)).toEqual([{ id: "b", from: 4, to: 7 }]);
  expect(findPlaces("one two three", quotes, "all")).toEqual([{ id: "all", from: 0, to: 13 }]);
});

it("all places of the quote that is asked for are marked, and of the others what lies beside them", () => {
  const text = "one two, one two, two";
  const quotes = [
    { id: "both", text: "one two" },
    { id: "b", text: "two" },
  ];
  const shown = (asked?: string) => findPlaces(text, quotes, asked).map(({ id, from }) => [id, from]);
  expect(shown()).toEqual([
    ["b", 4],
    ["b", 13],
    ["b", 18],
  ]);
  expect(shown("both")).toEqual([
    ["both", 0],
    ["both", 9],
    ["b", 18],
  ]);
});

it("each turn leads to the next place of a quote, and after the last to the first", () => {
  const places = findPlaces("moon, June, moon", [
    { id: "m", text: "moon" },
    { id: "j", text: "June" },
  ]);
  const at = (id: string, turn: number) => pickPlace(places, { id, turn })?.from;
  expect([at("m", 0), at("m", 1), at("m", 2), at("j", 5), at("x", 0)]).toEqual([0, 12, 0, 6, undefined]);
});

it("a quote stands where the server found it, counted in characters; else where the page finds it", () => {
  const text = "🌙 a moon, a moon";
  const spans = (...all: [number, number][]) => findPlaces(text, [{ id: "q", text: "a moon", spans: all }]);
  expect(spans([10, 16])).toEqual([{ id: "q", from: 11, to: 17 }]);
  expect(spans([0, 1], [2, 3], [10, 16]).map(({ from, to }) => text.slice(from, to))).toEqual(["🌙", "a", "a moon"]);
  for (const wrong of [
    [10, 99],
    [90, 99],
    [5, 5],
  ] as [number, number][]) {
    expect(spans(wrong).map(({ from }) => from)).toEqual([3, 11]);
  }
  expect(spans().map(({ from }) => from)).toEqual([3, 11]);
});

it("a quote of Markdown is found in what is drawn of it", () => {
  const drawn = "Harbour inspection\nnorth quay\nsound\nThe south quay needs repair (see the plan).";
  const found = (quote: string) => findRenderedRanges(drawn, quote).map(({ from, to }) => drawn.slice(from, to));
  expect(found("# Harbour inspection | north quay | sound |")).toEqual(["Harbour inspection\nnorth quay\nsound"]);
  expect(found("The **south quay** needs")).toEqual(["The south quay needs"]);
  expect(found("see [the plan](https://a.example/b)")).toEqual(["see the plan"]);
  expect(found("---")).toEqual([]);
  expect(found("quay need")).toEqual([]);
});
