"use strict";

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

const content = document.getElementById("content");

// JSON has lost the order in which the contract lists its paths, which is that of their use.
function inOrder(paths) {
  const order = content.dataset.paths.split(" ");
  return Object.fromEntries(Object.entries(paths).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)));
}

// The reference begins with the operations. What the introduction says has pages of its own.
function shorten(spec) {
  const [introduction] = spec.info.description.split("\n## ");
  const description =
    introduction +
    "\nBegin with the [quickstart](guides/quickstart). The [guides](guides) explain how to embed the API, to stream answers and to " +
    "act for customers; the [errors](problems) have a page each.\n";
  return { ...spec, info: { ...spec.info, description }, paths: inOrder(spec.paths) };
}

const options = {
  // The header stays in view, so headings that a link leads to stop below it.
  scrollYOffset: ".site-header",
  // The file is one click away in the header, under its real name.
  hideDownloadButton: true,
  hideSchemaPattern: true,
  // Samples of code come before the payload, the operation's own before those of its errors.
  payloadSampleIdx: 3,
  theme: {
    colors: { primary: { main: "#17324d" } },
    typography: {
      fontFamily: FONT,
      headings: { fontFamily: FONT },
      code: { fontFamily: "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" },
    },
  },
};

fetch("openapi.json")
  .then((response) => response.json())
  .then((spec) => Redoc.init(shorten(spec), options, content));
