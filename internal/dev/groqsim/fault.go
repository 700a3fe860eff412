package groqsim

import (
	"fmt"
	"net/http"
)

// statusCapacityExceeded is Groq's own status for a flex request that found no capacity.
const statusCapacityExceeded = 498

const organization = "org_01j0simulated0000000000000"

// apiError is the object under "error" in Groq's error bodies, with its members in Groq's order.
type apiError struct {
	Message          string `json:"message"`
	Type             string `json:"type"`
	Code             string `json:"code,omitempty"`
	Param            string `json:"param,omitempty"`
	FailedGeneration string `json:"failed_generation,omitempty"`
	StatusCode       int    `json:"status_code,omitempty"`
}

type errorBody struct {
	Error apiError `json:"error"`
}

var errInvalidKey = apiError{Message: "Invalid API Key", Type: "invalid_request_error", Code: "invalid_api_key"}

func invalidRequest(message string) apiError {
	return apiError{Message: message, Type: "invalid_request_error"}
}

func writeError(w http.ResponseWriter, status int, e apiError) {
	writeJSON(w, status, errorBody{Error: e})
}

// scriptedError returns the body Groq has for the script's status.
func scriptedError(script Script, model string) apiError {
	e := statusError(script, model)
	if script.ErrorCode != "" {
		e.Code = script.ErrorCode
	}
	return e
}

func statusError(script Script, model string) apiError {
	switch script.Status {
	case http.StatusBadRequest:
		if script.ErrorCode == "model_decommissioned" {
			return invalidRequest(fmt.Sprintf("The model `%s` has been decommissioned and is no longer supported. "+
				"Please refer to https://console.groq.com/docs/deprecations for a recommendation on which model to use instead.", model))
		}
		return invalidRequest("The request was not accepted.")
	case http.StatusUnauthorized:
		return errInvalidKey
	case http.StatusForbidden:
		return apiError{Message: "Access denied. Please check your network settings.", Type: "permissions_error", Code: "permissions_error"}
	case http.StatusNotFound:
		return modelNotFound(model)
	case http.StatusRequestEntityTooLarge:
		return tooLarge(model, 8000, 11387)
	case http.StatusTooManyRequests:
		return rateLimited(script, model)
	case statusCapacityExceeded:
		return apiError{Message: "Flex tier capacity exceeded.", Type: "capacity_error", Code: "capacity_exceeded"}
	}
	if script.Status >= http.StatusInternalServerError {
		return apiError{Message: statusText(script.Status), Type: "internal_server_error"}
	}
	return invalidRequest(statusText(script.Status))
}

func modelNotFound(model string) apiError {
	return apiError{
		Message: "The model `" + model + "` does not exist or you do not have access to it.",
		Type:    "invalid_request_error", Code: "model_not_found",
	}
}

// rateLimited is the recorded error for the daily limit, the one that no header shows.
func rateLimited(script Script, model string) apiError {
	wait := "9m38.016s"
	if script.RetryAfter != "" {
		wait = script.RetryAfter + "s"
	}
	if script.TryAgainIn != "" {
		wait = script.TryAgainIn
	}
	message := fmt.Sprintf("Rate limit reached for model `%s` in organization `%s` service tier `on_demand` on tokens "+
		"per day (TPD): Limit 100000, Used 97050, Requested 3619.", model, organization)
	if wait != "-" {
		message += " Please try again in " + wait + "."
	}
	message += " Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing"
	return apiError{Message: message, Type: "tokens", Code: "rate_limit_exceeded"}
}

func tooLarge(model string, limit, requested int) apiError {
	return apiError{
		Message: fmt.Sprintf("Request too large for model `%s` in organization `%s` service tier `on_demand` on tokens per "+
			"minute (TPM): Limit %d, Requested %d, please reduce your message size and try again. Need more tokens? "+
			"Upgrade to Dev Tier today at https://console.groq.com/settings/billing", model, organization, limit, requested),
		Type: "tokens", Code: "rate_limit_exceeded",
	}
}

// streamedError is the recorded error in the midst of a stream.
func streamedError(script Script) apiError {
	e := apiError{
		Message:          "Tool call validation failed: attempted to call tool 'weather' which was not in request.tools",
		Type:             "invalid_request_error",
		Code:             "tool_use_failed",
		FailedGeneration: `{"name": "weather", "arguments": {}}`,
		StatusCode:       http.StatusBadRequest,
	}
	if script.ErrorCode != "" {
		e = apiError{Message: "The stream was stopped.", Type: "internal_server_error", Code: script.ErrorCode}
	}
	return e
}
