"use strict";

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

Redoc.init(
  "openapi.json",
  {
    // The header stays in view, so headings that a link leads to stop below it.
    scrollYOffset: ".site-header",
    // The file is one click away in the header, under its real name.
    hideDownloadButton: true,
    theme: {
      colors: { primary: { main: "#17324d" } },
      typography: {
        fontFamily: FONT,
        headings: { fontFamily: FONT },
        code: { fontFamily: "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" },
      },
    },
  },
  document.getElementById("content"),
);
