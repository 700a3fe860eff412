package docs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// document is the part of the contract that the pages of problems need.
type document struct {
	Paths      map[string]map[string]pathMember `json:"paths"`
	Components struct {
		Responses map[string]struct {
			Content map[string]struct {
				Examples map[string]link `json:"examples"`
			} `json:"content"`
		} `json:"responses"`
		Examples map[string]struct {
			Value json.RawMessage `json:"value"`
		} `json:"examples"`
	} `json:"components"`
}

// readDocument reads what a contract says about problems.
func readDocument(specJSON []byte) (*document, error) {
	var d document
	if err := json.Unmarshal(specJSON, &d); err != nil {
		return nil, fmt.Errorf("docs: read the contract: %w", err)
	}
	return &d, nil
}

// pathMember is an operation or, without an id, another member of a path.
type pathMember struct {
	ID        string          `json:"operationId"`
	Summary   string          `json:"summary"`
	Tags      []string        `json:"tags"`
	Responses map[string]link `json:"responses"`
}

// UnmarshalJSON ignores the parameters of a path.
func (m *pathMember) UnmarshalJSON(source []byte) error {
	if source[0] != '{' {
		return nil
	}
	type plain pathMember
	return json.Unmarshal(source, (*plain)(m))
}

// link is a reference to a component.
type link struct {
	Ref string `json:"$ref"`
}

func (l link) name() string { return path.Base(l.Ref) }

// operation is an operation that a problem's page links to.
type operation struct{ Method, Path, Summary, Anchor string }

// operationsOf returns the operations that declare a problem, in the order of their paths.
func (d *document) operationsOf(code string) []operation {
	var found []operation
	for where, item := range d.Paths {
		for method, op := range item {
			for _, response := range op.Responses {
				for _, content := range d.Components.Responses[response.name()].Content {
					if _, shows := content.Examples[code]; shows && len(op.Tags) > 0 {
						found = append(found, operation{
							Method: strings.ToUpper(method), Path: where, Summary: op.Summary,
							Anchor: "tag/" + op.Tags[0] + "/operation/" + op.ID,
						})
					}
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b operation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return slices.Compact(found)
}

// exampleOf returns the contract's example of a problem, or builds one.
func (d *document) exampleOf(p Problem) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(d.Components.Examples)) {
		var shown struct{ Code, Type string }
		value := d.Components.Examples[name].Value
		if json.Unmarshal(value, &shown) == nil && shown.Code == p.Code && shown.Type != "" {
			return problemText(value)
		}
	}
	made, err := json.Marshal(map[string]any{
		"type": "/problems/" + p.Code, "title": p.Title, "status": p.Status, "code": p.Code,
		"request_id": "0199d3c6-5a00-7000-8000-000000000001", "retryable": p.Retryable,
	})
	if err != nil {
		return "", fmt.Errorf("docs: example of %s: %w", p.Code, err)
	}
	return problemText(made)
}

// problemText formats a problem with its members in the order of RFC 9457.
func problemText(source []byte) (string, error) {
	var problem struct {
		Type      string            `json:"type"`
		Title     string            `json:"title"`
		Status    int               `json:"status"`
		Detail    string            `json:"detail,omitempty"`
		Code      string            `json:"code"`
		RequestID string            `json:"request_id"`
		Retryable bool              `json:"retryable,omitempty"`
		Errors    []json.RawMessage `json:"errors,omitempty"`
	}
	if err := json.Unmarshal(source, &problem); err != nil {
		return "", fmt.Errorf("docs: example of a problem: %w", err)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(problem)
	return strings.TrimSpace(text.String()), err
}
