"use strict";

// Without a client id, Swagger UI would send an empty one when it logs in ("Basic Og==" is ":").
const EMPTY_CLIENT = "Basic " + btoa(":");

// Keeps the authorization for this tab, so that it survives a reload. A shared machine must not keep the last user's token.
const KEPT = "support-authorized";

// The dialog's ways to authorize, in order. A stream token is for EventSource, not for this page.
const SCHEMES = {
  passwordAuth: "E-mail and password",
  bearerAuth: "Access token or API key",
  onBehalfOf: "Customer, beside an API key",
};

function dropEmptyClient(request) {
  if (request.headers && request.headers.Authorization === EMPTY_CLIENT) {
    delete request.headers.Authorization;
  }
  return request;
}

// The dialog shows only OAuth 2.0 errors.
function explainRefusal(response) {
  if (response.status >= 400 && response.url?.endsWith("/auth/login") && typeof response.data === "string") {
    try {
      const problem = JSON.parse(response.data);
      response.data = JSON.stringify({ ...problem, error: problem.code, error_description: problem.detail });
    } catch {
      // The response is not a problem of this server.
    }
  }
  return response;
}

const plainErrors = {
  statePlugins: {
    err: {
      wrapActions: {
        newAuthErr: (show) => (error) => {
          const [, description] = /description: (.*)$/s.exec(error.message ?? "") ?? [];
          return show(description ? { ...error, message: description } : error);
        },
      },
    },
  },
};

// This page is for trying: of the introduction it shows the beginning, and leaves the rest to the guides.
function shorten(spec) {
  const [introduction] = (spec.info?.description ?? "").split("\n## ");
  const description =
    introduction +
    "\n**To begin**, choose Authorize and log in with an e-mail address and a password. A server of `support dev` has the demo " +
    "accounts `ada@example.com`, `staff@example.com` and `admin@example.com` with the password `correct horse battery`. " +
    "The [guides](guides) explain the rest.\n";
  return { ...spec, info: { ...spec.info, description } };
}

function nameSchemes(spec) {
  const known = spec.components?.securitySchemes;
  if (!known) {
    return spec;
  }
  const securitySchemes = {};
  for (const [name, title] of Object.entries(SCHEMES)) {
    if (known[name]) {
      securitySchemes[title] = known[name];
    }
  }
  const rename = (alternative) =>
    Object.fromEntries(Object.entries(alternative).map(([name, roles]) => [SCHEMES[name] ?? name, roles]));
  const paths = {};
  // The JSON document has lost the contract's order of paths, in which people use them.
  const order = document.getElementById("content").dataset.paths.split(" ");
  const byUse = Object.entries(spec.paths).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  for (const [path, item] of byUse) {
    paths[path] = { ...item };
    for (const [method, operation] of Object.entries(item)) {
      if (operation?.security) {
        const security = operation.security.filter((alternative) => !("streamToken" in alternative)).map(rename);
        paths[path][method] = { ...operation, security };
      }
    }
  }
  return { ...spec, paths, components: { ...spec.components, securitySchemes } };
}

const shapedContract = {
  statePlugins: {
    spec: { wrapActions: { updateJsonSpec: (update) => (spec) => update(nameSchemes(shorten(spec))) } },
  },
};

function keepAuthorization() {
  const kept = sessionStorage.getItem(KEPT);
  if (kept) {
    window.ui.authActions.restoreAuthorization({ authorized: JSON.parse(kept) });
  }
  window.ui.getStore().subscribe(() => {
    sessionStorage.setItem(KEPT, JSON.stringify(window.ui.authSelectors.authorized()?.toJS() ?? {}));
  });
}

window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#content",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  filter: true,
  tryItOutEnabled: true,
  persistAuthorization: false,
  // The badge would send the contract's address to a public validator.
  validatorUrl: null,
  plugins: [shapedContract, plainErrors],
  requestInterceptor: dropEmptyClient,
  responseInterceptor: explainRefusal,
  onComplete: keepAuthorization,
});
