/** Every page of the console, and what it says at least. */
export const PAGES: [path: string, heading: RegExp][] = [
  ["/", /Fleet/],
  ["/clusters/demo", /demo/],
  ["/problems", /Problems/],
  ["/changes", /Changes/],
  ["/audit", /Audit/],
  ["/audit/1", /Audit entry/],
  ["/access", /Access/],
];
