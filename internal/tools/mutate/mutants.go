package main

// mutants are the ways to break the product and the contract. Each names the tests that must notice.
var mutants = []mutant{
	{
		name: "field-dropped", file: "internal/httpapi/convert.go",
		from:  "return api.User{ID: a.ID, Email: a.Email, Role: api.Role(a.Role), DisplayName: a.DisplayName}",
		to:    "return api.User{ID: a.ID, Role: api.Role(a.Role), DisplayName: a.DisplayName}",
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows/getMe",
	},
	{
		name: "extra-member", file: "gen/api/api.gen.go",
		from:  "type Health struct {\n",
		to:    "type Health struct {\n\tExtra string `json:\"extra\"`\n",
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows/getLiveness",
	},
	{
		name: "200-for-201", file: "internal/httpapi/delivery.go",
		from: "c.Response().WriteHeader(status)", to: "c.Response().WriteHeader(max(http.StatusOK, status-1))",
		tests: "TestRepeatedPostHasItsEffectOnce",
	},
	{
		name: "wrong-status-of-a-code", file: "internal/httpapi/problem.go",
		from:  `apperr.NotAcceptable:           {status: http.StatusNotAcceptable`,
		to:    `apperr.NotAcceptable:           {status: http.StatusGone`,
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows",
	},
	{
		name: "wrong-enum", file: "internal/httpapi/convert_ai.go",
		from: "api.AIResponseStatus(r.Status),", to: `api.AIResponseStatus(r.Status) + "!",`,
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows/getAIResponse",
	},
	{
		name: "authentication-skipped", file: "internal/httpapi/authn.go",
		from: `if op.Role == "" {`, to: `if op.Role != "admin" {`,
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows/listTickets",
	},
	{
		name: "customers-shown-to-other-services", file: "internal/auth/actor.go",
		from: "return a.IsStaff() && a.KeyID == uuid.Nil", to: "return a.IsStaff()",
		tests: "TestNobodyElseSeesAServicesNameForItsCustomer",
	},
	{
		name: "role-not-asked-for", file: "internal/httpapi/authn.go",
		from: "if !actor.Has(auth.Role(op.Role)) {", to: "if !actor.Has(auth.RoleUser) {",
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows/createUser",
	},
	{
		name: "owner-predicate-dropped", file: "gen/sqlc/messages.sql.gen.go",
		from:  "WHERE f.message_id = $1 AND (t.user_id = $2 OR $3::boolean)",
		to:    "WHERE f.message_id = $1 AND (t.user_id = $2 OR NOT $3::boolean)",
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows/getMessageFeedback",
	},
	{
		name: "session-of-somebody-else-ended", file: "gen/sqlc/sessions.sql.gen.go",
		from: "WHERE id = $1 AND user_id = $2", to: "WHERE id = $1 AND (user_id = $2 OR true)",
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows/endSession",
	},
	{
		name: "challenge-missing", file: "internal/httpapi/problem.go",
		from: "\tsetChallenge(header, err.Code)\n", to: "",
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows/getTicket",
	},
	{
		name: "allow-missing", file: "internal/httpapi/problem.go",
		from: `allow != "" {`, to: `allow == "?" {`,
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows",
	},
	{
		name: "undeclared-header", file: "internal/httpapi/browser.go",
		from:  "maps.Copy(header, browserHeaders)",
		to:    "maps.Copy(header, browserHeaders)\n\t\t\theader.Set(\"X-Version\", \"1\")",
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows/getMe",
	},
	{
		name: "problem-as-plain-json", file: "internal/httpapi/problem.go",
		from: `mediaTypeProblem = "application/problem+json"`, to: `mediaTypeProblem = "application/json"`,
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows/getTicket",
	},
	{
		name: "contract-longer-than-the-database", file: contractFile,
		from:  "sequences are removed.\n      minLength: 1\n      maxLength: 200\n",
		to:    "sequences are removed.\n      minLength: 1\n      maxLength: 300\n",
		tests: "TestOperationsAcceptExactlyWhatTheContractAllows/createTicket",
	},
	{
		name: "contract-without-a-status", file: contractFile,
		from: "        '409': { $ref: '#/components/responses/LastAdmin' }\n", to: "",
		tests: "TestLastAdministratorCannotBeRemoved",
	},
	{
		name: "contract-with-an-open-body", file: contractFile,
		from:  "      description: A new ticket.\n      additionalProperties: false\n",
		to:    "      description: A new ticket.\n",
		tests: "TestRequestBodiesRefuseUndeclaredMembers",
	},
	{
		name: "contract-without-security", file: contractFile,
		from: "      description: The account that the access token belongs to.\n      security:\n" +
			"        - bearerAuth: [user]\n        - passwordAuth: [user]\n        - { bearerAuth: [user], onBehalfOf: [user] }\n",
		to:    "      description: The account that the access token belongs to.\n      security: []\n",
		tests: "TestPublicOperationsAreTheKnownOnes",
	},
}
