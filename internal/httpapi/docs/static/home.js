"use strict";

for (const element of document.querySelectorAll("[data-origin]")) {
  element.textContent = new URL(".", location.href).href.replace(/\/$/, "");
}

const state = document.getElementById("state");

function show(ready, text) {
  state.dataset.ready = ready;
  state.textContent = text;
}

fetch("readyz").then(
  async (response) => {
    if (response.ok) {
      show(true, "The server is ready.");
      return;
    }
    const problem = await response.json();
    show(false, `The server is not ready: ${problem.title} (${problem.code}).`);
  },
  () => show(false, "The server does not answer."),
);
