"use strict";

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

const content = document.getElementById("content");

// The JSON document has lost the contract's order of paths, in which people use them.
function inOrder(paths) {
  const order = content.dataset.paths.split(" ");
  return Object.fromEntries(Object.entries(paths).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)));
}

// The reference begins with the operations. The introduction has pages of its own.
function shorten(spec) {
  const [introduction] = spec.info.description.split("\n## ");
  const description =
    introduction +
    "\nBegin with the [quickstart](guides/quickstart). The [guides](guides) explain how to embed the API, to stream answers and to " +
    "act for customers; the [errors](problems) have a page each.\n";
  return { ...spec, info: { ...spec.info, description }, paths: inOrder(spec.paths) };
}

const options = {
  // The header stays visible, so the target of a link must stop below it.
  scrollYOffset: ".site-header",
  // The file is one click away in the header, under its real name.
  hideDownloadButton: true,
  hideSchemaPattern: true,
  // Code samples come before the payload, and the operation's before those of its errors.
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
