"use strict";

// A browser that has no OAuth client would still send an empty one ("Basic Og==" is ":") when it logs in.
const EMPTY_CLIENT = "Basic " + btoa(":");

function dropEmptyClient(request) {
  if (request.headers && request.headers.Authorization === EMPTY_CLIENT) {
    delete request.headers.Authorization;
  }
  return request;
}

// This page is for trying: of the introduction it shows the first steps, and leaves the rest to the reference.
function shortenIntroduction(spec) {
  const [introduction, firstSteps] = (spec.info?.description ?? "").split("\n## ");
  if (!firstSteps) {
    return spec;
  }
  const description =
    introduction + "\n## " + firstSteps + "\nAuthentication, streaming, errors and limits are explained in the [reference](redoc).\n";
  return { ...spec, info: { ...spec.info, description } };
}

const shortIntroduction = {
  statePlugins: {
    spec: { wrapActions: { updateJsonSpec: (update) => (spec) => update(shortenIntroduction(spec)) } },
  },
};

window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#content",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  filter: true,
  tryItOutEnabled: true,
  // A shared machine must not keep the last user's token.
  persistAuthorization: false,
  // The badge would send the contract's address to a public validator.
  validatorUrl: null,
  plugins: [shortIntroduction],
  requestInterceptor: dropEmptyClient,
});
